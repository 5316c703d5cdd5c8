"""InOrder: a ranker for what is ranked already."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from blender_core.candidates import Task
from blender_core.outcomes import Ranking
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.ranker import Duel, Ranker

__all__ = ["InOrder"]


class InOrder(Ranker):
    """Takes candidates as they come, best first; another ranker fights its duels."""

    def __init__(self, ranker: Ranker) -> None:
        self._ranker = ranker

    def rank_many(
        self,
        tasks: Iterable[Task],
        *,
        show_progress: bool = False,  # noqa: ARG002 - there is nothing to wait for
    ) -> list[Ranking]:
        """The tasks' own orders."""
        return [_in_order(task) for task in tasks]

    async def arank_many(self, tasks: Iterable[Task]) -> list[Ranking]:
        """The tasks' own orders."""
        return self.rank_many(tasks)

    def duel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        """The other ranker's duels."""
        return self._ranker.duel_many(duels)

    async def aduel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        """The other ranker's duels."""
        return await self._ranker.aduel_many(duels)


def _in_order(task: Task) -> Ranking:
    import numpy as np

    scores = [-float(place) for place in range(len(task.candidates))]
    order, ranks = order_and_ranks(scores)
    column = np.array(scores, np.float32)
    matrix = column[:, None] - column[None, :]
    return Ranking(task.candidates, order, ranks, tuple(scores), matrix, passes=0)
