"""Which members have async methods that only call the sync ones in a thread of the loop's pool."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import LLM, BaseChatModel, SimpleChatModel
from langchain_core.runnables import RunnableLambda, RunnableSequence, RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import DynamicRunnable

from langchain_blender.members import Member

__all__ = ["is_sync_only"]


def is_sync_only(member: Member) -> bool:  # noqa: PLR0911 - a table
    """Whether a member's `ainvoke` would only run its `invoke` in the event loop's pool."""
    if isinstance(member, RunnableBindingBase):
        return is_sync_only(member.bound)
    if isinstance(member, RunnableWithFallbacks):
        return any(map(is_sync_only, [member.runnable, *member.fallbacks]))
    if isinstance(member, DynamicRunnable):
        return is_sync_only(member.default)
    if isinstance(member, RunnableSequence):
        # By its models: a function between them takes no time.
        return any(is_sync_only(s) for s in member.steps if not isinstance(s, RunnableLambda))
    kind: Any = type(member)
    if isinstance(member, BaseChatModel):
        return kind._agenerate in (BaseChatModel._agenerate, SimpleChatModel._agenerate)  # noqa: SLF001 - what it overrides
    if isinstance(member, LLM):
        return kind._acall is LLM._acall  # noqa: SLF001 - likewise
    if isinstance(member, RunnableLambda):
        return not hasattr(member, "afunc")
    return False
