"""Logistic regression on pairs: which differences between two answers make one the better."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["logistic_regression"]

_ITERATIONS = 200


def logistic_regression(
    differences: Tensor, preferences: Tensor, weights: Tensor, decay: float
) -> Tensor:
    """Coefficients such that ``sigmoid(differences @ coefficients)`` fits the preferences.

    There is no intercept: two answers that differ in nothing are equally good, and swapping them
    flips the sign.

    Args:
        differences: float64[pairs, figures], first answer minus second.
        preferences: float64[pairs], how sure it is that the first is better, 0 to 1.
        weights: float64[pairs], how much each pair counts.
        decay: of the coefficients' squares, beside the mean loss.

    Returns:
        float64[figures].
    """
    result = torch.zeros(differences.shape[1], dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([result], max_iter=_ITERATIONS, line_search_fn="strong_wolfe")
    share = weights / weights.sum()

    def loss() -> Tensor:
        optimizer.zero_grad()
        cost = nn.functional.binary_cross_entropy_with_logits(
            differences @ result, preferences, weight=share, reduction="sum"
        )
        total: Tensor = cost + decay * result.square().sum()
        total.backward()  # type: ignore[no-untyped-call]
        return total

    with torch.enable_grad():
        optimizer.step(loss)  # type: ignore[no-untyped-call]
    return result.detach()
