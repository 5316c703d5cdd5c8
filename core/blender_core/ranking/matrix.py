"""Reading a comparison matrix: margins of pairs, what holes can be filled with, ranks of scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.belief.rounding import rounded

__all__ = ["completed", "margins", "order_and_ranks"]


def margins(matrix: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """By how much the row beats the column, the mean of the orders that were answered.

    Args:
        matrix: float[N, N], NaN where a pair was not asked.

    Returns:
        float64[N, N], antisymmetric, NaN where neither order was answered, diagonal 0.
    """
    forward = matrix.astype(np.float64)
    backward = -forward.T
    both = (forward + backward) / 2.0
    result = np.where(np.isnan(forward), backward, np.where(np.isnan(backward), forward, both))
    np.fill_diagonal(result, 0.0)
    return result


def completed(matrix: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """The matrix with its holes filled by what the answered pairs imply.

    A hole (i, j) becomes u_i - u_j, where the potentials u fit the answers best in the sense of
    least squares (HodgeRank, Jiang et al. 2011). Candidates that no chain of answers connects
    are taken to be equally good on average.

    Args:
        matrix: float[N, N], NaN where a pair was not asked.

    Returns:
        float64[N, N] without NaN, diagonal 0; a complete matrix comes back as it is.
    """
    logits = matrix.astype(np.float64)
    np.fill_diagonal(logits, 0.0)
    asked = ~np.isnan(logits)
    if asked.all():
        return logits
    np.fill_diagonal(asked, val=False)
    known = np.where(asked, logits, 0.0)
    weights = asked.astype(np.float64) + asked.T
    laplacian = np.diag(weights.sum(axis=1)) - weights
    net = known.sum(axis=1) - known.sum(axis=0)
    potentials = rounded(np.linalg.pinv(laplacian, hermitian=True) @ net)
    return np.where(np.isnan(logits), potentials[:, None] - potentials[None, :], logits)


def order_and_ranks(*keys: Sequence[float]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Sort candidates by one or more keys, higher is better, the first key deciding first.

    Args:
        keys: sequences of N numbers each, none of them NaN.

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
