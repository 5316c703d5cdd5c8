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

from blender_core.conversations import question_of
from blender_core.thoughts import without_thoughts

__all__ = [
    "answer_text",
    "as_chunk",
    "canonical",
    "has_calls",
    "has_more_than_text",
    "media",
    "message_without_thoughts",
    "question_text",
    "to_messages",
    "total_usage",
    "without_reasoning",
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
    r"""What a ranker reads of a message: its text without thoughts, its calls, and what else it is.

    >>> call = {"name": "add", "args": {"b": 1, "a": 2}, "id": "1"}
    >>> answer_text(AIMessage("<think>Hm.</think>", tool_calls=[call]))
    '{"args": {"a": 2, "b": 1}, "name": "add"}'
    >>> answer_text(HumanMessage([{"type": "text", "text": "Who?"}, {"type": "image", "url": "u"}]))
    'Who?\n[image]'
    """
    text = str(message.text)
    if not isinstance(message, AIMessage):
        return "\n".join(filter(None, [text, *(f"[{kind}]" for kind in _other_kinds(message))]))
    lines = [canonical({"name": call["name"], "args": call["args"]}) for call in message.tool_calls]
    lines += [f"{call['name']}({call['args']})" for call in message.invalid_tool_calls]
    more = message.additional_kwargs
    if function := more.get("function_call"):
        lines.append(canonical(function))
    if refusal := more.get("refusal"):
        lines.append(str(refusal))
    if isinstance(audio := more.get("audio"), dict):
        lines.append(str(audio.get("transcript") or "[audio]"))
    lines += [f"[{kind}]" for kind in _other_kinds(message)]
    return "\n".join(filter(None, [without_thoughts(text), *lines]))


def message_without_thoughts(message: AIMessage) -> AIMessage:
    """The message as it is without what its model thought before it answered."""
    content: Any = message.content
    if isinstance(content, str):
        content = without_thoughts(content)
    else:
        content = [b for b in content if not (isinstance(b, dict) and _kind(b) in _THOUGHTS)]
    more = without_reasoning(message.additional_kwargs)
    return message.model_copy(update={"content": content, "additional_kwargs": more})


def without_reasoning(more: dict[str, Any]) -> dict[str, Any]:
    """A message's further fields but those in which providers put thoughts."""
    return {key: value for key, value in more.items() if not key.startswith("reasoning")}


def media(message: BaseMessage) -> list[Any]:
    """The blocks of a message's content that are no text: images, files, audio."""
    if isinstance(message.content, str):
        return []
    return [
        block for block in message.content if isinstance(block, dict) and _kind(block) in _MEDIA
    ]


def has_calls(message: AIMessage) -> bool:
    """Whether a message calls anything, well-formed or not."""
    called = message.tool_calls or message.invalid_tool_calls
    return bool(called or message.additional_kwargs.get("function_call"))


def has_more_than_text(message: AIMessage) -> bool:
    """Whether there is anything beside text and calls: images, audio, a refusal, thoughts."""
    more = message.additional_kwargs
    if any(more.get(word) for word in ("audio", "refusal", "reasoning_content", "reasoning")):
        return True
    return not isinstance(message.content, str) and any(
        isinstance(block, dict) and _kind(block) != "text" for block in message.content
    )


_MEDIA = {
    **dict.fromkeys(("image", "image_url", "input_image"), "image"),
    **dict.fromkeys(("audio", "input_audio"), "audio"),
    **dict.fromkeys(("video", "video_url"), "video"),
    **dict.fromkeys(("file", "input_file", "document", "text-plain", "media"), "file"),
}
"""Content blocks of images, files and the like, as LangChain and providers call them."""


_THOUGHTS = ("reasoning", "reasoning_content", "thinking", "redacted_thinking")


def _kind(block: dict[Any, Any]) -> str:
    return str(block.get("type"))


def _other_kinds(message: BaseMessage) -> list[str]:
    return [_MEDIA[_kind(block)] for block in media(message)]


def canonical(value: Any) -> str:
    """The value as JSON, the same for equal values."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)


def as_chunk(message: AIMessage) -> AIMessageChunk:
    """A whole message as one chunk of a stream."""
    calls = [(call["name"], json.dumps(call["args"]), call["id"]) for call in message.tool_calls]
    broken = [(call["name"], call["args"], call["id"]) for call in message.invalid_tool_calls]
    chunks = [
        tool_call_chunk(name=name, args=args, id=id_, index=index)
        for index, (name, args, id_) in enumerate([*calls, *broken])
    ]
    fields = message.model_dump(exclude={"type", "tool_calls", "invalid_tool_calls"})
    chunk = AIMessageChunk(**fields, tool_call_chunks=chunks)
    # A chunk reads its calls from their text, and completes what was broken off.
    calls_as_given = {
        "tool_calls": message.tool_calls,
        "invalid_tool_calls": message.invalid_tool_calls,
    }
    return chunk.model_copy(update=calls_as_given)


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
