"""What a causal model makes of each token of an answer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

__all__ = ["Foreseen", "Reading", "foreseen"]

_ROWS = 128
"""Distributions worked on at once: more of them leave the processor's cache."""


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """An answer of T tokens, as foreseen by a model that has read what stands before each token.

    There are T + 1 places: one for each token, and one for the token that ends an answer.

    Attributes:
        ids: int64[T], the answer's tokens.
        log_probabilities: float32[T + 1], natural logarithms, at most 0.
        entropies: float32[T + 1], nats, of what might have come at each place.
        likeliest: bool[T + 1], whether no other token was likelier.
    """

    ids: NDArray[np.int64]
    log_probabilities: NDArray[np.float32]
    entropies: NDArray[np.float32]
    likeliest: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Foreseen:
    """The same for any places: three tensors of the same shape, on the CPU."""

    log_probabilities: torch.Tensor
    entropies: torch.Tensor
    likeliest: torch.Tensor


def foreseen(logits: torch.Tensor, targets: torch.Tensor) -> Foreseen:
    """How likely tokens were, computed in float32 or better.

    Args:
        logits: [..., vocabulary].
        targets: int64[...], the tokens that came.
    """
    rows, wanted = logits.flatten(0, -2), targets.flatten()
    parts = [
        _of_rows(rows[start : start + _ROWS], wanted[start : start + _ROWS])
        for start in range(0, len(rows), _ROWS)
    ]
    found = (torch.cat(part).reshape(targets.shape).cpu() for part in zip(*parts, strict=True))
    return Foreseen(*found)


def _of_rows(
    logits: torch.Tensor, targets: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    logits = logits.double() if logits.dtype == torch.float64 else logits.float()
    likely = logits.log_softmax(-1)
    chosen = likely.gather(-1, targets[:, None])[:, 0]
    best = likely.amax(-1)
    # What is impossible adds nothing: 0 log 0 = 0.
    entropy = -(likely.exp() * likely.clamp_min(torch.finfo(likely.dtype).min)).sum(-1)
    return chosen, entropy, chosen >= best
