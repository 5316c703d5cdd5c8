"""One bubble pass: the best answer for 2(N - 1) passes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from blender_core.checks import not_negative
from blender_core.errors import InputError
from blender_core.ranking.matrix import margins
from blender_core.ranking.schedules.schedule import Ending, Rounds

__all__ = ["Bubble"]


@dataclass(frozen=True, slots=True)
class Bubble:
    """Carry the better of two along a random line of candidates (LLM-Blender, section 3.2).

    The survivor is the best; the scores order the others. A tie passes the lead on, as in the
    original; a comparison that failed does not.

    Args:
        seed: of the random line.
        line: the line itself, a permutation of the indices, instead of a random one.
    """

    seed: int = 0
    line: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        not_negative("seed", self.seed)

    def rounds(self, lengths: Sequence[int]) -> Rounds:
        """See `Schedule.rounds`."""
        count = len(lengths)
        line = self.line
        if line is None:
            line = tuple(np.random.default_rng(self.seed).permutation(count).tolist())
        elif sorted(line) != list(range(count)):
            raise InputError(f"Bubble: line {line} is no permutation of the {count} candidates")
        current = line[0]
        for challenger in line[1:]:
            matrix = yield [(current, challenger), (challenger, current)]
            lead = margins(matrix)[current, challenger]
            current = challenger if lead <= 0 else current
        return Ending([0 if index == current else 1 for index in range(count)])
