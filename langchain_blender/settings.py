"""What a blend is made of: the words that `Blend`, `BlendedLLM` and `BlendedChatModel` share."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from os import PathLike
from typing import Annotated, Any, ClassVar

from langchain_core.runnables import Runnable
from pydantic import BaseModel, ConfigDict, Field, PlainValidator, model_validator
from typing_extensions import Self

from blender_core.belief.member_prior import MemberPrior
from blender_core.errors import InputError
from blender_core.fusion.fuser import Fuser
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.shipped import shared
from langchain_blender.chat_fuser import ChatFuser
from langchain_blender.members import Member, named_members, turn_name

__all__ = ["BlendSettings", "as_fuser", "as_prior"]


def as_fuser(given: object) -> Fuser | None:
    """A fuser as it is; a chat model or its name as a `ChatFuser`.

    Raises:
        InputError: it is none of these.
    """
    if given is None or isinstance(given, Fuser):
        return given
    if isinstance(given, Runnable | str):
        return ChatFuser(given)
    raise InputError(f"'fuser' must be a Fuser, a chat model or None, got {type(given).__name__}")


def as_prior(given: MemberPrior | str | PathLike[str] | None) -> MemberPrior | None:
    """What is known of members, read if it is in a file.

    Raises:
        InputError: it is neither.
        CheckpointError: there is no such file, or it is broken.
    """
    return None if given is None else MemberPrior.of(given)


class BlendSettings(BaseModel):
    """Who answers, who ranks, who fuses, and how long it may take.

    Args:
        members: chat models, other runnables that take messages and give an `AIMessage`, or
            strings such as ``"openai:gpt-4o"`` (with ``langchain`` installed); a list, or by name.
            After validation a dict by name.
        ranker: orders the answers; None is the shipped `JointRanker()`, shared by all blends.
        members_prior: what is known of the members by their names, a `MemberPrior` or the path of
            its file, as ``blended-llm fit-members`` writes it; it counts beside what the ranker
            says. None counts nothing.
        fuser: writes one answer from the best: a `Fuser`, or a chat model (see `ChatFuser`). None
            returns the best answer as it is.
        top_k: how many of the best answers are fused.
        verify: whether a fused text must beat the best answer in both orders; see `Blender`.
        confidence: how probable it must be that a fused text is better; see `Blender`.
        timeout: seconds a member may take.
        deadline: seconds all may take together: members, ranking, fusing and its check. What the
            members leave is for the others, and a quarter of it for ranking in any case. Answers
            that cannot be ranked in time keep their order; a text that is not fused in time costs
            the fusing, not the answer.
        fuser_timeout: seconds fusing may take.
        min_answers: how many members must answer; fewer are a `QuorumError`.
        n: how often each member is asked (best-of-n).
        keep_thoughts: whether the message returned keeps what a model thought before it answered.
            Rankers, fusers and judges never see it.

    Raises:
        ValidationError: a value is not usable; it is pydantic's, and a ValueError.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    members: Annotated[
        Mapping[str, Member | str] | Iterable[Member | str], PlainValidator(named_members)
    ]
    ranker: Ranker | None = None
    members_prior: Annotated[MemberPrior | str | PathLike[str] | None, PlainValidator(as_prior)] = (
        None
    )
    fuser: Annotated[Fuser | Member | str | None, PlainValidator(as_fuser)] = None
    top_k: int = Field(default=3, ge=1)
    verify: bool = True
    confidence: float | None = Field(default=None, ge=0.5, lt=1.0)
    timeout: float | None = Field(default=None, gt=0)
    deadline: float | None = Field(default=None, gt=0)
    min_answers: int = Field(default=1, ge=1)
    n: int = Field(default=1, ge=1)
    fuser_timeout: float | None = Field(default=None, gt=0)
    keep_thoughts: bool = True

    _borne: ClassVar[frozenset[str]] = frozenset()
    """Words that are not known but have to be taken: a warning, not an error."""

    @model_validator(mode="before")
    @classmethod
    def _no_unknown_words(cls, given: Any) -> Any:
        # LangChain's models take words they do not know in silence.
        known = cls.model_fields
        for word in given if isinstance(given, dict) else ():
            if word in known:
                continue
            advice = f"unknown setting {word!r}: set it on the members, or bind it to each call"
            if close := get_close_matches(word, known, n=1, cutoff=0.8):
                advice = f"unknown setting {word!r}; did you mean {close[0]!r}?"
            if word not in cls._borne:
                raise InputError(advice)
            warnings.warn(f"{cls.__name__} ignores it: {advice}", stacklevel=2)
        return given

    @model_validator(mode="after")
    def _quorum_can_be_reached(self) -> Self:
        asked = len(self.everyone())
        if self.min_answers > asked:
            raise InputError(f"'min_answers' is {self.min_answers} of only {asked} members")
        return self

    def everyone(self) -> dict[str, Member]:
        """All that is asked, by name: each member `n` times."""
        return named_members(self.members, self.n)

    def as_ranked(self) -> Ranker:
        """What orders the answers: the ranker, with what is known of the members."""
        turns = range(2, self.n + 1)
        names = {
            turn_name(name, turn): name for name in named_members(self.members) for turn in turns
        }
        return shared(self.ranker, as_prior(self.members_prior), names)
