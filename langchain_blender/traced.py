"""A ranker and a fuser each of whose answers is a step of a blend, seen in its trace."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from typing import Any

from blender_core.candidates import Answers, Task, name_of
from blender_core.fusion.fuser import Fuser
from blender_core.outcomes import Ranking
from blender_core.ranking.ranker import Duel, Ranker
from blender_core.ranking.shipped import shared
from blender_core.ranking.wrapper import Method, RankerWrapper
from langchain_blender.tracing import Steps

__all__ = ["TracedFuser", "TracedRanker"]


class TracedRanker(RankerWrapper):
    """A ranker each of whose answers is a step of a blend: ``rank`` or ``verify``."""

    def __init__(self, ranker: Ranker | None, steps: Steps) -> None:
        super().__init__(shared(ranker))
        self._steps = steps

    def _ask(self, method: Method, items: list[Any]) -> list[Any]:
        ask = super()._ask
        return self._steps.run(*_shown(method, items), lambda: ask(method, items), _SHOWN[method])

    async def _aask(self, method: Method, items: list[Any]) -> list[Any]:
        ask = super()._aask
        return await self._steps.arun(
            *_shown(method, items), lambda: ask(method, items), _SHOWN[method]
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


def _shown(method: Method, items: list[Any]) -> tuple[str, Any]:
    """The step's name, and what is asked as its trace shows it."""
    return ("verify", _duels(items)) if method == "duel_many" else ("rank", _tasks(items))


def _logits(duels: list[tuple[float, float]]) -> Any:
    return [{"challenger_first": first, "challenger_second": second} for first, second in duels]


_SHOWN: dict[Method, Callable[[list[Any]], Any]] = {
    "rank_many": _told,
    "rank_completely": _told,
    "duel_many": _logits,
}
"""How the answers to a question are shown."""
