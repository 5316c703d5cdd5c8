"""Pairs of answers with a ranker's margin and a label: what a calibration is fitted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_core.evaluation.truth import Truth
from blender_core.outcomes import Ranking

__all__ = ["Labelled", "labelled"]


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """Each pair once, in the order its answers came in.

    Attributes:
        margins: float64[n], logits by which the ranker prefers the first answer.
        wins: bool[n], whether the label prefers it.
        longer: float64[n], log of its length over that of the second one.
        groups: intp[n], the number of the record a pair is of.
    """

    margins: NDArray[np.float64]
    wins: NDArray[np.bool_]
    longer: NDArray[np.float64]
    groups: NDArray[np.intp]


def labelled(rankings: Sequence[Ranking], truths: Sequence[Truth]) -> Labelled:
    """The pairs of which the truth is known and is no tie."""
    margins, wins, longer, groups = [], [], [], []
    for number, (ranking, truth) in enumerate(zip(rankings, truths, strict=True)):
        i, j = np.nonzero(np.triu(np.nan_to_num(truth.outcome), 1))
        utilities = np.array(ranking.utilities)
        sizes = np.log([1.0 + len(candidate.text) for candidate in ranking.candidates])
        margins.append(utilities[i] - utilities[j])
        wins.append(truth.outcome[i, j] > 0)
        longer.append(sizes[i] - sizes[j])
        groups.append(np.full(len(i), number))
    if not margins:
        nothing = np.empty(0)
        return Labelled(nothing, nothing.astype(bool), nothing, nothing.astype(np.intp))
    ahead = np.concatenate(margins)
    asked = ~np.isnan(ahead)
    return Labelled(
        ahead[asked],
        np.concatenate(wins)[asked],
        np.concatenate(longer)[asked],
        np.concatenate(groups)[asked],
    )
