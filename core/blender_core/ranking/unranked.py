"""The ranking of answers that nobody has compared."""

from __future__ import annotations

import numpy as np

from blender_core.candidates import Task
from blender_core.outcomes import Ranking

__all__ = ["unranked"]


def unranked(task: Task) -> Ranking:
    """All in their order, with equal scores, as time was up before they could be compared."""
    count = len(task.candidates)
    matrix = np.full((count, count), np.nan, dtype=np.float32)
    np.fill_diagonal(matrix, 0.0)
    return Ranking(
        tuple(task.candidates),
        order=tuple(range(count)),
        ranks=(1,) * count,
        scores=(0.0,) * count,
        matrix=matrix,
        passes=0,
        stopped_because="max_seconds",
    )
