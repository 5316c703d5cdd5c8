"""ShortlistRanker: a cheap ranker chooses whom a dear one compares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from blender_core.candidates import Task, checked_all
from blender_core.checks import positive
from blender_core.errors import InputError
from blender_core.outcomes import Ranking
from blender_core.progress import bars_drawn
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.ranker import Duel, Ranker

__all__ = ["ShortlistRanker"]


class ShortlistRanker(Ranker):
    """Ranks many candidates in two stages.

    The first ranker, one that costs little, orders them all; its best go on to the second one,
    which orders these. Those who were left out come after them, in the first ranker's order. A
    task of no more texts than go on is the second ranker's alone. Copies of a text count once, and
    go on together.

    A good answer that the first ranker misjudges is lost: ``blended-llm bench-schedules`` measures
    how often that happens.

    Args:
        first: such as a `ConsensusRanker` or a reward model in a `PointwiseRanker`.
        second: such as a `PairRanker`.
        keep: how many different texts go on.

    Raises:
        InputError: one of them is no ranker, or `keep` is no whole number of at least 1.

    >>> from blender_core import ConsensusRanker, PairRanker
    >>> from blender_core.testing import ScriptedComparator
    >>> shorter = PairRanker(ScriptedComparator(lambda pair: len(pair.second) - len(pair.first)))
    >>> ranker = ShortlistRanker(ConsensusRanker(), shorter, keep=2)
    >>> ranker.rank("Who wrote Faust?", ["Goethe wrote it", "Goethe wrote", "no"]).order
    (1, 0, 2)
    """

    def __init__(self, first: Ranker, second: Ranker, keep: int = 16) -> None:
        for name, ranker in (("first", first), ("second", second)):
            if not isinstance(ranker, Ranker):
                raise InputError(f"{name!r} must be a Ranker, got {type(ranker).__name__}")
        self.first = first
        self.second = second
        self.keep = positive("keep", keep)

    @property
    def waits(self) -> bool:
        """Whether one of its rankers waits for a network."""
        return self.first.waits or self.second.waits

    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:
        """Rank many tasks.

        `Ranking.passes` adds up both rankers'; the matrix is the second one's, NaN for whoever was
        left out (`Ranking.left_out`).

        Args:
            tasks: each may have its own number of candidates.
            show_progress: whether the rankers draw bars on stderr.

        Raises:
            InputError: a task is none.
            ModelOutputError: one of the rankers gave something that is no number.
        """
        asked = list(checked_all(tasks))
        long = [task for task in asked if self._is_long(task)]
        with bars_drawn(show_progress):
            lists = self._shortlists(asked, self.first.rank_many(long))
            seconds = self.second.rank_many([shortlist.task for shortlist in lists])
        return list(map(_Shortlist.whole, lists, seconds))

    async def arank_many(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Like `rank_many`, without blocking the event loop."""
        asked = list(checked_all(tasks))
        long = [task for task in asked if self._is_long(task)]
        lists = self._shortlists(asked, await self.first.arank_many(long))
        seconds = await self.second.arank_many([shortlist.task for shortlist in lists])
        return list(map(_Shortlist.whole, lists, seconds))

    def duel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        """The second ranker's duels."""
        return self.second.duel_many(duels)

    async def aduel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        """Like `duel_many`, without blocking the event loop."""
        return await self.second.aduel_many(duels)

    def rank_completely(self, tasks: Iterable[Task]) -> list[Ranking]:
        """The second ranker's complete rankings, of all candidates."""
        return self.second.rank_completely(tasks)

    async def arank_completely(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Like `rank_completely`, without blocking the event loop."""
        return await self.second.arank_completely(tasks)

    def _is_long(self, task: Task) -> bool:
        return len({candidate.text for candidate in task.candidates}) > self.keep

    def _shortlists(self, tasks: Sequence[Task], firsts: Iterable[Ranking]) -> list[_Shortlist]:
        """Of each task who goes on, given the first rankings of the long ones, in their order."""
        following = iter(firsts)
        return [
            _Shortlist.of(task, next(following) if self._is_long(task) else None, self.keep)
            for task in tasks
        ]


@dataclass(frozen=True, slots=True)
class _Shortlist:
    """Who goes on.

    Attributes:
        task: the question with the answers that go on, in the order they came in.
        kept: their places among all candidates.
        first: how all of them compared; None where all go on.
    """

    task: Task
    kept: list[int]
    first: Ranking | None

    @classmethod
    def of(cls, task: Task, first: Ranking | None, keep: int) -> _Shortlist:
        """The first ones of a ranking, or all."""
        if first is None:
            return cls(task, list(range(len(task.candidates))), None)
        texts = [candidate.text for candidate in task.candidates]
        on = [*dict.fromkeys(texts[place] for place in first.order)][:keep]
        kept = [place for place, text in enumerate(texts) if text in on]
        return cls(task.with_candidates([task.candidates[i] for i in kept]), kept, first)

    def whole(self, second: Ranking) -> Ranking:
        """The ranking of all candidates: those that went on, then the others."""
        if self.first is None:
            return second
        candidates = self.first.candidates
        count = len(candidates)
        out = [place for place in self.first.order if place not in set(self.kept)]
        matrix = np.full((count, count), np.nan, dtype=np.float32)
        np.fill_diagonal(matrix, 0.0)
        matrix[np.ix_(self.kept, self.kept)] = second.matrix
        matrix.setflags(write=False)
        # Scores of two rankers have no common scale: the others hang below the lowest.
        lowest, highest = min(second.scores), self.first.scores[out[0]]
        scores = [lowest - 1.0 + self.first.scores[place] - highest for place in range(count)]
        for place, score in zip(self.kept, second.scores, strict=True):
            scores[place] = score
        # Below whoever went on, in the first ranking's order; ties among those left out stay.
        keys = [float(-count - self.first.ranks[place]) for place in range(count)]
        for place, rank in zip(self.kept, second.ranks, strict=True):
            keys[place] = float(-rank)
        order, ranks = order_and_ranks(keys)
        return replace(
            second,
            candidates=candidates,
            order=order,
            ranks=ranks,
            scores=tuple(scores),
            matrix=matrix,
            passes=self.first.passes + second.passes,
            left_out=frozenset(out) | {self.kept[place] for place in second.left_out},
        )
