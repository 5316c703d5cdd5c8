"""Schedules that others are measured against: pairs by chance, and any one cut off early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blender_core.belief.posterior import Posterior
from blender_core.flows import Course
from blender_core.ranking.schedules import Ending, Rounds, Schedule

__all__ = ["RandomPairs", "Truncated"]


@dataclass(frozen=True, slots=True)
class RandomPairs:
    """Ordered pairs by chance, read by the same model as those of `Active`: what choosing adds.

    Args:
        max_passes: how many; None asks all.
        seed: of the choice.
    """

    max_passes: int | None = None
    seed: int = 0

    def rounds(self, lengths: Sequence[int]) -> Rounds:
        """See `Schedule.rounds`."""
        count = len(lengths)
        pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
        chosen = np.random.default_rng(self.seed).permutation(len(pairs))[: self.max_passes]
        matrix = yield [pairs[place] for place in chosen]
        return Ending(scores=Posterior.of(matrix).utilities.tolist())


@dataclass(frozen=True, slots=True)
class Truncated:
    """Another schedule, stopped after so many passes; the scores decide what it has not.

    Args:
        schedule: the other one.
        max_passes: how many.
    """

    schedule: Schedule
    max_passes: int

    def rounds(self, lengths: Sequence[int]) -> Rounds:
        """See `Schedule.rounds`."""
        course = Course(self.schedule.rounds(lengths))
        left = self.max_passes
        while not course.done and left:
            wanted = course.request
            part = wanted[:left]
            left -= len(part)
            matrix = yield part
            if len(part) < len(wanted):
                break
            course.reply(matrix)
        return course.result if course.done else Ending(because="max_passes")
