"""Which answers stand for election: all of them or, where an object is wanted, those that parse."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.output_parsers.openai_tools import (
    JsonOutputKeyToolsParser,
    JsonOutputToolsParser,
    PydanticToolsParser,
)
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel

from blender_core.election import Election
from langchain_blender.messages import canonical

__all__ = ["elected", "parser_of"]


def parser_of(schema: dict[str, Any] | type) -> JsonOutputToolsParser:
    """From a message's tool calls to an object of that schema, None where there is none."""
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return PydanticToolsParser(tools=[schema], first_tool_only=True)
    function = convert_to_openai_tool(schema)["function"]
    required = list(function.get("parameters", {}).get("required", ()))
    return _DictParser(key_name=function["name"], first_tool_only=True, required=required)


def elected(
    answers: Mapping[str, AIMessage],
    parser: JsonOutputToolsParser | None = None,
    unfit: Callable[[AIMessage], str | None] | None = None,
) -> Election[AIMessage]:
    """The answers to choose from.

    Args:
        answers: of the members, by name.
        parser: makes the object that is wanted of a message. Answers that do not parse are set
            aside, as long as one does; equal objects are one entrant with several voters.
        unfit: without a parser, what is wrong with an answer where tools are bound; such answers
            are set aside, as long as another is right. Equal calls are one entrant.
    """
    if parser is None:
        return Election.of(answers, unfit=unfit or (lambda _: None), same=_calls)
    parsed = {id(message): _parsed(parser, message) for message in answers.values()}
    if all(one is None for one in parsed.values()):
        return Election.of(answers, unfit=lambda _: None, same=lambda _: None)
    return Election.of(
        answers,
        unfit=lambda m: "gives no such object" if parsed[id(m)] is None else None,
        same=lambda m: _comparable(parsed[id(m)]),
    )


def _calls(message: AIMessage) -> Hashable | None:
    """What an answer wants to be called, in whatever order; None if it is in words."""
    calls = [{"name": call["name"], "args": call["args"]} for call in message.tool_calls]
    return _comparable(sorted(calls, key=canonical)) if calls else None


def _parsed(parser: JsonOutputToolsParser, message: AIMessage) -> Any:
    """The object, None where there is none or it lacks something that is required."""
    try:
        parsed = parser.invoke(message, {"callbacks": []})
    except Exception:  # noqa: BLE001 - whatever a schema's own validators raise
        return None
    required = parser.required if isinstance(parser, _DictParser) else ()
    return parsed if parsed is not None and all(key in parsed for key in required) else None


def _comparable(value: Any) -> Hashable:
    """Equal where JSON values are: 1 is 1.0, but True is not 1."""
    match value:
        case BaseModel():
            return type(value).__qualname__, _comparable(value.model_dump())
        case bool():
            return "bool", value
        case dict():
            return "dict", frozenset((key, _comparable(item)) for key, item in value.items())
        case list() | tuple():
            return "list", tuple(map(_comparable, value))
        case Hashable():
            return value
    return repr(value)


class _DictParser(JsonOutputKeyToolsParser):
    """Gives dicts, and knows what their schema requires. Types are not checked."""

    required: list[str]
