"""A knockout: the best answer for 2(N - 1) passes in log2(N) rounds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from blender_core.ranking.matrix import margins
from blender_core.ranking.schedules.schedule import Ending, Rounds

__all__ = ["Knockout"]


@dataclass(frozen=True, slots=True)
class Knockout:
    """Neighbours meet, the loser leaves; both orders make a match, a tie keeps the earlier one.

    Same number of passes as a bubble pass, but all matches of a round are asked together. The
    winner is the best; the scores order the others. Without randomness: neighbours in the input
    meet. With an odd number the last one waits for the next round.
    """

    def rounds(self, lengths: Sequence[int]) -> Rounds:
        """See `Schedule.rounds`."""
        standing = list(range(len(lengths)))
        while len(standing) > 1:
            matches = list(zip(standing[::2], standing[1::2], strict=False))
            matrix = yield [pair for a, b in matches for pair in ((a, b), (b, a))]
            margin = margins(matrix)
            losers = {a if margin[a, b] < 0 else b for a, b in matches}
            standing = [index for index in standing if index not in losers]
        return Ending([0 if index in standing else 1 for index in range(len(lengths))])
