"""Copeland's method: opponents beaten minus opponents lost to."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blender_core.ranking.matrix import completed, margins

__all__ = ["copeland"]


def copeland(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Opponents beaten minus opponents lost to, each judged by the mean of both orders.

    Holes are filled by `completed`.

    Args:
        matrix: float[N, N], NaN where a pair was not asked.

    Returns:
        float64[N], between -(N - 1) and N - 1.

    >>> copeland(np.array([[0, 2.0], [-1.0, 0]])).tolist()
    [1.0, -1.0]
    """
    result: NDArray[np.float64] = np.sign(margins(completed(matrix))).sum(axis=1)
    return result
