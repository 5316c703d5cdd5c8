"""What all members can do: the profile of a blend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.runnables import RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase

from langchain_blender.members import Member

__all__ = ["common_profile"]


def common_profile(members: Sequence[Member]) -> ModelProfile | None:
    """The intersection of the members' profiles: abilities all of them have, the least of limits.

    A member that tells nothing of itself may lack everything, so there is no profile then.
    Structured output comes by tool calls, never by a provider's own way, so it is False.
    """
    profiles = [_profile(member) for member in members]
    if not profiles or not all(profiles):
        return None
    known = set.intersection(*({key for key, v in p.items() if v is not None} for p in profiles))
    common = {key: _least([p[key] for p in profiles]) for key in sorted(known)}
    common = {key: value for key, value in common.items() if value is not None}
    return cast("ModelProfile", {**common, "structured_output": False})


def _least(values: list[Any]) -> Any:
    if all(isinstance(value, bool) for value in values):
        return all(values)
    if all(isinstance(value, int | float) for value in values):
        return min(values)
    return values[0] if all(value == values[0] for value in values) else None


def _profile(member: Member) -> dict[str, Any]:
    if isinstance(member, RunnableBindingBase):
        return _profile(member.bound)
    if isinstance(member, RunnableWithFallbacks):
        return dict(common_profile([member.runnable, *member.fallbacks]) or {})
    return dict(getattr(member, "profile", None) or {})
