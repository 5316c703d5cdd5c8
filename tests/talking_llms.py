"""LLMs for LlamaIndex's tests: they answer by a function, may be slow, fail, or call tools."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    LLMMetadata,
    MessageRole,
    ToolCallBlock,
)
from llama_index.core.llms import CompletionResponse
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from pydantic import Field


def echo(question: str) -> str:
    return f"You asked: {question}"


class Talker(FunctionCallingLLM):
    """Answers by a function of the last message; calls the first tool where tools are offered."""

    says: Callable[[str], str] = echo
    seconds: float = 0.0
    error: Any = None
    tools: bool = True
    window: int = 4096
    asked: list[str] = Field(default_factory=list)
    gone: list[str] = Field(default_factory=list)

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(
            model_name="talker",
            is_chat_model=True,
            is_function_calling_model=self.tools,
            context_window=self.window,
        )

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        time.sleep(self.seconds)
        return self._answer(messages, kwargs)

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.gone.append(messages[-1].content or "")
            raise
        return self._answer(messages, kwargs)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        def pieces() -> Any:
            whole, so_far = self._answer(messages, kwargs), ""
            for word in (whole.message.content or "").split():
                so_far += f"{word} "
                message = ChatMessage(role=MessageRole.ASSISTANT, content=so_far)
                yield ChatResponse(message=message, delta=f"{word} ")

        return pieces()

    @llm_chat_callback()
    async def astream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> Any:
        async def pieces() -> Any:
            for piece in self.stream_chat(messages, **kwargs):
                yield piece

        return pieces()

    @llm_completion_callback()
    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        response = self.chat([ChatMessage(role=MessageRole.USER, content=prompt)], **kwargs)
        return CompletionResponse(text=response.message.content or "")

    @llm_completion_callback()
    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        response = await self.achat([ChatMessage(role=MessageRole.USER, content=prompt)], **kwargs)
        return CompletionResponse(text=response.message.content or "")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError

    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError

    def _prepare_chat_with_tools(
        self, tools: Any, user_msg: Any = None, chat_history: Any = None, **kwargs: Any
    ) -> dict[str, Any]:
        names = [tool.metadata.get_name() for tool in tools]
        return {"messages": list(chat_history or []), "offered": names}

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **kwargs: Any
    ) -> Any:
        raise NotImplementedError  # its calls are in blocks

    def _answer(self, messages: Sequence[ChatMessage], kwargs: dict[str, Any]) -> ChatResponse:
        question = messages[-1].content or ""
        self.asked.append(question)
        if self.error is not None:
            raise self.error
        offered = kwargs.get("offered")
        if offered and messages[-1].role == MessageRole.USER:
            call = ToolCallBlock(
                tool_call_id="1", tool_name=offered[0], tool_kwargs={"question": question}
            )
            return ChatResponse(message=ChatMessage(role=MessageRole.ASSISTANT, blocks=[call]))
        message = ChatMessage(role=MessageRole.ASSISTANT, content=self.says(question))
        return ChatResponse(message=message)


def says(text: str, **fields: Any) -> Talker:
    return Talker(says=lambda question: text, **fields)
