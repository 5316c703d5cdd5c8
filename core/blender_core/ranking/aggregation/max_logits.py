"""MaxLogits (LLM-Blender, section 3.2), extended to matrices with holes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from blender_core.belief.rounding import rounded
from blender_core.ranking.matrix import completed

__all__ = ["max_logits"]


def max_logits(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean logit by which a candidate beats the others: mean over j of M[i, j] - M[j, i].

    The mean runs over all N columns with a zero diagonal, as in the original program, so scores
    sum to zero. Holes are filled by `completed`.

    Args:
        matrix: float[N, N], NaN where a pair was not asked.

    Returns:
        float64[N]. Sums are correctly rounded, so equal rows tie exactly in whatever order.

    >>> max_logits(np.array([[0, 2.0], [-1.0, 0]])).tolist()
    [1.5, -1.5]
    """
    logits = completed(matrix)
    return rounded(np.array([math.fsum(row) / len(logits) for row in logits - logits.T]))
