"""What a shortlist by a cheap ranker loses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.outcomes import Ranking

__all__ = ["KEPT", "Miss", "misses"]

KEPT = (2, 4, 6, 8, 12, 16, 24, 32)
"""How many candidates go on."""


@dataclass(frozen=True, slots=True)
class Miss:
    """Shortlists of one length, over the tasks that have more different texts.

    Attributes:
        keep: how many of them go on.
        tasks: how many tasks have more.
        missed: share of them whose best, by the dear ranker, does not go on.
        worth_lost: by how much the best of those who go on is worth less than the best of all, by
            the dear ranker, on average; None where nothing says what answers are worth.
    """

    keep: int
    tasks: int
    missed: float
    worth_lost: float | None


def misses(
    cheap: Sequence[Ranking],
    dear: Sequence[Ranking],
    worths: Sequence[NDArray[np.floating[Any]]],
    kept: Sequence[int] = KEPT,
) -> list[Miss]:
    """Measure.

    Args:
        cheap: by the ranker that makes the shortlist.
        dear: by the ranker that orders it, of the same tasks.
        worths: float[N] a task, what each answer is worth; NaN where that is not known.
        kept: lengths of shortlists; those that no task exceeds are left out.
    """
    found = []
    for keep in kept:
        lost = []
        losses = []
        for first, second, worth in zip(cheap, dear, worths, strict=True):
            texts = [candidate.text for candidate in first.candidates]
            by_first = [*dict.fromkeys(texts[place] for place in first.order)]
            if len(by_first) <= keep:
                continue
            pick = next(place for place in second.order if texts[place] in by_first[:keep])
            lost.append(pick != second.order[0])
            losses.append(float(worth[second.order[0]] - worth[pick]))
        known = [loss for loss in losses if not np.isnan(loss)]
        if lost:
            mean = float(np.mean(known)) if known else None
            found.append(Miss(keep, len(lost), float(np.mean(lost)), mean))
    return found
