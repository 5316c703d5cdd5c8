"""Blending: rank the answers, fuse the best, keep the fused text only if it is better.

`blend_flow` is the whole algorithm. It asks for three things - a ranking, a fused text, a duel of
two texts - and never does them itself; `Blender` does, for many tasks at once, sync or async.
"""

from __future__ import annotations

from collections.abc import (
    AsyncGenerator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
    Sequence,
)
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from dataclasses import dataclass
from typing import Any, TypeVar

from blender_core.candidates import Answers, Candidate, Task, checked_all, name_of
from blender_core.checks import positive
from blender_core.errors import InputError, describe
from blender_core.flows import Course, lockstep
from blender_core.fusion.flow import fusing_flow
from blender_core.fusion.fuser import Fuser
from blender_core.fusion.gate import reason_not_to_fuse, says_nothing, verdict_on
from blender_core.fusion.streaming import Seen, Writing
from blender_core.outcomes import Blend, Ranking, Verdict
from blender_core.ranking.ranker import Duel, Ranker

Q = TypeVar("Q")
A = TypeVar("A")

__all__ = ["BlendFlow", "Blender", "FuseRequest", "RankRequest", "blend_flow"]


@dataclass(frozen=True, slots=True)
class RankRequest:
    """Rank the candidates of this task; the reply is a `Ranking`."""

    task: Task


@dataclass(frozen=True, slots=True)
class FuseRequest:
    """Fuse the candidates of this task, best first.

    The reply is a str (`Seen`, if a reader has seen some of it) or the Exception raised.
    """

    task: Task


BlendRequest = RankRequest | FuseRequest | Duel
"""What a blend asks for; the reply to a `Duel` is its two logits (see `Ranker.duel_many`), or the
Exception raised."""

BlendFlow = Generator[BlendRequest, Any, Blend]


def blend_flow(task: Task, *, top_k: int, verify: bool, can_fuse: bool, fuse: bool) -> BlendFlow:
    """Blend one task.

    Args:
        task: the question and its answers.
        top_k: how many of the best answers are fused.
        verify: whether the fused text must beat the top answer in both orders to be kept.
        can_fuse: whether there is a fuser.
        fuse: whether the caller wants fusing.

    Yields:
        Requests, each to be answered with what it says.
    """
    ranking: Ranking = yield RankRequest(task)
    best = ranking.top(top_k)
    names = tuple(name_of(task.candidates, index) for index in ranking.order[:top_k])

    def pick(verdict: Verdict) -> Blend:
        return Blend(ranking.best.text, False, ranking, names[:1], verdict)

    reason = reason_not_to_fuse(best, can_fuse=can_fuse, asked=fuse)
    if reason is not None:
        return pick(Verdict(reason))
    fused: str | Exception = yield FuseRequest(task.with_candidates(best))
    if isinstance(fused, Exception):
        return pick(Verdict("fusing failed", error=describe(fused)))
    reason = None if isinstance(fused, Seen) else says_nothing(fused, ranking.best)
    if reason is not None:
        return pick(Verdict(reason, rejected=fused))
    if not verify:
        kept = Verdict("fused text kept without a check")
        return Blend(str(fused), True, ranking, names, kept)
    logits: tuple[float, float] | Exception = yield Duel(task, Candidate(fused), ranking.best)
    verdict = verdict_on(fused, logits)
    if verdict.reason == "fused text won":
        return Blend(fused, True, ranking, names, verdict)
    return pick(verdict)


class Blender:
    """One answer from many.

    Args:
        ranker: orders the answers.
        fuser: writes one from the best; None returns the best as it is.
        top_k: how many of the best are fused.
        verify: whether a fused text must beat the top answer in both orders by the ranker;
            otherwise the top answer is returned. Turn off only if you judge the fused text
            yourself.

    Raises:
        InputError: `top_k` is not positive, or ranker or fuser are none.

    >>> from blender_core import PairRanker
    >>> from blender_core.testing import ScriptedComparator, ScriptedFuser
    >>> ranker = PairRanker(ScriptedComparator({"4": 1.0, "5": 0.0, "It is 4.": 2.0}))
    >>> blend = Blender(ranker, ScriptedFuser("It is 4.")).blend("What is 2 + 2?", ["5", "4"])
    >>> blend.text, blend.fused, blend.sources, blend.verdict.reason
    ('It is 4.', True, ('answer 1', 'answer 0'), 'fused text won')
    """

    def __init__(
        self, ranker: Ranker, fuser: Fuser | None = None, *, top_k: int = 3, verify: bool = True
    ) -> None:
        if not isinstance(ranker, Ranker):
            raise InputError(f"ranker must be a Ranker, got {type(ranker).__name__}")
        if fuser is not None and not isinstance(fuser, Fuser):
            raise InputError(f"fuser must be a Fuser or None, got {type(fuser).__name__}")
        self.ranker = ranker
        self.fuser = fuser
        self.top_k = positive("top_k", top_k)
        self.verify = verify

    def blend(self, instruction: str, candidates: Answers, *, fuse: bool = True) -> Blend:
        """Blend the answers to one question; `fuse=False` only picks the best."""
        return self.blend_many([Task(instruction, candidates)], fuse=fuse)[0]

    async def ablend(self, instruction: str, candidates: Answers, *, fuse: bool = True) -> Blend:
        """Like `blend`, without blocking the event loop."""
        return (await self.ablend_many([Task(instruction, candidates)], fuse=fuse))[0]

    def blend_many(
        self, tasks: Iterable[Task], *, fuse: bool = True, show_progress: bool = False
    ) -> list[Blend]:
        """Blend many tasks: all are ranked together, then fused together, then checked.

        A fuser that fails costs the fusing, not the answer: the verdict says what it raised.

        Args:
            tasks: each may have its own number of candidates.
            fuse: False only picks the best.
            show_progress: whether to draw bars on stderr.

        Raises:
            InputError: a task is none.
            ModelOutputError: the ranker's model answered with something that is no number.
        """
        course = Course(_batches(self._flows(tasks, fuse=fuse)))
        while not course.done:
            course.reply(self._answer(course.request, show_progress=show_progress))
        return course.result

    async def ablend_many(self, tasks: Iterable[Task], *, fuse: bool = True) -> list[Blend]:
        """Like `blend_many`, without blocking the event loop."""
        course = Course(_batches(self._flows(tasks, fuse=fuse)))
        while not course.done:
            course.reply(await self._aanswer(course.request))
        return course.result

    def stream(
        self, instruction: str, candidates: Answers, *, fuse: bool = True
    ) -> Iterator[str | Blend]:
        """Blend the answers to one question; yields pieces of the text, and the `Blend` at last.

        A fused text is passed on while it is written, where `verify` is off; one that begins like
        a refusal, when it has gone on to say something. With `verify` it is known only after the
        check whether it is the answer, and a picked answer is whole from the start: then there are
        no pieces, and the text is the blend's.

        Raises:
            Exception: what a fuser raises after its first piece: what was yielded cannot be taken
                back. Before it, as in `blend_many`, the best answer is the text.
        """
        course = Course(self._flow(Task(instruction, candidates), fuse=fuse))
        while not course.done:
            request = course.request
            if isinstance(request, FuseRequest) and not self.verify:
                writing = Writing()
                asked = (request.task.source, request.task.candidates)
                try:
                    for piece in self._fuser().stream(*asked):
                        yield from writing.take(piece)
                except Exception as error:  # noqa: BLE001  (costs the fusing, if nothing is out yet)
                    course.reply(writing.failed(error))
                else:
                    course.reply(writing.written)
            else:
                course.reply(self._answer((type(request), [request]), show_progress=False)[0])
        yield course.result

    async def astream(
        self, instruction: str, candidates: Answers, *, fuse: bool = True
    ) -> AsyncGenerator[str | Blend, None]:
        """Like `stream`, without blocking the event loop."""
        course = Course(self._flow(Task(instruction, candidates), fuse=fuse))
        while not course.done:
            request = course.request
            if isinstance(request, FuseRequest) and not self.verify:
                writing = Writing()
                asked = (request.task.source, request.task.candidates)
                try:
                    written: Any = self._fuser().astream(*asked)
                    async with _closing(written):
                        async for piece in written:
                            for ready in writing.take(piece):
                                yield ready
                except Exception as error:  # noqa: BLE001  (as above)
                    course.reply(writing.failed(error))
                else:
                    course.reply(writing.written)
            else:
                course.reply((await self._aanswer((type(request), [request])))[0])
        yield course.result

    def _flow(self, task: Task, *, fuse: bool) -> BlendFlow:
        return blend_flow(
            task,
            top_k=self.top_k,
            verify=self.verify,
            can_fuse=self.fuser is not None,
            fuse=fuse,
        )

    def _flows(self, tasks: Iterable[Task], *, fuse: bool) -> Iterator[BlendFlow]:
        return (self._flow(task, fuse=fuse) for task in checked_all(tasks))

    def _answer(self, batch: Batch, *, show_progress: bool) -> Sequence[Any]:
        kind, requests = batch
        if kind is Duel:
            return _each(_tried(self.ranker.duel_many, requests), len(requests))
        tasks = [request.task for request in requests]
        if kind is RankRequest:
            # Asked for only where it is wanted: a user's ranker may know nothing of bars.
            return self.ranker.rank_many(
                tasks, **({"show_progress": True} if show_progress else {})
            )
        fusing = Course(fusing_flow(tasks))
        while not fusing.done:
            fusing.reply(_tried(self._fuser().fuse_many, fusing.request))
        return fusing.result

    async def _aanswer(self, batch: Batch) -> Sequence[Any]:
        kind, requests = batch
        if kind is Duel:
            return _each(await _atried(self.ranker.aduel_many, requests), len(requests))
        tasks = [request.task for request in requests]
        if kind is RankRequest:
            return await self.ranker.arank_many(tasks)
        fusing = Course(fusing_flow(tasks))
        while not fusing.done:
            fusing.reply(await _atried(self._fuser().afuse_many, fusing.request))
        return fusing.result

    def _fuser(self) -> Fuser:
        if self.fuser is None:
            raise InputError("there is no fuser")
        return self.fuser


def _tried(work: Callable[[list[Q]], list[A]], items: list[Q]) -> list[A] | Exception:
    try:
        return work(items)
    except Exception as error:  # noqa: BLE001  (fusing or checking that fails costs the fused text only)
        return error


async def _atried(
    work: Callable[[list[Q]], Awaitable[list[A]]], items: list[Q]
) -> list[A] | Exception:
    try:
        return await work(items)
    except Exception as error:  # noqa: BLE001  (as above)
        return error


def _each(results: list[A] | Exception, count: int) -> Sequence[A | Exception]:
    """The results, or what was raised in place of each."""
    return [results] * count if isinstance(results, Exception) else results


def _closing(pieces: Any) -> AbstractAsyncContextManager[Any]:
    """Closes what can be closed, also where reading ends early."""
    return aclosing(pieces) if hasattr(pieces, "aclose") else nullcontext()


Batch = tuple[type, list[Any]]
"""Requests of one kind, and the kind."""


def _batches(flows: Iterable[BlendFlow]) -> Generator[Batch, Sequence[Any], list[Blend]]:
    """Many blends in lockstep, their requests sorted by kind so that each kind is one call."""
    steps = Course(lockstep(flows))
    while not steps.done:
        requests = steps.request
        replies: dict[int, Any] = {}
        for kind in (RankRequest, FuseRequest, Duel):
            places = [i for i, request in enumerate(requests) if isinstance(request, kind)]
            if places:
                answers = yield kind, [requests[place] for place in places]
                replies.update(zip(places, answers, strict=True))
        steps.reply([replies[place] for place in range(len(requests))])
    return steps.result
