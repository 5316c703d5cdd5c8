"""Bradley-Terry utilities by regularised maximum likelihood."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from blender_core.belief.rounding import rounded
from blender_core.ranking.matrix import completed

__all__ = ["bradley_terry"]

_TOLERANCE = 1e-12
_MAX_STEPS = 100
_LONGEST_STEP = 2.0


def bradley_terry(matrix: NDArray[np.float32], prior: float = 0.001) -> NDArray[np.float64]:
    """Utilities u that maximise the likelihood of the soft outcomes sigmoid(M[i, j]).

    Every pass is a game that the first-shown answer wins by the share sigmoid(M[i, j]); the model
    says sigmoid(u_i - u_j). A Gaussian prior keeps the maximum finite and unique where outcomes
    are certain. Holes are filled by `completed`. (Bradley and Terry 1952; Newton's method.)

    Args:
        matrix: float[N, N], NaN where a pair was not asked.
        prior: precision of the prior on each utility, in games.

    Returns:
        float64[N] with mean 0, in logits.

    >>> bradley_terry(np.array([[0, 2.0], [-2.0, 0]]), prior=1e-9).round(3).tolist()
    [1.0, -1.0]
    """
    from scipy.special import expit

    share = expit(completed(matrix))
    count = len(share)
    others = 1.0 - np.eye(count)
    wins = (others * (share + 1.0 - share.T)).sum(axis=1)
    utilities = np.zeros(count)
    for _ in range(_MAX_STEPS):
        expected = expit(utilities[:, None] - utilities[None, :])
        gradient = wins - 2.0 * (others * expected).sum(axis=1) - prior * utilities
        curvature = 2.0 * others * expected * (1.0 - expected)
        hessian = np.diag(curvature.sum(axis=1) + prior) - curvature
        step = np.linalg.solve(hessian, gradient)
        longest = float(np.abs(step).max())
        # The likelihood is concave: a bounded step cannot run away from the maximum.
        utilities = utilities + step * min(1.0, _LONGEST_STEP / max(longest, _TOLERANCE))
        if longest < _TOLERANCE:
            break
    return rounded(utilities - utilities.mean())
