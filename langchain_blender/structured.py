"""Which answers stand for election: all of them or, where an object is wanted, those that parse."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

from blender_core.outcomes import Ranking

__all__ = ["Entrant", "chosen", "entrants", "parser_of"]


@dataclass(frozen=True, slots=True)
class Entrant:
    """An answer, and the members that gave it.

    Attributes:
        voters: names; more than one where several members gave the same object.
        message: the first one's.
    """

    voters: tuple[str, ...]
    message: AIMessage


def parser_of(schema: dict[str, Any] | type) -> JsonOutputToolsParser:
    """From a message's tool calls to an object of that schema, None where there is none."""
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return PydanticToolsParser(tools=[schema], first_tool_only=True)
    function = convert_to_openai_tool(schema)["function"]
    required = list(function.get("parameters", {}).get("required", ()))
    return _DictParser(key_name=function["name"], first_tool_only=True, required=required)


def entrants(
    answers: Mapping[str, AIMessage], parser: JsonOutputToolsParser | None = None
) -> list[Entrant]:
    """The answers to choose from.

    Args:
        answers: of the members, by name.
        parser: makes the object that is wanted of a message. Answers that do not parse are left
            out, as long as one does; equal objects are one entrant with several voters.
    """
    everybody = [Entrant((name,), message) for name, message in answers.items()]
    if parser is None:
        return everybody
    groups: list[tuple[Any, list[Entrant]]] = []
    for entrant in everybody:
        parsed = _parsed(parser, entrant.message)
        if parsed is None:
            continue
        for known, group in groups:
            if known == _comparable(parsed):
                group.append(entrant)
                break
        else:
            groups.append((_comparable(parsed), [entrant]))
    return [
        Entrant(tuple(name for e in group for name in e.voters), group[0].message)
        for _, group in groups
    ] or everybody


def chosen(standing: Sequence[Entrant], ranking: Ranking) -> int:
    """Who wins: the one with most votes and, of those with as many, the one ranked best."""
    return max(ranking.order, key=lambda place: len(standing[place].voters))


def _parsed(parser: JsonOutputToolsParser, message: AIMessage) -> Any:
    """The object, None where there is none or it lacks something that is required."""
    try:
        parsed = parser.invoke(message, {"callbacks": []})
    except Exception:  # noqa: BLE001 - whatever a schema's own validators raise
        return None
    required = parser.required if isinstance(parser, _DictParser) else ()
    return parsed if parsed is not None and all(key in parsed for key in required) else None


def _comparable(value: Any) -> Any:
    """Equal where JSON values are: 1 is 1.0, but True is not 1."""
    match value:
        case BaseModel():
            return type(value).__qualname__, _comparable(value.model_dump())
        case bool():
            return "bool", value
        case dict():
            return "dict", {key: _comparable(item) for key, item in value.items()}
        case list() | tuple():
            return "list", [_comparable(item) for item in value]
    return value


class _DictParser(JsonOutputKeyToolsParser):
    """Gives dicts, and knows what their schema requires. Types are not checked."""

    required: list[str]
