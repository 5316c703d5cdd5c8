"""Between LangChain's messages and the core's texts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    convert_to_messages,
)
from langchain_core.messages.ai import UsageMetadata, add_usage
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.prompt_values import PromptValue

from blender_core.prompting.conversation import question_of

__all__ = [
    "answer_text",
    "as_chunk",
    "canonical",
    "question_text",
    "to_messages",
    "total_usage",
]


def to_messages(given: LanguageModelInput) -> list[BaseMessage]:
    """What a language model may be given, as messages."""
    if isinstance(given, PromptValue):
        return given.to_messages()
    if isinstance(given, str):
        return [HumanMessage(given)]
    return convert_to_messages(given)


def question_text(messages: Sequence[BaseMessage]) -> str:
    """What a ranker reads as the question; see `question_of`.

    >>> print(question_text([HumanMessage("Hi"), AIMessage("Hello!"), HumanMessage("2 + 2?")]))
    User: Hi
    Assistant: Hello!
    User: 2 + 2?
    """
    return question_of(
        [str(message.text) for message in messages if isinstance(message, SystemMessage)],
        [(_speaker(m), answer_text(m)) for m in messages if not isinstance(m, SystemMessage)],
    )


def answer_text(message: BaseMessage) -> str:
    """What a ranker reads of a message: its text, and the tool calls it makes.

    >>> call = {"name": "add", "args": {"b": 1, "a": 2}, "id": "1"}
    >>> answer_text(AIMessage("", tool_calls=[call]))
    '{"args": {"a": 2, "b": 1}, "name": "add"}'
    """
    calls = message.tool_calls if isinstance(message, AIMessage) else []
    lines = [canonical({"name": call["name"], "args": call["args"]}) for call in calls]
    return "\n".join(text for text in (str(message.text), *lines) if text)


def canonical(value: Any) -> str:
    """The value as JSON, the same for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def as_chunk(message: AIMessage) -> AIMessageChunk:
    """A whole message as one chunk of a stream."""
    if isinstance(message, AIMessageChunk):
        return message
    calls = [(call["name"], json.dumps(call["args"]), call["id"]) for call in message.tool_calls]
    broken = [(call["name"], call["args"], call["id"]) for call in message.invalid_tool_calls]
    chunks = [
        tool_call_chunk(name=name, args=args, id=id_, index=index)
        for index, (name, args, id_) in enumerate([*calls, *broken])
    ]
    fields = message.model_dump(exclude={"type", "tool_calls", "invalid_tool_calls"})
    return AIMessageChunk(**fields, tool_call_chunks=chunks)


def total_usage(usages: Sequence[UsageMetadata | None]) -> UsageMetadata | None:
    """The sum of what is known, None where nothing is."""
    total: UsageMetadata | None = None
    for usage in usages:
        if usage is not None:
            total = add_usage(total, usage)
    return total


def _speaker(message: BaseMessage) -> str:
    if isinstance(message, HumanMessage):
        return "User"
    if isinstance(message, AIMessage):
        return "Assistant"
    if isinstance(message, ToolMessage):
        return f"Tool {message.name}" if message.name else "Tool"
    return message.type.capitalize()
