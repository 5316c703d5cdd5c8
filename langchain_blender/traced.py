"""A ranker and a fuser each of whose answers is a step of a blend, seen in its trace."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing
from typing import Any

from blender_core.candidates import Answers, Task, name_of
from blender_core.errors import InputError, MemberTimeoutError, ModelOutputError
from blender_core.fusion.fuser import Fuser
from blender_core.limits import Deadline, apieces_within, awithin, pieces_within, within
from blender_core.outcomes import Ranking
from blender_core.ranking.ranker import Duel, Ranker
from blender_core.ranking.shipped import shared
from blender_core.ranking.unranked import unranked
from blender_core.ranking.wrapper import Method, RankerWrapper
from langchain_blender.chat_fuser import ChatFuser
from langchain_blender.control_flow import passing
from langchain_blender.form import Form
from langchain_blender.tracing import Steps

__all__ = ["TracedFuser", "TracedRanker"]

logger = logging.getLogger(__name__)

NONE = Deadline(None)
"""No limit."""


class TracedRanker(RankerWrapper):
    """A ranker each of whose answers is a step of a blend: ``rank`` or ``verify``.

    Args:
        ranker: the other one.
        steps: of the blend.
        deadline: of the blend. Where ranking is not done in time, the answers stay in their order.
    """

    def __init__(self, ranker: Ranker | None, steps: Steps, deadline: Deadline = NONE) -> None:
        super().__init__(shared(ranker))
        self._steps = steps
        self._deadline = deadline

    def _ask(self, method: Method, items: list[Any]) -> list[Any]:
        ask = super()._ask

        def work() -> list[Any]:
            try:
                with passing():
                    return within(self._left(method), "ranking", lambda: ask(method, items))
            except MemberTimeoutError as error:
                return _in_order(method, items, error)

        return self._steps.run(*_shown(method, items), work, _SHOWN[method])

    async def _aask(self, method: Method, items: list[Any]) -> list[Any]:
        ask = super()._aask

        async def work() -> list[Any]:
            try:
                with passing():
                    left = self._left(method)
                    return await awithin(left, "ranking", lambda: ask(method, items))
            except MemberTimeoutError as error:
                return _in_order(method, items, error)

        return await self._steps.arun(*_shown(method, items), work, _SHOWN[method])

    def _left(self, method: Method) -> float | None:
        # Members may have used up all the time; their answers are ranked nevertheless.
        return self._deadline.left(at_least=0.0 if method == "duel_many" else 0.25)


class TracedFuser(Fuser):
    """A fuser each of whose texts is a step of a blend, in time and in the form that is wanted.

    Args:
        fuser: the other one.
        steps: of the blend.
        deadline: of the blend.
        seconds: that fusing may take, None for as long as the deadline allows.
        form: what the call wants of the text's form. What is too long is cut; with what cannot be
            helped, fusing has failed.
    """

    def __init__(
        self,
        fuser: Fuser,
        steps: Steps,
        deadline: Deadline = NONE,
        *,
        seconds: float | None = None,
        form: Form | None = None,
    ) -> None:
        self._fuser = fuser
        self._steps = steps
        self._deadline = deadline
        self._seconds = seconds
        self._form = Form() if form is None else form

    def fuse_many(self, tasks: Sequence[Task]) -> list[str]:
        """Fuse, as the step ``fuse``."""

        def work() -> list[str]:
            with passing():
                self._check()
                texts = within(self._left(), "fusing", lambda: self._fuser.fuse_many(tasks))
                return self._formed(texts)

        return self._steps.run("fuse", _tasks(tasks), work, list)

    async def afuse_many(self, tasks: Sequence[Task]) -> list[str]:
        """Like `fuse_many`."""

        async def work() -> list[str]:
            with passing():
                self._check()
                left = self._left()
                texts = await awithin(left, "fusing", lambda: self._fuser.afuse_many(tasks))
                return self._formed(texts)

        return await self._steps.arun("fuse", _tasks(tasks), work, list)

    def stream(self, instruction: str, candidates: Answers) -> Iterator[str]:
        """Write, as the step ``fuse``; a text of a certain form comes as one piece."""
        task = Task(instruction, candidates)
        if not self._form.is_free:
            yield from self.fuse_many([task])
            return
        self._check()

        def pieces() -> Iterator[str]:
            return pieces_within(
                self._left(), "fusing", lambda: self._fuser.stream(instruction, task.candidates)
            )

        yield from self._steps.stream("fuse", _tasks([task]), pieces)

    async def astream(self, instruction: str, candidates: Answers) -> AsyncIterator[str]:
        """Like `stream`."""
        task = Task(instruction, candidates)
        if not self._form.is_free:
            for text in await self.afuse_many([task]):
                yield text
            return
        self._check()

        def pieces() -> AsyncIterator[str]:
            return apieces_within(
                self._left(), "fusing", lambda: self._fuser.astream(instruction, task.candidates)
            )

        stream: Any = self._steps.astream("fuse", _tasks([task]), pieces)
        async with aclosing(stream):
            async for piece in stream:
                yield piece

    def _left(self) -> float | None:
        return self._deadline.left(self._seconds)

    def _check(self) -> None:
        if self._form.is_limited and not isinstance(self._fuser, ChatFuser):
            raise InputError(
                f"{type(self._fuser).__name__} cannot keep to the tokens that the call allows"
            )

    def _formed(self, texts: Any) -> list[str]:
        """The texts in the form that is wanted; what is no text is left to the gate."""
        if self._form.is_free:
            return texts  # type: ignore[no-any-return]
        cut = [self._form.cut(text) if isinstance(text, str) else text for text in texts]
        for text in cut:
            if isinstance(text, str) and (wrong := self._form.wrong(text)):
                raise ModelOutputError(f"the fused text {wrong}")
        return cut


def _in_order(method: Method, items: list[Any], error: MemberTimeoutError) -> list[Any]:
    """Rankings of which nothing is known but that there was no time."""
    if method == "duel_many":
        raise error
    logger.warning("%s: the answers are not ranked", error)
    return [unranked(task) for task in items]


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
