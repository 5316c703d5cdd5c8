"""Tool calls of a response, whichever way its LLM holds them."""

from __future__ import annotations

import json
from typing import Any

from llama_index.core.base.llms.types import ChatResponse, ToolCallBlock
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection

__all__ = ["selection", "tool_calls", "with_calls_in_blocks"]


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
