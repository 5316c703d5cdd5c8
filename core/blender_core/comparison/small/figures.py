"""An answer in figures: how a language model foresaw it, with its question and without."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.causal.reading import Reading

__all__ = ["FIGURES", "figures"]

_EDGE = 20
"""Tokens at either end of an answer that have figures of their own."""

_SURPRISE = math.log(0.01)

_OF_ONE = (
    "mean",
    "least",
    "mean of the first",
    "mean of the last",
    "sum",
    "entropy",
    "surprises",
    "likeliest",
    "end",
)

FIGURES: Sequence[str] = (
    *_OF_ONE,
    *(f"{name}, without the question" for name in _OF_ONE),
    "mean, gained by the question",
    "mean of the first, gained by the question",
    "sum, gained by the question",
    "entropy, gained by the question",
    "tokens",
)
"""What the figures are called. Log-probabilities and entropies are in nats, of the answer's tokens
without its end; first and last are 20 tokens; surprises (p below 0.01) and likeliest (no token was
likelier) are shares; sums x are sign(x) log(1 + |x|), and tokens log(1 + n)."""


def figures(reading: Reading, without: Reading) -> NDArray[np.float32]:
    """The figures of `FIGURES`, float32[len(FIGURES)], all finite.

    Args:
        reading: of an answer behind its question.
        without: of the same answer behind none.
    """
    own, bare = _of(reading), _of(without)
    gained = [
        own[0] - bare[0],
        own[2] - bare[2],
        _log(float(reading.log_probabilities[:-1].sum() - without.log_probabilities[:-1].sum())),
        own[5] - bare[5],
    ]
    return np.array([*own, *bare, *gained, _log(len(reading.ids))], dtype=np.float32)


def _of(reading: Reading) -> list[float]:
    """The figures of `_OF_ONE`; an answer of no tokens is neither likely nor unlikely."""
    likely, end = reading.log_probabilities[:-1], float(reading.log_probabilities[-1])
    if not len(likely):
        return [0.0] * (len(_OF_ONE) - 1) + [end]
    return [
        float(likely.mean()),
        float(likely.min()),
        float(likely[:_EDGE].mean()),
        float(likely[-_EDGE:].mean()),
        _log(float(likely.sum())),
        float(reading.entropies[:-1].mean()),
        float((likely < _SURPRISE).mean()),
        float(reading.likeliest[:-1].mean()),
        end,
    ]


def _log(value: float) -> float:
    return math.copysign(math.log1p(abs(value)), value)
