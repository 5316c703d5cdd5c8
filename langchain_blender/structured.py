"""Which answers stand for election: all of them or, where an object is wanted, those that parse."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.output_parsers import BaseOutputParser, JsonOutputParser, PydanticOutputParser
from langchain_core.output_parsers.openai_tools import (
    JsonOutputKeyToolsParser,
    JsonOutputToolsParser,
    PydanticToolsParser,
)
from langchain_core.outputs import Generation
from langchain_core.runnables import RunnableSequence
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import BaseModel

from blender_core.comparison.nonanswers import says_it_cannot
from blender_core.election import Election
from blender_core.errors import InputError, message_of
from blender_core.thoughts import without_thoughts
from langchain_blender.bound_tools import at_core
from langchain_blender.members import Member
from langchain_blender.messages import answer_text, canonical

__all__ = ["AnyWayParser", "elected", "parser_of", "structured_member"]


def parser_of(schema: dict[str, Any] | type) -> JsonOutputToolsParser:
    """From a message's tool calls to an object of that schema, None where there is none."""
    if isinstance(schema, type) and is_basemodel_subclass(schema):
        return PydanticToolsParser(tools=[schema], first_tool_only=True)
    function = convert_to_openai_tool(schema)["function"]
    required = list(function.get("parameters", {}).get("required", ()))
    return _DictParser(key_name=function["name"], first_tool_only=True, required=required)


class AnyWayParser(BaseOutputParser[Any]):
    """From a message to the object that is wanted, by a tool call or as JSON in its text.

    Attributes:
        schema_: of what the object is one; None for any JSON.
    """

    schema_: Any = None

    @property
    def required(self) -> list[str]:
        """What a dict has to have."""
        if self.schema_ is None or self._is_class:
            return []
        function = convert_to_openai_tool(self.schema_)["function"]
        return list(function.get("parameters", {}).get("required", ()))

    @property
    def _is_class(self) -> bool:
        return isinstance(self.schema_, type) and is_basemodel_subclass(self.schema_)

    def parse_result(self, result: list[Generation], *, partial: bool = False) -> Any:
        """The object.

        Raises:
            OutputParserException: there is none.
        """
        message = getattr(result[0], "message", None)
        if getattr(message, "tool_calls", None) and self.schema_ is not None:
            return parser_of(self.schema_).parse_result(result, partial=partial)
        return self.parse(result[0].text)

    def parse(self, text: str) -> Any:
        """The object that a text is, perhaps in a fence of code or behind thoughts."""
        json_parser: BaseOutputParser[Any] = (
            PydanticOutputParser(pydantic_object=self.schema_)
            if self._is_class
            else JsonOutputParser()
        )
        return json_parser.parse(without_thoughts(text))


def structured_member(name: str, member: Member, how: Mapping[str, Any]) -> Member:
    """A member that answers with objects in its provider's own way, as messages.

    Args:
        name: for the error's message.
        member: a chat model, or bindings and fallbacks around chat models.
        how: arguments of its `with_structured_output`.

    Raises:
        InputError: it cannot, or not in this way.
    """

    def bound(model: Member) -> Member:
        try:
            made: Member = model.with_structured_output(**how)  # type: ignore[attr-defined]
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            raise InputError(
                f"member {name!r} gives no structured output by {how['method']!r}: "
                f"{message_of(error)}"
            ) from error
        # All integrations make a chain of the model, bound, and what reads its messages.
        return made.first if isinstance(made, RunnableSequence) else made | _as_message

    return at_core(member, bound)


def _as_message(made: Any) -> AIMessage:
    return AIMessage(made.model_dump_json() if isinstance(made, BaseModel) else canonical(made))


def elected(
    answers: Mapping[str, AIMessage],
    parser: BaseOutputParser[Any] | None,
    unfit: Callable[[AIMessage], str | None],
) -> Election[AIMessage]:
    """The answers to choose from.

    Args:
        answers: of the members, by name.
        parser: makes the object that is wanted of a message. Answers that do not parse are set
            aside, as long as one does; equal objects are one entrant with several voters.
        unfit: without a parser, what is wrong with an answer; such answers are set aside, as long
            as another is right. Equal calls are one entrant. Where most call a tool, the others'
            words are set aside.
    """
    if parser is None:
        wrong = {id(message): unfit(message) for message in answers.values()}
        return Election.of(
            answers, unfit=_less_than_calls(list(answers.values()), wrong), same=_calls
        )
    parsed = {id(message): _parsed(parser, message) for message in answers.values()}
    if all(one is None for one in parsed.values()):
        return Election.of(answers, unfit=lambda _: None, same=lambda _: None)
    return Election.of(
        answers,
        unfit=lambda m: "gives no such object" if parsed[id(m)] is None else None,
        same=lambda m: _comparable(parsed[id(m)]),
    )


def _less_than_calls(
    messages: list[AIMessage], wrong: Mapping[int, str | None]
) -> Callable[[AIMessage], str | None]:
    """What is wrong with an answer, seen beside those that call tools as they should."""
    calls = sum(bool(m.tool_calls) and wrong[id(m)] is None for m in messages)
    words = sum(not m.tool_calls for m in messages)

    def unfit(message: AIMessage) -> str | None:
        found = wrong[id(message)]
        if found is None and calls and not message.tool_calls:
            if calls > words:
                return "answers in words where most call a tool"
            if says_it_cannot(answer_text(message)):
                return "answers nothing, where others call a tool"
        return found

    return unfit


def _calls(message: AIMessage) -> Hashable | None:
    """What an answer wants to be called, in whatever order; None if it is in words."""
    calls = [{"name": call["name"], "args": call["args"]} for call in message.tool_calls]
    return _comparable(sorted(calls, key=canonical)) if calls else None


def _parsed(parser: BaseOutputParser[Any], message: AIMessage) -> Any:
    """The object, None where there is none or it lacks something that is required."""
    try:
        parsed = parser.invoke(message, {"callbacks": []})
    except Exception:  # noqa: BLE001 - whatever a schema's own validators raise
        return None
    required = parser.required if isinstance(parser, _DictParser | AnyWayParser) else ()
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
