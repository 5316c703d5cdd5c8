"""Blending: rank the answers, fuse the best, keep the fused text only if it is better."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, nullcontext
from typing import Any

from blender_core import checks
from blender_core.candidates import Answers, Task, checked_all
from blender_core.conversations import Asked
from blender_core.errors import InputError
from blender_core.fusion.fuser import Fuser, texts_of
from blender_core.fusion.gate import Draft, compared, fused, ranked, to_compare, to_fuse
from blender_core.fusion.streaming import Writing
from blender_core.outcomes import Blend, Ranking
from blender_core.progress import bars_drawn
from blender_core.ranking.ranker import Duel, Ranker
from blender_core.together import atogether, together

__all__ = ["Blender"]

_CONFIDENCE = 0.55
"""How probable it must be that a fused text is better, where nothing is said about it."""

_PATIENCE = 3
"""After so many failures in a row the fuser is not asked any more."""


class Blender:
    """One answer from many.

    Args:
        ranker: orders the answers.
        fuser: writes one from the best; None returns the best as it is.
        top_k: how many of the best are fused.
        verify: whether a fused text must beat the top answer in both orders by the ranker;
            otherwise the top answer is returned. Turn off only if you judge the fused text
            yourself.
        confidence: how probable it must be that a fused text is better (`Verdict.probability`),
            0.5 to below 1: one that wins by next to nothing is a coin toss, and costs the answer
            that a member gave. None is 0.55 where the ranker is calibrated; where it is not, what
            wins in both orders is kept.

    Raises:
        InputError: `top_k` is not positive, `confidence` is out of range, or ranker or fuser are
            of another type.

    >>> from blender_core import PairRanker
    >>> from blender_core.testing import ScriptedComparator, ScriptedFuser
    >>> ranker = PairRanker(ScriptedComparator({"4": 1.0, "5": 0.0, "It is 4.": 2.0}))
    >>> blend = Blender(ranker, ScriptedFuser("It is 4.")).blend("What is 2 + 2?", ["5", "4"])
    >>> blend.text, blend.fused, blend.sources, blend.verdict.reason
    ('It is 4.', True, ('answer 1', 'answer 0'), 'fused text won')
    """

    def __init__(
        self,
        ranker: Ranker,
        fuser: Fuser | None = None,
        *,
        top_k: int = 3,
        verify: bool = True,
        confidence: float | None = None,
    ) -> None:
        if not isinstance(ranker, Ranker):
            raise InputError(f"ranker must be a Ranker, got {type(ranker).__name__}")
        if fuser is not None and not isinstance(fuser, Fuser):
            raise InputError(f"fuser must be a Fuser or None, got {type(fuser).__name__}")
        self.ranker = ranker
        self.fuser = fuser
        self.top_k = checks.positive("top_k", top_k)
        self.verify = verify
        if confidence is not None:
            checks.probability("confidence", confidence, least=0.5)
        self.confidence = confidence

    def blend(self, instruction: Asked, candidates: Answers, *, fuse: bool = True) -> Blend:
        """Blend the answers to one question; `fuse=False` only picks the best."""
        return self.blend_many([Task(instruction, candidates)], fuse=fuse)[0]

    async def ablend(self, instruction: Asked, candidates: Answers, *, fuse: bool = True) -> Blend:
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
        asked = list(checked_all(tasks))
        with bars_drawn(show_progress):
            drafts = self._drafts(asked, self.ranker.rank_many(asked), fuse=fuse)
            drafts = fused(drafts, self._fuse(to_fuse(drafts)), verify=self.verify)
            drafts = self._judged(drafts, self._compare(to_compare(drafts)))
        return [draft.blend for draft in drafts]

    async def ablend_many(self, tasks: Iterable[Task], *, fuse: bool = True) -> list[Blend]:
        """Like `blend_many`, without blocking the event loop."""
        asked = list(checked_all(tasks))
        drafts = self._drafts(asked, await self.ranker.arank_many(asked), fuse=fuse)
        drafts = fused(drafts, await self._afuse(to_fuse(drafts)), verify=self.verify)
        drafts = self._judged(drafts, await self._acompare(to_compare(drafts)))
        return [draft.blend for draft in drafts]

    def stream(
        self, instruction: Asked, candidates: Answers, *, fuse: bool = True
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
        tasks = [Task(instruction, candidates)]
        drafts = self._drafts(tasks, self.ranker.rank_many(tasks), fuse=fuse)
        texts: list[str | Exception] = []
        for task in to_fuse(drafts):
            if self.verify or self.fuser is None:
                texts = self._fuse([task])
                continue
            writing = Writing()
            try:
                for piece in self.fuser.stream(task.source, task.candidates):
                    yield from writing.take(piece)
            except Exception as error:  # noqa: BLE001  (costs the fusing, if nothing is out yet)
                texts = [writing.failed(error)]
            else:
                texts = [writing.written]
        drafts = fused(drafts, texts, verify=self.verify)
        drafts = self._judged(drafts, self._compare(to_compare(drafts)))
        yield drafts[0].blend

    async def astream(
        self, instruction: Asked, candidates: Answers, *, fuse: bool = True
    ) -> AsyncGenerator[str | Blend, None]:
        """Like `stream`, without blocking the event loop."""
        tasks = [Task(instruction, candidates)]
        drafts = self._drafts(tasks, await self.ranker.arank_many(tasks), fuse=fuse)
        texts: list[str | Exception] = []
        for task in to_fuse(drafts):
            if self.verify or self.fuser is None:
                texts = await self._afuse([task])
                continue
            writing = Writing()
            try:
                written: Any = self.fuser.astream(task.source, task.candidates)
                async with _closing(written):
                    async for piece in written:
                        for ready in writing.take(piece):
                            yield ready
            except Exception as error:  # noqa: BLE001  (as above)
                texts = [writing.failed(error)]
            else:
                texts = [writing.written]
        drafts = fused(drafts, texts, verify=self.verify)
        drafts = self._judged(drafts, await self._acompare(to_compare(drafts)))
        yield drafts[0].blend

    def _drafts(
        self, tasks: Sequence[Task], rankings: Sequence[Ranking], *, fuse: bool
    ) -> list[Draft]:
        can_fuse = self.fuser is not None
        return ranked(tasks, rankings, top_k=self.top_k, can_fuse=can_fuse, asked=fuse)

    def _judged(
        self, drafts: Sequence[Draft], logits: Sequence[tuple[float, float] | Exception]
    ) -> list[Draft]:
        # What has compared nothing may still be loading: its calibrator would be waited for.
        has_compared = any(not isinstance(one, Exception) for one in logits)
        calibrator = self.ranker.calibrator if has_compared else None
        confidence = self.confidence
        if confidence is None:
            confidence = 0.0 if calibrator is None else _CONFIDENCE
        return compared(drafts, logits, confidence=confidence, calibrator=calibrator)

    def _fuse(self, tasks: list[Task]) -> list[str | Exception]:
        """For each task the fused text, or what the fuser raised."""

        def fuse(some: Sequence[Task]) -> list[str]:
            return texts_of(self.fuser.fuse_many(some) if self.fuser else [], len(some))

        return list(together(tasks, fuse, patience=_PATIENCE))

    async def _afuse(self, tasks: list[Task]) -> list[str | Exception]:
        async def fuse(some: Sequence[Task]) -> list[str]:
            return texts_of(await self.fuser.afuse_many(some) if self.fuser else [], len(some))

        return [text async for text in atogether(tasks, fuse, patience=_PATIENCE)]

    def _compare(self, duels: list[Duel]) -> Sequence[tuple[float, float] | Exception]:
        """For each duel its two logits, or what the ranker raised."""
        try:
            return self.ranker.duel_many(duels) if duels else []
        except Exception as error:  # noqa: BLE001  (costs the fused texts only)
            return [error] * len(duels)

    async def _acompare(self, duels: list[Duel]) -> Sequence[tuple[float, float] | Exception]:
        try:
            return await self.ranker.aduel_many(duels) if duels else []
        except Exception as error:  # noqa: BLE001  (as above)
            return [error] * len(duels)


def _closing(pieces: Any) -> AbstractAsyncContextManager[Any]:
    """Closes what can be closed, also where reading ends early."""
    return aclosing(pieces) if hasattr(pieces, "aclose") else nullcontext()
