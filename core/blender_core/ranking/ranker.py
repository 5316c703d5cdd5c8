"""What a ranker is: it orders answers and says which of two is better."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from blender_core.candidates import Answers, Candidate, Task
from blender_core.conversations import Asked
from blender_core.outcomes import Ranking

if TYPE_CHECKING:
    from blender_core.belief.calibrator import Calibrator

__all__ = ["Duel", "Ranker"]


@dataclass(frozen=True, slots=True)
class Duel:
    """Is the challenger, a new text, better than the incumbent, one of the task's candidates?"""

    task: Task
    challenger: Candidate
    incumbent: Candidate


class Ranker(ABC):
    """Orders the candidates of tasks. A new kind implements `rank_many`; the rest follows.

    Attributes:
        calibrator: what makes probabilities of its margins, if it has one.
    """

    calibrator: Calibrator | None = None

    @property
    def waits(self) -> bool:
        """Whether it waits for a network, so that callers are best served side by side.

        One that computes has them share batches. By default: whether the kind has an
        `arank_many` of its own.
        """
        return type(self).arank_many is not Ranker.arank_many

    @abstractmethod
    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:
        """Rank many tasks, each with its own number of candidates.

        Args:
            tasks: what to rank.
            show_progress: whether to draw a bar on stderr.
        """

    async def arank_many(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Like `rank_many`, without blocking the event loop."""
        return await asyncio.to_thread(self.rank_many, tasks)

    def rank(self, instruction: Asked, candidates: Answers) -> Ranking:
        """Rank the answers to one question."""
        return self.rank_many([Task(instruction, candidates)])[0]

    async def arank(self, instruction: Asked, candidates: Answers) -> Ranking:
        """Like `rank`, without blocking the event loop."""
        return (await self.arank_many([Task(instruction, candidates)]))[0]

    def compare(self, instruction: Asked, a: Candidate | str, b: Candidate | str) -> float:
        """By how much `a` is better than `b`: mean of both orders, > 0 where `a` is better."""
        matrix = self.rank_completely([Task(instruction, [a, b])])[0].matrix
        return (float(matrix[0, 1]) - float(matrix[1, 0])) / 2.0

    def duel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        """Compare challengers with incumbents in both orders.

        Returns:
            A duel's two logits: challenger shown first (> 0: it is better) and challenger shown
            second (< 0: it is better).
        """
        return [_first_two(r) for r in self.rank_completely(map(self._duel_task, duels))]

    async def aduel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        """Like `duel_many`, without blocking the event loop."""
        return [_first_two(r) for r in await self.arank_completely(map(self._duel_task, duels))]

    def rank_completely(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Rankings whose matrices are complete, whatever `rank_many` leaves out."""
        return self.rank_many(tasks)

    async def arank_completely(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Like `rank_completely`, without blocking the event loop."""
        return await self.arank_many(tasks)

    def _duel_task(self, duel: Duel) -> Task:
        """The task whose first two candidates are challenger and incumbent."""
        return duel.task.with_candidates([duel.challenger, duel.incumbent])


def _first_two(ranking: Ranking) -> tuple[float, float]:
    return float(ranking.matrix[0, 1]), float(ranking.matrix[1, 0])
