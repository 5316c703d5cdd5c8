"""Tools that every member binds in its own way."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase

from blender_core.errors import InputError
from langchain_blender.members import Member

__all__ = ["Tools", "at_core"]


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
        """The member with the tools bound, in place of those that it had bound before.

        Args:
            name: for the error's message.
            member: a chat model, or bindings, retries and fallbacks around chat models.

        Raises:
            InputError: there is no `bind_tools` at its core.
        """

        def bound(model: Member) -> Member:
            bind_tools = getattr(model, "bind_tools", None)
            kind = getattr(type(model), "bind_tools", None)
            if bind_tools is None or kind is BaseChatModel.bind_tools:
                raise InputError(
                    f"member {name!r} cannot call tools: {type(model).__name__} has no "
                    "bind_tools. Leave it out, or use the blend without tools"
                )
            with_tools: Member = bind_tools(self.tools, **self.options)
            return with_tools

        return at_core(member, bound)


_BOUND_ANEW = (
    *("tools", "tool_choice", "functions", "function_call", "parallel_tool_calls"),
    "ls_structured_output_format",
)
"""What a member may have bound before, and what is bound now stands in place of."""


def at_core(member: Member, bound: Callable[[Member], Member]) -> Member:
    """A member in which each chat model, under bindings and fallbacks, is bound anew."""
    if isinstance(member, RunnableBindingBase):
        core = at_core(member.bound, bound)
        anew = {*_BOUND_ANEW, *(core.kwargs if isinstance(core, RunnableBindingBase) else ())}
        kept = {word: value for word, value in member.kwargs.items() if word not in anew}
        return member.model_copy(update={"bound": core, "kwargs": kept})
    if isinstance(member, RunnableWithFallbacks):
        return member.model_copy(
            update={
                "runnable": at_core(member.runnable, bound),
                "fallbacks": [at_core(each, bound) for each in member.fallbacks],
            }
        )
    return bound(member)
