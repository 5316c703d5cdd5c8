"""Members: chat models and other runnables, by name, as things that can be asked a question."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any, TypeAlias

from langchain_core.language_models import BaseLLM
from langchain_core.messages import AIMessage, AIMessageChunk, message_chunk_to_message
from langchain_core.prompts.base import BasePromptTemplate
from langchain_core.runnables import Runnable, RunnableSequence, RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase
from langchain_core.runnables.configurable import DynamicRunnable

from blender_core.errors import InputError, MissingExtraError, message_of
from blender_core.members import unused_name
from langchain_blender.messages import has_calls, has_more_than_text

__all__ = ["Member", "as_answer", "member_name", "named_members", "takes_text", "turn_name"]

Member: TypeAlias = Runnable[Any, Any]
"""Takes messages and gives an `AIMessage` (or, as a text-only LLM does, a str)."""

_NAMES = ("model_name", "model", "model_id", "deployment_name")
"""Where integrations keep their model's name; there is no one word for it."""


def named_members(given: object, n: int = 1) -> dict[str, Member]:
    """Members by name.

    Args:
        given: runnables or strings such as ``"openai:gpt-4o"`` (needs the package ``langchain``),
            as a list or by name. In a list, each is named after its model; equal names are
            numbered.
        n: how often each is asked (best-of-n); the second time as ``name (2)``.

    Raises:
        InputError: there is no member, something is neither a runnable nor a string, or there is
            no chat model of that name.
        MissingExtraError: a string is given and ``langchain`` is not installed.

    >>> from langchain_core.runnables import RunnableLambda
    >>> model = RunnableLambda(str, name="echo")
    >>> list(named_members([model, model])), list(named_members({"a": model}, n=2))
    (['echo', 'echo #2'], ['a', 'a (2)'])
    """
    if isinstance(given, Mapping):
        pairs = [(str(name), _member(member)) for name, member in given.items()]
    elif isinstance(given, Iterable) and not isinstance(given, str | bytes | Runnable):
        members = [_member(member) for member in given]
        pairs = [(member_name(member), member) for member in members]
    else:
        raise InputError(
            f"'members' must be a list of chat models or map names to them, "
            f"got one {type(given).__name__}"
        )
    if not pairs:
        raise InputError("'members' is empty: there is nobody to ask")
    named: dict[str, Member] = {}
    for wanted, member in pairs:
        name = unused_name(wanted, named)
        for turn in range(1, n + 1):
            named[turn_name(name, turn)] = member
    return named


def turn_name(name: str, turn: int) -> str:
    """What a member's answer is called when it is asked for the n-th time."""
    return name if turn == 1 else f"{name} ({turn})"


def member_name(member: Member) -> str:
    """The name of the model at the core of a runnable, else the runnable's own.

    Looks through bindings (``bind``, ``with_retry``, ``with_config``) and fallbacks.
    """
    while True:
        for word in _NAMES:
            name = getattr(member, word, None)
            if isinstance(name, str) and name:
                return name
        if isinstance(member, RunnableBindingBase):
            member = member.bound
        elif isinstance(member, RunnableWithFallbacks):
            member = member.runnable
        else:
            return member.get_name()


def as_answer(answer: object) -> AIMessage:
    """What a member gave, as a message that can stand as an answer.

    Raises:
        TypeError: it is neither an `AIMessage` nor a str.
        ValueError: there is nothing in it: no text, no other content, no call, no refusal.
    """
    if isinstance(answer, str):
        answer = AIMessage(answer)
    if isinstance(answer, AIMessageChunk):
        answer = message_chunk_to_message(answer)
    if not isinstance(answer, AIMessage):
        raise TypeError(f"answered with {type(answer).__name__}, expected an AIMessage")
    if not (answer.text.strip() or has_calls(answer) or has_more_than_text(answer)):
        reason = answer.response_metadata.get("finish_reason")
        raise ValueError("gave an empty answer" + (f" (finish_reason: {reason})" if reason else ""))
    return answer


def takes_text(member: Member) -> bool:
    """Whether a member is made for a text: a text-only LLM, or a chain that begins with a prompt.

    Given messages, an LLM would read who says what, and a prompt would be filled with a list.
    """
    if isinstance(member, RunnableBindingBase):
        return takes_text(member.bound)
    if isinstance(member, RunnableWithFallbacks):
        return takes_text(member.runnable)
    if isinstance(member, DynamicRunnable):
        return takes_text(member.default)
    if isinstance(member, RunnableSequence):
        return takes_text(member.first)
    if isinstance(member, BasePromptTemplate):
        kinds = member.get_input_schema().model_fields.values()
        return len(kinds) == 1 and all(kind.annotation is str for kind in kinds)
    return isinstance(member, BaseLLM)


def _member(given: object) -> Member:
    if isinstance(given, Runnable):
        return given
    if isinstance(given, str):
        if find_spec("langchain") is None:
            raise MissingExtraError(f"a member given as a string ({given!r})", "agents")
        from langchain.chat_models import init_chat_model

        try:
            return init_chat_model(given)
        except Exception as error:
            raise InputError(
                f"cannot make a chat model of {given!r}: {message_of(error)}"
            ) from error
    raise InputError(
        "a member must be a chat model, another runnable or a string such as 'openai:gpt-4o', "
        f"got {type(given).__name__}"
    )
