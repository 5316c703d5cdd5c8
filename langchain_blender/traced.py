"""A ranker and a fuser each of whose answers is a step of a blend, seen in its trace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from typing import Any

from blender_core.candidates import Answers, Task, name_of
from blender_core.fusion.fuser import Fuser
from blender_core.outcomes import Ranking
from blender_core.ranking.ranker import Duel, Ranker
from blender_core.ranking.shipped import shared
from langchain_blender.tracing import Steps

__all__ = ["TracedFuser", "TracedRanker"]


class TracedRanker(Ranker):
    """A ranker each of whose answers is a step of a blend."""

    def __init__(self, ranker: Ranker | None, steps: Steps) -> None:
        self._ranker = shared(ranker)
        self._steps = steps

    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:  # noqa: ARG002 - a bar is no run
        """Rank, as the step ``rank``."""
        asked = list(tasks)
        return self._steps.run("rank", _tasks(asked), lambda: self._ranker.rank_many(asked), _told)

    async def arank_many(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Like `rank_many`."""
        asked = list(tasks)
        return await self._steps.arun(
            "rank", _tasks(asked), lambda: self._ranker.arank_many(asked), _told
        )

    def duel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        """Compare, as the step ``verify``."""
        return self._steps.run(
            "verify", _duels(duels), lambda: self._ranker.duel_many(duels), _logits
        )

    async def aduel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        """Like `duel_many`."""
        return await self._steps.arun(
            "verify", _duels(duels), lambda: self._ranker.aduel_many(duels), _logits
        )


class TracedFuser(Fuser):
    """A fuser each of whose texts is a step of a blend."""

    def __init__(self, fuser: Fuser, steps: Steps) -> None:
        self._fuser = fuser
        self._steps = steps

    def fuse_many(self, tasks: Sequence[Task]) -> list[str]:
        """Fuse, as the step ``fuse``."""
        return self._steps.run("fuse", _tasks(tasks), lambda: self._fuser.fuse_many(tasks), list)

    async def afuse_many(self, tasks: Sequence[Task]) -> list[str]:
        """Like `fuse_many`."""
        return await self._steps.arun(
            "fuse", _tasks(tasks), lambda: self._fuser.afuse_many(tasks), list
        )

    def stream(self, instruction: str, candidates: Answers) -> Iterator[str]:
        """Write, as the step ``fuse``."""
        task = Task(instruction, candidates)
        return self._steps.stream(
            "fuse", _tasks([task]), lambda: self._fuser.stream(instruction, task.candidates)
        )

    def astream(self, instruction: str, candidates: Answers) -> AsyncIterator[str]:
        """Like `stream`."""
        task = Task(instruction, candidates)
        return self._steps.astream(
            "fuse", _tasks([task]), lambda: self._fuser.astream(instruction, task.candidates)
        )


def _tasks(tasks: Sequence[Task]) -> Any:
    """Tasks as a trace shows them; a blend has one."""
    shown = [
        {
            "question": task.source,
            "answers": {
                name_of(task.candidates, place): candidate.text
                for place, candidate in enumerate(task.candidates)
            },
        }
        for task in tasks
    ]
    return shown[0] if len(shown) == 1 else shown


def _told(rankings: list[Ranking]) -> Any:
    shown = [
        {
            "order": [name_of(r.candidates, place) for place in r.order],
            "scores": {name_of(r.candidates, i): score for i, score in enumerate(r.scores)},
            "passes": r.passes,
        }
        for r in rankings
    ]
    return shown[0] if len(shown) == 1 else shown


def _duels(duels: Sequence[Duel]) -> Any:
    return [
        {"question": d.task.source, "challenger": d.challenger.text, "incumbent": d.incumbent.text}
        for d in duels
    ]


def _logits(duels: list[tuple[float, float]]) -> Any:
    return [{"challenger_first": first, "challenger_second": second} for first, second in duels]
