"""The rankers that come with the package, loaded once and shared by everybody who asks."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from blender_core.ranking.joining import joined
from blender_core.ranking.later import LaterRanker, once
from blender_core.ranking.ranker import Ranker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from blender_core.belief.member_prior import MemberPrior
    from blender_core.ranking.pair_ranker import PairRanker

__all__ = [
    "load_ahead",
    "shared",
    "shared_pair_ranker",
    "shared_passage_ranker",
    "shared_response_ranker",
    "shipped_pair_ranker",
]


def _load_pair_ranker() -> Ranker:
    from blender_core.ranking.pair_ranker import PairRanker

    return PairRanker()


def _load_joint_ranker() -> Ranker:
    from blender_core.ranking.joint_ranker import JointRanker

    return JointRanker.with_consensus(shipped_pair_ranker())


def _load_passage_ranker() -> Ranker:
    from blender_core.ranking.passage_ranker import PassageRanker

    return PassageRanker()


_ANSWERS_WEIGHT = 8.0
"""Logits between an answer and none: more than the shipped rankers ever see between two texts."""


def _load_response_ranker() -> Ranker:
    from blender_core.ranking.answers_first import AnswersFirst
    from blender_core.ranking.joint_ranker import JointRanker

    joint = cast("JointRanker", _joint_ranker.begin().result())
    parts = [(joint, 1.0), (AnswersFirst(), _ANSWERS_WEIGHT)]
    return JointRanker(parts, calibrator=joint.calibrator)


_pair_ranker = once(_load_pair_ranker)
_joint_ranker = once(_load_joint_ranker)
_passage_ranker = once(_load_passage_ranker)
_response_ranker = once(_load_response_ranker)


def shared(
    ranker: Ranker | None,
    prior: MemberPrior | None = None,
    names: Mapping[str, str] | None = None,
) -> Ranker:
    """A ranker fit for many callers at a time: the one given, or the shipped `JointRanker()`.

    Args:
        ranker: the one given.
        prior: what is known of members, to be added; see `PriorRanker`.
        names: likewise.
    """
    fit = LaterRanker(_joint_ranker) if ranker is None else joined(ranker)
    if prior is None:
        return fit
    from blender_core.ranking.prior_ranker import PriorRanker

    return PriorRanker(fit, prior, names)


def shared_pair_ranker(ranker: Ranker | None) -> Ranker:
    """Like `shared`, where answers are not to be judged by the others: `PairRanker()`."""
    return LaterRanker(_pair_ranker) if ranker is None else joined(ranker)


def shared_passage_ranker(ranker: Ranker | None) -> Ranker:
    """Like `shared`, for what a retriever found: the one given, or `PassageRanker()`."""
    return LaterRanker(_passage_ranker) if ranker is None else joined(ranker)


def shared_response_ranker(ranker: Ranker | None) -> Ranker:
    """Like `shared`, for responses of which one that found nothing is to be behind all others."""
    return LaterRanker(_response_ranker) if ranker is None else joined(ranker)


def shipped_pair_ranker() -> PairRanker:
    """The shipped `PairRanker()`, when it is loaded."""
    return cast("PairRanker", _pair_ranker.begin().result())


def load_ahead() -> None:
    """Begin to load the shipped `JointRanker()`, in a thread, where nobody has yet.

    It takes seconds (of which torch's import is most) that pass while members answer.
    """
    _joint_ranker.begin()
