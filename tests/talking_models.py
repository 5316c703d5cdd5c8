"""A chat model for tests that calls tools, streams and reports usage, without a network."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import Field


def echo(question: str) -> str:
    return f"You asked: {question}"


class Talker(BaseChatModel):
    """Answers by a function of the last message's text; may be slow, fail, or call tools.

    Without a choice of tool it calls the first whose name is in the question. Strings of
    arguments are what the question has in quotes, numbers what it has in digits.
    """

    model_name: str = "talker"
    says: Callable[[str], str] = echo
    tokens: int = 10
    seconds: float = 0.0
    error: Exception | None = None
    asked: list[str] = Field(default_factory=list)
    gone: list[str] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "talker"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model_name": self.model_name, "tokens": self.tokens}

    def bind_tools(self, tools: Any, *, tool_choice: Any = None, **kwargs: Any) -> Any:
        return self.bind(
            tools=[convert_to_openai_tool(tool) for tool in tools],
            tool_choice=tool_choice,
            **kwargs,
        )

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        time.sleep(self.seconds)
        message = self._answer(messages, stop, kwargs)
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        await self._wait(messages)
        message = self._answer(messages, stop, kwargs)
        return ChatResult(generations=[ChatGeneration(message=message)])

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> Iterator[ChatGenerationChunk]:
        time.sleep(self.seconds)
        for chunk in self._chunks(self._answer(messages, stop, kwargs)):
            if run_manager:
                run_manager.on_llm_new_token(str(chunk.text), chunk=chunk)
            yield chunk

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        await self._wait(messages)
        for chunk in self._chunks(self._answer(messages, stop, kwargs)):
            if run_manager:
                await run_manager.on_llm_new_token(str(chunk.text), chunk=chunk)
            yield chunk

    async def _wait(self, messages: list[BaseMessage]) -> None:
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.gone.append(str(messages[-1].text))
            raise

    def _chunks(self, message: AIMessage) -> Iterator[ChatGenerationChunk]:
        for word in re.findall(r"\S+\s*", str(message.text)):
            yield ChatGenerationChunk(message=AIMessageChunk(content=word))
        for place, call in enumerate(message.tool_calls):
            chunk = {**call, "args": json.dumps(call["args"]), "index": place}
            yield ChatGenerationChunk(message=AIMessageChunk(content="", tool_call_chunks=[chunk]))
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content="",
                usage_metadata=message.usage_metadata,
                response_metadata=message.response_metadata,
                chunk_position="last",
            )
        )

    def _answer(self, messages: list[BaseMessage], stop: Any, kwargs: dict[str, Any]) -> AIMessage:
        question = str(messages[-1].text)
        self.asked.append(question)
        if self.error is not None:
            raise self.error
        calls = self._calls(messages, kwargs)
        text = "" if calls else self.says(question)
        for word in stop or []:
            text = text.partition(word)[0] or text
        return AIMessage(
            text,
            tool_calls=calls,
            usage_metadata={
                "input_tokens": self.tokens,
                "output_tokens": self.tokens,
                "total_tokens": 2 * self.tokens,
            },
            response_metadata={"model_name": self.model_name, "finish_reason": "stop"},
        )

    def _calls(self, messages: list[BaseMessage], kwargs: dict[str, Any]) -> list[Any]:
        tools = {tool["function"]["name"]: tool["function"] for tool in kwargs.get("tools") or []}
        if not tools or isinstance(messages[-1], ToolMessage):
            return []
        question, choice = str(messages[-1].text), kwargs.get("tool_choice")
        if isinstance(choice, dict):
            choice = choice["function"]["name"]
        if choice in tools:
            name = choice
        elif choice in ("any", "required", True):
            name = next((name for name in tools if name in question), next(iter(tools)))
        else:
            words = question.lower()
            named = [n for n in tools if n in words or any(p in words for p in n.split("_")[1:])]
            if not named:
                return []
            name = named[0]
        parameters = tools[name].get("parameters", {})
        args = {k: self._argument(v, question) for k, v in parameters["properties"].items()}
        return [{"name": name, "args": args, "id": f"call_{len(self.asked)}", "type": "tool_call"}]

    def _argument(self, schema: dict[str, Any], question: str) -> Any:
        kind = schema.get("type")
        if kind in ("integer", "number"):
            found = re.search(r"\d+", question)
            return int(found[0]) if found else 1
        if kind == "boolean":
            return True
        if kind == "array":
            return []
        found = re.search(r"'([^']*)'", question)
        return found[1] if found else self.says(question)
