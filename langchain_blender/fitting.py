"""Whether an answer's tool calls fit the tools that are bound."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.tools import BaseTool
from langchain_core.tools.base import create_schema_from_function
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import ValidationError

from blender_core.comparison.nonanswers import surely_nothing
from blender_core.validation import reason, sentences
from langchain_blender.messages import answer_text

__all__ = ["unfit_for"]


def unfit_for(tools: Sequence[Any]) -> Callable[[AIMessage], str | None]:
    """What is wrong with an answer where these tools are bound, None where nothing is.

    A call fits if there is a tool of that name and its arguments are what the tool takes: of
    functions, classes and `BaseTool`s they are validated in full, of dicts the required ones must
    be there. Where a provider's own tool is bound, whose calls nobody else knows, any name may be
    called. An answer in words is wrong only if it answers nothing.
    """
    known = dict(map(_described, tools))
    anything = None in known

    def unfit(message: AIMessage) -> str | None:
        for broken in message.invalid_tool_calls:
            return f"the arguments of {broken['name']!r} cannot be read"
        for call in message.tool_calls:
            taken = known.get(call["name"])
            if taken is not None:
                if (why := taken(call["args"])) is not None:
                    return f"the arguments of {call['name']!r} do not fit: {why}"
            elif not anything:
                return f"there is no tool {call['name']!r}"
        if not message.tool_calls and surely_nothing(answer_text(message)):
            return "answers nothing"
        return None

    return unfit


Check = Callable[[dict[str, Any]], str | None]


def _described(tool: Any) -> tuple[str | None, Check]:
    """A tool's name and what is wrong with arguments for it; no name if it is a provider's own."""
    try:
        described = convert_to_openai_tool(tool)["function"]
        schema = _schema(tool)
    except Exception:  # noqa: BLE001 - whatever it raises of what it does not know
        return None, lambda _: None
    name: str = described["name"]
    if schema is not None:
        return name, lambda args: _validated(schema, args)
    required = described.get("parameters", {}).get("required", ())
    return name, lambda args: next((f"{k} is missing" for k in required if k not in args), None)


def _schema(tool: Any) -> Any:
    """The pydantic class that describes a tool's arguments, None where there is none."""
    schema = tool
    if isinstance(tool, BaseTool):
        schema = tool.tool_call_schema
    elif callable(tool) and not isinstance(tool, type):
        schema = create_schema_from_function(tool.__name__, tool, include_injected=False)
    return schema if isinstance(schema, type) and is_basemodel_subclass(schema) else None


def _validated(schema: Any, args: dict[str, Any]) -> str | None:
    try:
        schema(**args)
    except Exception as error:  # noqa: BLE001 - whatever a schema's own validators raise
        return sentences(error) if isinstance(error, ValidationError) else reason(error)
    return None
