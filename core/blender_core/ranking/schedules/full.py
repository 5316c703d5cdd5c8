"""All ordered pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blender_core.ranking.schedules.schedule import Rounds

__all__ = ["Full"]


@dataclass(frozen=True, slots=True)
class Full:
    """All N(N - 1) ordered pairs in one round (LLM-Blender's `rank`)."""

    def rounds(self, lengths: Sequence[int]) -> Rounds:
        """See `Schedule.rounds`."""
        places = range(len(lengths))
        pairs = [(first, second) for first in places for second in places if first != second]
        if pairs:
            yield pairs
        return None
