"""What a schedule is."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Round", "Rounds", "Schedule"]

Round = list[tuple[int, int]]
"""Ordered index pairs (shown first, shown second) that may be asked together."""

Rounds = Generator[Round, NDArray[np.float32], Sequence[int] | None]
"""Yields rounds, is sent the growing matrix, returns tiers or None (see `Schedule.rounds`)."""


class Schedule(Protocol):
    """Chooses which pairs are asked. It knows nothing of texts but how long they are."""

    def rounds(self, lengths: Sequence[int]) -> Rounds:
        """Plan the comparisons of one task.

        Args:
            lengths: one a candidate, the number of characters of its text.

        Yields:
            The next round. What is sent back is the matrix float32[N, N] of all answers so far,
            NaN where not asked or not answerable.

        Returns:
            One tier a candidate, 0 = best, where the course of the tournament decides before the
            scores do (the survivor of a knockout is the best, whatever it scored); else None.
        """
        ...
