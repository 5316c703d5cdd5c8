"""What a schedule is."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from blender_core.outcomes import StopReason

if TYPE_CHECKING:
    from blender_core.belief.goal import Goal

__all__ = ["Ending", "Round", "Rounds", "Schedule"]

Round = list[tuple[int, int]]
"""Ordered index pairs (shown first, shown second) that may be asked together."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a schedule ended.

    Args:
        tiers: one a candidate, 0 = best, where the course of the tournament decides before the
            scores do (the survivor of a knockout is the best, whatever it scored); else None.
        scores: one a candidate, higher is better, where the schedule itself knows better than an
            aggregation of what it left out; else None.
        because: why it asked no more.
        goal: what it set out to find.
    """

    tiers: Sequence[int] | None = None
    scores: Sequence[float] | None = None
    because: StopReason = "done"
    goal: Goal = "best"


Rounds = Generator[Round, NDArray[np.float32], Ending | None]
"""Yields rounds, is sent the growing matrix, returns how it ended; None is `Ending()`."""


class Schedule(Protocol):
    """Chooses which pairs are asked. It knows nothing of texts but how long they are.

    One with an attribute ``distinct = True`` is told of candidates with the same text as of one.
    """

    def rounds(self, lengths: Sequence[int]) -> Rounds:
        """Plan the comparisons of one task.

        Args:
            lengths: one a candidate, the number of characters of its text.

        Yields:
            The next round. What is sent back is the matrix float32[N, N] of all answers so far,
            NaN where not asked or not answerable.

        Returns:
            How it ended; None is `Ending()`.
        """
        ...
