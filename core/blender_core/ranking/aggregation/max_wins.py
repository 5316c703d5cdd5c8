"""MaxWins (LLM-Blender, section 3.2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blender_core.ranking.matrix import completed

__all__ = ["max_wins"]


def max_wins(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Directional comparisons won, shown first or second; a logit of exactly 0 is half a win.

    The original adds a sum over rows to a mean over columns, which counts wins as the first-shown
    answer N times as much; here both count the same. Holes are filled by `completed`.

    Args:
        matrix: float[N, N], NaN where a pair was not asked.

    Returns:
        float64[N], between 0 and 2(N - 1).

    >>> max_wins(np.array([[0, 2.0], [-1.0, 0]])).tolist()
    [2.0, 0.0]
    """
    outcome = (np.sign(completed(matrix)) + 1.0) / 2.0
    np.fill_diagonal(outcome, 0.0)
    lost = 1.0 - outcome
    np.fill_diagonal(lost, 0.0)
    result: NDArray[np.float64] = outcome.sum(axis=1) + lost.sum(axis=0)
    return result
