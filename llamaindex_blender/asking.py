"""Asking: one question to a member, in the words and with the settings that are its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from llama_index.core.base.llms.generic_utils import (
    completion_response_to_chat_response,
    prompt_to_messages,
)
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.tools.types import BaseTool

from blender_core.errors import InputError
from llamaindex_blender.contest import as_answer
from llamaindex_blender.handlers import hand_on

__all__ = ["Asking"]


@dataclass(frozen=True)
class Asking:
    """What all members are asked.

    A member is asked as it would be alone: with its own system prompt, query wrapper, prompt
    formats and output parser, and in the way it works, as a chat or as a text to complete.

    Attributes:
        question: a conversation, or a text that is to be completed.
        options: further arguments of a member's methods.
        tools: what it may call, if anything.
        tool_options: how it may call them.
        watching: whose handlers see the calls.
    """

    question: Sequence[ChatMessage] | str
    options: Mapping[str, Any]
    tools: Sequence[BaseTool]
    tool_options: Mapping[str, Any]
    watching: CallbackManager

    @property
    def messages(self) -> list[ChatMessage]:
        """The question as a conversation."""
        text = self.question
        return prompt_to_messages(text) if isinstance(text, str) else list(text)

    def ask(self, member: LLM) -> ChatResponse:
        """Ask one member.

        Raises:
            ValueError: it says nothing, or what its output parser cannot read.
        """
        hand_on(member, self.watching)
        if self.tools:
            history, caller = member._extend_messages(self.messages), _caller(member)  # noqa: SLF001
            response = caller.chat_with_tools(
                self.tools, chat_history=history, **self.tool_options, **self.options
            )
        elif member.metadata.is_chat_model:
            response = member.chat(self._conversation_for(member), **self.options)
        else:
            completed = member.complete(self._prompt_for(member), formatted=True, **self.options)
            response = completion_response_to_chat_response(completed)
        return as_answer(self._parsed(response, member), member)

    async def aask(self, member: LLM) -> ChatResponse:
        """Like `ask`, without blocking the event loop."""
        hand_on(member, self.watching)
        if self.tools:
            history, caller = member._extend_messages(self.messages), _caller(member)  # noqa: SLF001
            response = await caller.achat_with_tools(
                self.tools, chat_history=history, **self.tool_options, **self.options
            )
        elif member.metadata.is_chat_model:
            response = await member.achat(self._conversation_for(member), **self.options)
        else:
            prompt = self._prompt_for(member)
            completed = await member.acomplete(prompt, formatted=True, **self.options)
            response = completion_response_to_chat_response(completed)
        return as_answer(self._parsed(response, member), member)

    def _conversation_for(self, member: LLM) -> list[ChatMessage]:
        parser, messages = member.output_parser, self.messages
        if parser is not None:
            messages = parser.format_messages(messages)
        return member._extend_messages(messages)  # noqa: SLF001 - as LlamaIndex's own programs do

    def _prompt_for(self, member: LLM) -> str:
        question, parser = self.question, member.output_parser
        to_prompt: Any = member.completion_to_prompt
        if not isinstance(question, str):
            question, to_prompt = list(question), member.messages_to_prompt
        prompt: str = to_prompt(question)
        if parser is not None:
            prompt = parser.format(prompt)
        return member._extend_prompt(prompt)  # noqa: SLF001 - as above

    def _parsed(self, response: ChatResponse, member: LLM) -> ChatResponse:
        """The response as the member's own output parser leaves it."""
        if member.output_parser is None or self.tools:
            return response
        text = str(member.output_parser.parse(response.message.content or ""))
        message = ChatMessage(
            role=response.message.role,
            content=text,
            additional_kwargs=response.message.additional_kwargs,
        )
        return response.model_copy(update={"message": message})


def _caller(member: LLM) -> FunctionCallingLLM:
    if not isinstance(member, FunctionCallingLLM):
        raise InputError(f"a {type(member).__name__} cannot call tools")
    return member
