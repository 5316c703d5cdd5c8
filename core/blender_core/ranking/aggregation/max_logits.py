"""MaxLogits (LLM-Blender, section 3.2), extended to matrices with holes."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["max_logits"]


def max_logits(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
    """Mean logit by which a candidate beats the others: mean over j of M[i, j] - M[j, i].

    The mean runs over all N columns with a zero diagonal, as in the original program, so scores
    sum to zero. Where pairs are missing the scores are twice the least-squares potentials u of
    M[i, j] ~ u_i - u_j (HodgeRank, Jiang et al. 2011), which for a complete matrix are this very
    mean.

    Args:
        matrix: float[N, N], NaN where a pair was not asked.

    Returns:
        float64[N]. Sums are correctly rounded, so equal rows tie exactly in whatever order.

    >>> max_logits(np.array([[0, 2.0], [-1.0, 0]])).tolist()
    [1.5, -1.5]
    """
    count = len(matrix)
    logits = matrix.astype(np.float64)
    np.fill_diagonal(logits, 0.0)
    if not np.isnan(logits).any():
        return np.array([math.fsum(row) / count for row in logits - logits.T])
    return 2.0 * _potentials(logits)


def _potentials(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    """Least-squares u of logits[i, j] ~ u_i - u_j over the pairs asked, mean 0 a component."""
    asked = ~np.isnan(logits)
    np.fill_diagonal(asked, False)
    known = np.where(asked, logits, 0.0)
    weights = asked.astype(np.float64) + asked.T
    laplacian = np.diag(weights.sum(axis=1)) - weights
    net = known.sum(axis=1) - known.sum(axis=0)
    potentials = np.linalg.pinv(laplacian, hermitian=True) @ net
    # Candidates with equal results must tie, whatever noise the solver left.
    rounded: NDArray[np.float64] = potentials.astype(np.float32).astype(np.float64)
    return rounded
