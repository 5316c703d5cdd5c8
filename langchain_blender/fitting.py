"""Whether an answer's tool calls fit the tools that are bound."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from langchain_core.messages import AIMessage, ToolCall
from langchain_core.tools import BaseTool
from langchain_core.tools.base import create_schema_from_function
from langchain_core.utils.function_calling import convert_to_openai_tool
from langchain_core.utils.pydantic import is_basemodel_subclass
from pydantic import ValidationError

from blender_core.comparison.nonanswers import surely_nothing
from blender_core.thoughts import without_thoughts
from blender_core.validation import reason, sentences
from langchain_blender.bound_tools import Tools
from langchain_blender.form import Form
from langchain_blender.messages import answer_text, has_calls

__all__ = ["unfit_for"]


def unfit_for(tools: Tools | None, form: Form) -> Callable[[AIMessage], str | None]:
    """What is wrong with an answer, None where nothing is.

    A call fits if there is a tool of that name and its arguments are what the tool takes: of
    functions, classes and `BaseTool`s they are validated in full, of dicts the required ones must
    be there. Where a provider's own tool is bound, whose calls nobody else knows, any name may be
    called. Where nothing is bound, any call fits that can be read. An answer in words is wrong if
    it answers nothing, if a tool has to be called, or if it has not the form that is wanted.

    Args:
        tools: that are bound, with the choice that the call leaves.
        form: that the call wants.
    """
    bound = list(tools.tools) if tools else []
    known = dict(map(_described, bound))
    anything = None in known or not bound
    choice = None if tools is None else tools.options.get("tool_choice")
    wanted = _chosen(choice)
    must_call = bool(bound) and (wanted is not None or choice in ("any", "required", True))

    def unfit(message: AIMessage) -> str | None:
        for broken in message.invalid_tool_calls:
            return f"the arguments of {broken['name']!r} cannot be read"
        if has_calls(message):
            return next(filter(None, map(unfit_call, message.tool_calls)), None)
        if must_call:
            return "calls no tool, though it has to"
        return _unfit_words(message, form, has_tools=bool(bound))

    def unfit_call(call: ToolCall) -> str | None:
        name, taken = call["name"], known.get(call["name"])
        if taken is None:
            return None if anything else f"there is no tool {name!r}"
        if (why := taken(call["args"])) is not None:
            return f"the arguments of {name!r} do not fit: {why}"
        if wanted in known and name != wanted:
            return f"calls {name!r}, and not {wanted!r} as it has to"
        return None

    return unfit


def _unfit_words(message: AIMessage, form: Form, *, has_tools: bool) -> str | None:
    text = answer_text(message)
    if not text.strip():
        return "says nothing but thoughts"
    if message.additional_kwargs.get("refusal"):
        return "refuses to answer"
    if wrong := form.wrong(without_thoughts(str(message.text))):
        return wrong
    return "answers nothing" if has_tools and surely_nothing(text) else None


def _chosen(choice: Any) -> str | None:
    """The one tool that has to be called, None where there are others."""
    if isinstance(choice, Mapping):
        of_function = choice.get("function")
        name = of_function.get("name") if isinstance(of_function, Mapping) else choice.get("name")
        return name if isinstance(name, str) else None
    return choice if isinstance(choice, str) and choice not in _NO_TOOL else None


_NO_TOOL = ("auto", "any", "required", "none", "")

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
