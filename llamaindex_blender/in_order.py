"""InOrder: a ranker for what is ranked already."""

from __future__ import annotations

from collections.abc import Iterable

from blender_core.candidates import Task
from blender_core.outcomes import Ranking
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.wrapper import RankerWrapper

__all__ = ["InOrder"]


class InOrder(RankerWrapper):
    """Takes candidates as they come, best first; another ranker fights its duels."""

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


def _in_order(task: Task) -> Ranking:
    import numpy as np

    # Only the order is known: nobody tells these numbers to anyone.
    scores = [-float(place) for place in range(len(task.candidates))]
    order, ranks = order_and_ranks(scores)
    column = np.array(scores, np.float32)
    matrix = column[:, None] - column[None, :]
    return Ranking(task.candidates, order, ranks, tuple(scores), matrix, passes=0)
