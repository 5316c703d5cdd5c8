"""Tool calls of a response, whichever way its LLM holds them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatResponse, ToolCallBlock
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool
from pydantic import ValidationError

from blender_core.comparison.nonanswers import surely_nothing
from blender_core.validation import reason, sentences

__all__ = ["selection", "tool_calls", "unfit_for", "with_calls_in_blocks"]


def tool_calls(response: ChatResponse) -> list[ToolCallBlock]:
    """The tool calls that a response holds in blocks."""
    return [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]


def with_calls_in_blocks(response: ChatResponse, llm: LLM) -> ChatResponse:
    """The response with its tool calls in blocks, which is where all LLMs look for them."""
    if tool_calls(response) or not isinstance(llm, FunctionCallingLLM):
        return response
    try:
        selections = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    except NotImplementedError:
        return response  # LlamaIndex's own for an LLM that says nothing of calls but in blocks
    blocks = [
        *response.message.blocks,
        *(
            ToolCallBlock(tool_call_id=s.tool_id, tool_name=s.tool_name, tool_kwargs=s.tool_kwargs)
            for s in selections
        ),
    ]
    message = response.message.model_copy(update={"blocks": blocks})
    return response.model_copy(update={"message": message})


def selection(block: ToolCallBlock) -> ToolSelection:
    """A tool call as agents want it; arguments that are no JSON are none."""
    arguments: Any = block.tool_kwargs
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except ValueError:
            arguments = {}
    return ToolSelection(
        tool_id=block.tool_call_id or "", tool_name=block.tool_name, tool_kwargs=arguments
    )


def unfit_for(tools: Sequence[BaseTool]) -> Callable[[ChatResponse], str | None]:
    """What is wrong with an answer where these tools are given, None where nothing is.

    A call fits if there is a tool of that name, and its arguments are what the tool takes. An
    answer in words is wrong only if it answers nothing.
    """
    known = {tool.metadata.get_name(): tool.metadata.fn_schema for tool in tools}

    def unfit(response: ChatResponse) -> str | None:
        calls = tool_calls(response)
        for call in calls:
            if call.tool_name not in known:
                return f"there is no tool {call.tool_name!r}"
            if (why := _misfit(known[call.tool_name], call)) is not None:
                return f"the arguments of {call.tool_name!r} do not fit: {why}"
        return "answers nothing" if not calls and _says_nothing(response) else None

    return unfit


def _misfit(schema: Any, call: ToolCallBlock) -> str | None:
    """What is wrong with a call's arguments, None where nothing is."""
    try:
        given = json.loads(call.tool_kwargs or "{}") if isinstance(call.tool_kwargs, str) else None
    except ValueError:
        return "they are no JSON"
    arguments = call.tool_kwargs if given is None else given
    if not isinstance(arguments, dict):
        return "they are no JSON object"
    if schema is None:
        return None
    try:
        schema(**arguments)
    except Exception as error:  # noqa: BLE001 - whatever a schema's own validators raise
        return sentences(error) if isinstance(error, ValidationError) else reason(error)
    unknown = [name for name in arguments if name not in _names(schema)]
    if unknown and schema.model_config.get("extra") != "allow":
        return f"there is no {unknown[0]!r}"  # which LlamaIndex would hand to the function
    return None


def _names(schema: Any) -> set[str]:
    fields = schema.model_fields
    return {*fields, *(field.alias for field in fields.values() if field.alias)}


def _says_nothing(response: ChatResponse) -> bool:
    blocks = response.message.blocks
    if any(block.block_type not in ("text", "thinking") for block in blocks):
        return False
    return surely_nothing(response.message.content or "")
