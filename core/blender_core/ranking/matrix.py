"""Reading a comparison matrix: margins of pairs, and ranks of scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["margins", "order_and_ranks"]


def margins(matrix: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """By how much the row beats the column, the mean of the orders that were asked.

    Args:
        matrix: float[N, N], NaN where a pair was not asked.

    Returns:
        float64[N, N], antisymmetric, NaN where neither order was asked, diagonal 0.
    """
    forward = matrix.astype(np.float64)
    backward = -forward.T
    both = (forward + backward) / 2.0
    result = np.where(np.isnan(forward), backward, np.where(np.isnan(backward), forward, both))
    np.fill_diagonal(result, 0.0)
    return result


def order_and_ranks(*keys: Sequence[float]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sort candidates by one or more keys, higher is better, the first key deciding first.

    Args:
        keys: sequences of N numbers each.

    Returns:
        ``order``: indices, best first, ties in input order. ``ranks``: 1 = best, ties share the
        best rank and the next ranks are skipped.

    >>> order_and_ranks([0.5, 0.9, 0.5])
    ((1, 0, 2), (2, 1, 2))
    """
    rows = list(zip(*keys, strict=True))
    order = sorted(range(len(rows)), key=lambda index: tuple(-value for value in rows[index]))
    ranks = [0] * len(rows)
    for place, index in enumerate(order):
        tied = place > 0 and rows[index] == rows[order[place - 1]]
        ranks[index] = ranks[order[place - 1]] if tied else place + 1
    return tuple(order), tuple(ranks)
