"""A ranker that ranks a task once: who asks again, or for a blend, is told what is known."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from blender_core.candidates import Task
from blender_core.outcomes import Ranking
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.wrapper import RankerWrapper

__all__ = ["KnownRanker"]


class KnownRanker(RankerWrapper):
    """Gives known rankings, and asks another ranker for all else, once.

    Args:
        ranker: the other one.
        known: rankings by task.
    """

    def __init__(self, ranker: Ranker, known: Mapping[Task, Ranking]) -> None:
        super().__init__(ranker)
        self._known = dict(known)

    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:
        """Rank many tasks."""
        wanted = list(tasks)
        unknown = list(dict.fromkeys(task for task in wanted if task not in self._known))
        if unknown:
            found = super().rank_many(unknown, show_progress=show_progress)
            self._known.update(zip(unknown, found, strict=True))
        return [self._known[task] for task in wanted]

    async def arank_many(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Like `rank_many`, without blocking the event loop."""
        return await asyncio.to_thread(self.rank_many, tasks)
