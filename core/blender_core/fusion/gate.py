"""The gate: whether to fuse at all, and whether a fused text is kept.

Fusing can make an answer worse; the gate never lets it. (Jiang et al. 2023 fuse always; that
repeated or forced fusing hurts is a finding of later work on mixtures of agents.)

A `Draft` is a blend in the making. It goes through three steps, `ranked`, `fused` and `compared`;
each takes drafts and what a model said of them, and asks no model itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import isnan
from typing import SupportsFloat

from blender_core.belief.calibrator import Calibrator
from blender_core.candidates import Candidate, Task, name_of
from blender_core.comparison.nonanswers import surely_nothing
from blender_core.errors import describe
from blender_core.fusion.streaming import Seen
from blender_core.outcomes import Blend, Ranking, Verdict, VerdictReason
from blender_core.ranking.ranker import Duel

__all__ = ["Draft", "beats", "compared", "fused", "ranked", "to_compare", "to_fuse"]


@dataclass(frozen=True, slots=True)
class Draft:
    """A blend in the making.

    Attributes:
        task: the question and its answers.
        ranking: of the answers.
        top_k: how many of the best answers are fused.
        text: what the fuser wrote, once it has.
        verdict: what became of fusing, once that is decided.
    """

    task: Task
    ranking: Ranking
    top_k: int
    text: str | None = None
    verdict: Verdict | None = None

    @property
    def is_to_be_fused(self) -> bool:
        """Whether the fuser is to write a text."""
        return self.verdict is None and self.text is None

    @property
    def is_to_be_compared(self) -> bool:
        """Whether its text is to be compared with the best answer."""
        return self.verdict is None and self.text is not None

    @property
    def blend(self) -> Blend:
        """The blend, once the verdict is there."""
        if self.verdict is None:
            raise RuntimeError("what is not decided yet is no blend")
        names = [name_of(self.task.candidates, i) for i in self.ranking.order[: self.top_k]]
        if self.text is not None and self.verdict.rejected is None:
            return Blend(str(self.text), True, self.ranking, tuple(names), self.verdict)
        return Blend(self.ranking.best.text, False, self.ranking, (names[0],), self.verdict)


def ranked(
    tasks: Iterable[Task], rankings: Iterable[Ranking], *, top_k: int, can_fuse: bool, asked: bool
) -> list[Draft]:
    """Drafts of tasks that were ranked.

    Args:
        tasks: questions with answers.
        rankings: one a task.
        top_k: how many of the best answers are fused.
        can_fuse: whether there is a fuser.
        asked: whether the caller wants fusing.
    """
    drafts = []
    for task, ranking in zip(tasks, rankings, strict=True):
        reason = _reason_not_to_fuse(ranking.top(top_k), can_fuse=can_fuse, asked=asked)
        verdict = None if reason is None else Verdict(reason)
        drafts.append(Draft(task, ranking, top_k, verdict=verdict))
    return drafts


def to_fuse(drafts: Sequence[Draft]) -> list[Task]:
    """What the fuser is to fuse: tasks with the best answers alone, best first."""
    return [
        draft.task.with_candidates(draft.ranking.top(draft.top_k))
        for draft in drafts
        if draft.is_to_be_fused
    ]


def fused(
    drafts: Sequence[Draft], texts: Iterable[str | Exception], *, verify: bool
) -> list[Draft]:
    """The drafts after fusing.

    Args:
        drafts: after ranking.
        texts: for each task of `to_fuse` what the fuser wrote, or raised.
        verify: whether a text is compared before it is kept.
    """
    given = iter(texts)
    return [
        _with_text(draft, next(given), verify=verify) if draft.is_to_be_fused else draft
        for draft in drafts
    ]


def to_compare(drafts: Sequence[Draft]) -> list[Duel]:
    """The fused texts, each against the best answer."""
    return [
        Duel(draft.task, Candidate(draft.text or ""), draft.ranking.best)
        for draft in drafts
        if draft.is_to_be_compared
    ]


def compared(
    drafts: Sequence[Draft],
    logits: Iterable[tuple[float, float] | Exception],
    *,
    confidence: float,
    calibrator: Calibrator | None,
) -> list[Draft]:
    """The drafts after comparing: all of them are blends.

    Args:
        drafts: after fusing.
        logits: for each duel of `to_compare` its two logits, or what the ranker raised.
        confidence: how probable it must be that a fused text is better.
        calibrator: the ranker's, if it has one; without it, a margin is a logit.
    """
    calibrate = (calibrator or Calibrator(1.0)).probability
    given = iter(logits)
    return [
        replace(draft, verdict=_verdict_on(draft.text or "", next(given), confidence, calibrate))
        if draft.is_to_be_compared
        else draft
        for draft in drafts
    ]


def beats(fused_first: float, fused_second: float) -> bool:
    """Whether the fused text won in both orders.

    Args:
        fused_first: logit with the fused text shown first, > 0 where it is better.
        fused_second: logit with the fused text shown second, < 0 where it is better.

    A NaN, a comparison that failed, is no win.
    """
    return fused_first > 0 > fused_second


def _reason_not_to_fuse(
    best: tuple[Candidate, ...], *, can_fuse: bool, asked: bool
) -> VerdictReason | None:
    if not asked:
        return "not asked to fuse"
    if not can_fuse:
        return "no fuser"
    if len(best) == 1:
        return "one answer to fuse"
    if len({candidate.text for candidate in best}) == 1:
        return "the best answers are the same"
    return None


def _with_text(draft: Draft, text: str | Exception, *, verify: bool) -> Draft:
    if isinstance(text, Exception):
        return replace(draft, verdict=Verdict("fusing failed", error=describe(text)))
    # What a reader has seen cannot be taken back.
    reason = None if isinstance(text, Seen) else _says_nothing(text, draft.ranking.best)
    if reason is not None:
        return replace(draft, text=text, verdict=Verdict(reason, rejected=text))
    kept = None if verify else Verdict("fused text kept without a check")
    return replace(draft, text=text, verdict=kept)


def _says_nothing(text: str, best: Candidate) -> VerdictReason | None:
    """Why a fused text is not even compared. Where the best answer says nothing, it may, too."""
    if not text.strip():
        return "fused text is empty"
    if surely_nothing(text) and not surely_nothing(best.text):
        return "fused text answers nothing"
    return None


def _verdict_on(
    text: str,
    logits: tuple[float, float] | Exception,
    confidence: float,
    calibrate: Callable[[float], SupportsFloat],
) -> Verdict:
    if isinstance(logits, Exception):
        return Verdict("fused text could not be compared", rejected=text, error=describe(logits))
    if any(map(isnan, logits)):
        return Verdict("fused text could not be compared", *logits, rejected=text)
    first, second = logits
    probability = float(calibrate((first - second) / 2.0))
    if not beats(first, second):
        return Verdict("fused text lost", first, second, probability, rejected=text)
    if probability < confidence:
        return Verdict("fused text won too narrowly", first, second, probability, rejected=text)
    return Verdict("fused text won", first, second, probability)
