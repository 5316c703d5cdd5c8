"""The gate: whether to fuse at all, and whether a fused text is kept.

Fusing can make an answer worse; the gate never lets it. (Jiang et al. 2023 fuse always; that
repeated or forced fusing hurts is a finding of later work on mixtures of agents.)
"""

from __future__ import annotations

from math import isnan

from blender_core.candidates import Candidate
from blender_core.comparison.nonanswers import surely_nothing
from blender_core.errors import describe
from blender_core.outcomes import Verdict, VerdictReason

__all__ = ["beats", "reason_not_to_fuse", "says_nothing", "verdict_on"]


def reason_not_to_fuse(
    best: tuple[Candidate, ...], *, can_fuse: bool, asked: bool
) -> VerdictReason | None:
    """Why there is nothing to fuse, or None where there is.

    Args:
        best: the answers that would be fused, best first.
        can_fuse: whether there is a fuser.
        asked: whether the caller wants fusing.
    """
    if not asked:
        return "not asked to fuse"
    if not can_fuse:
        return "no fuser"
    if len(best) == 1:
        return "one answer to fuse"
    if len({candidate.text for candidate in best}) == 1:
        return "the best answers are the same"
    return None


def says_nothing(fused: str, best: Candidate) -> VerdictReason | None:
    """Why a fused text is not even compared, or None where it is.

    Args:
        fused: what the fuser wrote.
        best: the top answer. Where it answers nothing itself, the fused text may do so, too.
    """
    if not fused.strip():
        return "fused text is empty"
    if surely_nothing(fused) and not surely_nothing(best.text):
        return "fused text answers nothing"
    return None


def beats(fused_first: float, fused_second: float) -> bool:
    """Whether the fused text won in both orders.

    Args:
        fused_first: logit with the fused text shown first, > 0 where it is better.
        fused_second: logit with the fused text shown second, < 0 where it is better.

    A NaN, a comparison that failed, is no win.
    """
    return fused_first > 0 > fused_second


def verdict_on(fused: str, logits: tuple[float, float] | Exception) -> Verdict:
    """The verdict on a fused text that was compared with the top answer, or was to be."""
    if isinstance(logits, Exception):
        reason: VerdictReason = "fused text could not be compared"
        return Verdict(reason, rejected=fused, error=describe(logits))
    if beats(*logits):
        return Verdict("fused text won", *logits)
    if any(map(isnan, logits)):
        return Verdict("fused text could not be compared", *logits, rejected=fused)
    return Verdict("fused text lost", *logits, rejected=fused)
