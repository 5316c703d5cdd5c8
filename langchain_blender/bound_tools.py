"""Tools that every member binds in its own way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase

from blender_core.errors import InputError
from langchain_blender.members import Member

__all__ = ["Tools"]


@dataclass(frozen=True, slots=True)
class Tools:
    """Tools as they were handed over, for each member to bind in its own way.

    Attributes:
        tools: functions, classes, `BaseTool`s, or dicts of a provider.
        options: further arguments of `bind_tools`, such as ``tool_choice``.
        shown: the tools as traces and caches see them.
    """

    tools: Sequence[Any]
    options: Mapping[str, Any]
    shown: Sequence[Any] = ()

    def as_called(self, options: dict[str, Any]) -> Tools:
        """The tools with what a call says of them, which is the last word.

        Args:
            options: the call's, ``tools`` among them; what is about tools is taken out.
        """
        given = options.pop("tools")
        names = {"tool_choice", *self.options}
        said = {name: options.pop(name) for name in names & options.keys()}
        return Tools(self.tools if given == self.shown else given, said)

    def bound_to(self, name: str, member: Member) -> Member:
        """The member with the tools bound, under whatever is bound already.

        Args:
            name: for the error's message.
            member: a chat model, or bindings, retries and fallbacks around chat models.

        Raises:
            InputError: there is no `bind_tools` at its core.
        """
        if isinstance(member, RunnableBindingBase):
            return member.model_copy(update={"bound": self.bound_to(name, member.bound)})
        if isinstance(member, RunnableWithFallbacks):
            return member.model_copy(
                update={
                    "runnable": self.bound_to(name, member.runnable),
                    "fallbacks": [self.bound_to(name, m) for m in member.fallbacks],
                }
            )
        bind_tools = getattr(member, "bind_tools", None)
        if bind_tools is None or getattr(type(member), "bind_tools", 0) is BaseChatModel.bind_tools:
            raise InputError(
                f"member {name!r} cannot call tools: {type(member).__name__} has no bind_tools. "
                "Leave it out, or use the blend without tools"
            )
        bound: Member = bind_tools(self.tools, **self.options)
        return bound
