"""How the models stand to each other, by the judge."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.evaluation.truth import Truth

__all__ = ["beats", "rank_shares"]

Numbers = NDArray[np.float64]


def beats(
    models: Sequence[str], answered: Sequence[Sequence[str | None]], truth: Sequence[Truth]
) -> Numbers:
    """Who beats whom.

    Args:
        models: the M models that are asked about.
        answered: each record's models, one an answer.
        truth: what each record knows.

    Returns:
        float64[M, M], share of the comparisons that the row won against the column, a tie being
        half a win; NaN where there are none.
    """
    places = {name: place for place, name in enumerate(models)}
    points = np.zeros((len(models), len(models)))
    voices = np.zeros_like(points)
    for names, known in zip(answered, truth, strict=True):
        lines = [(index, places[name]) for index, name in enumerate(names) if name in places]
        for index, row in lines:
            for other, column in lines:
                outcome = known.outcome[index, other]
                if row != column and not np.isnan(outcome):
                    points[row, column] += (outcome + 1.0) / 2.0
                    voices[row, column] += 1.0
    result: Numbers = np.where(voices > 0, points / np.maximum(voices, 1.0), np.nan)
    return result


def rank_shares(
    models: Sequence[str], answered: Sequence[Sequence[str | None]], truth: Sequence[Truth]
) -> Numbers:
    """How often each model has which rank: float64[M, R], arguments as of `beats`."""
    places = {name: place for place, name in enumerate(models)}
    ranked = [
        (names, known.ranks.astype(int))
        for names, known in zip(answered, truth, strict=True)
        if known.ranked
    ]
    longest = max((len(ranks) for _, ranks in ranked), default=0)
    counts = np.zeros((len(models), longest))
    for names, ranks in ranked:
        for name, rank in zip(names, ranks, strict=True):
            if name in places:
                counts[places[name], rank - 1] += 1.0
    total = counts.sum(axis=1, keepdims=True)
    result: Numbers = counts / np.maximum(total, 1.0)
    return result
