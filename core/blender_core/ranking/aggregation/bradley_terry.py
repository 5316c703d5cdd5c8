"""Bradley-Terry utilities by regularised maximum likelihood."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["bradley_terry"]

_TOLERANCE = 1e-10
_MAX_STEPS = 100


def bradley_terry(matrix: NDArray[np.float32], prior: float = 0.01) -> NDArray[np.float64]:
    """Utilities u that maximise the likelihood of the soft outcomes sigmoid(M[i, j]).

    Every pass is a game that the first-shown answer wins by the share sigmoid(M[i, j]); the model
    says sigmoid(u_i - u_j). A Gaussian prior keeps the maximum finite and unique where outcomes
    are certain or candidates were never compared. (Bradley and Terry 1952; Newton's method.)

    Args:
        matrix: float[N, N], NaN where a pair was not asked.
        prior: precision of the prior on each utility, in games.

    Returns:
        float64[N] with mean 0, in logits.

    >>> bradley_terry(np.array([[0, 2.0], [-2.0, 0]]), prior=1e-9).round(3).tolist()
    [1.0, -1.0]
    """
    count = len(matrix)
    asked = ~np.isnan(matrix)
    np.fill_diagonal(asked, False)
    share = _sigmoid(np.where(asked, matrix, 0.0).astype(np.float64))
    wins = (np.where(asked, share, 0.0) + np.where(asked, 1.0 - share, 0.0).T).sum(axis=1)
    games = asked.astype(np.float64) + asked.T
    utilities = np.zeros(count)
    for _ in range(_MAX_STEPS):
        expected = _sigmoid(utilities[:, None] - utilities[None, :])
        gradient = wins - (games * expected).sum(axis=1) - prior * utilities
        curvature = games * expected * (1.0 - expected)
        hessian = np.diag(curvature.sum(axis=1) + prior) - curvature
        step = np.linalg.solve(hessian, gradient)
        # The likelihood is concave: a bounded step cannot run away from the maximum.
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        utilities = utilities + step
        if np.abs(step).max() < _TOLERANCE:
            break
    utilities = utilities - utilities.mean()
    # Candidates with equal results must tie, whatever noise the solver left.
    rounded: NDArray[np.float64] = utilities.astype(np.float32).astype(np.float64)
    return rounded


def _sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    result: NDArray[np.float64] = 0.5 * (1.0 + np.tanh(0.5 * x))
    return result
