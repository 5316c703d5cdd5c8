"""Blend: any set of chat models as one runnable."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from typing import Any

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.runnables import RunnableConfig, RunnableSerializable
from pydantic import ConfigDict

from langchain_blender.run import BlendRun
from langchain_blender.settings import BlendSettings

__all__ = ["Blend"]


class Blend(BlendSettings, RunnableSerializable[LanguageModelInput, AIMessage]):
    """Asks all members at the same time, ranks their answers, returns the best or a fused one.

    Takes what a chat model takes, gives an `AIMessage` whose ``response_metadata["blend"]`` tells
    how it came about. Where a chat model is expected (agents, tools, structured output) use
    `BlendedChatModel`, where text is, `BlendedLLM`. Settings are those of `BlendSettings`.

    >>> from blender_core import ConsensusRanker
    >>> from langchain_core.language_models import FakeListChatModel
    >>> said = {"a": "It is 5.", "b": "It is 4.", "c": "I think it is 4."}
    >>> members = {name: FakeListChatModel(responses=[text]) for name, text in said.items()}
    >>> answer = Blend(members=members, ranker=ConsensusRanker()).invoke("2 + 2?")
    >>> answer.text, answer.response_metadata["blend"]["order"]
    ('It is 4.', ['b', 'c', 'a'])
    """

    model_config = ConfigDict(extra="forbid")

    def invoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        """Answer one question; further arguments go to the members.

        Raises:
            QuorumError: too few members answered; it carries each one's own error.
        """

        def answer(question: LanguageModelInput, config: RunnableConfig) -> AIMessage:
            return BlendRun(self, question, config, kwargs=kwargs).answer()

        made: Any = answer  # its signature is one of those taken, but not one of those typed
        return self._call_with_config(made, input, config)

    async def ainvoke(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AIMessage:
        """Like `invoke`; cancelling it cancels the members' calls."""

        async def answer(question: LanguageModelInput, config: RunnableConfig) -> AIMessage:
            return await BlendRun(self, question, config, kwargs=kwargs).aanswer()

        made: Any = answer
        return await self._acall_with_config(made, input, config)

    def stream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> Iterator[AIMessageChunk]:
        """Answer in chunks: a fused text as it is written where `verify` is off, else one."""

        def chunks(
            questions: Iterator[LanguageModelInput], config: RunnableConfig
        ) -> Iterator[AIMessageChunk]:
            for question in questions:
                yield from BlendRun(self, question, config, kwargs=kwargs).stream()

        made: Any = chunks
        streamed: Any = self._transform_stream_with_config(iter([input]), made, config)
        yield from streamed

    async def astream(
        self, input: LanguageModelInput, config: RunnableConfig | None = None, **kwargs: Any
    ) -> AsyncIterator[AIMessageChunk]:
        """Like `stream`."""

        async def given() -> AsyncIterator[LanguageModelInput]:
            yield input

        async def chunks(
            questions: AsyncIterator[LanguageModelInput], config: RunnableConfig
        ) -> AsyncIterator[AIMessageChunk]:
            async for question in questions:
                run = BlendRun(self, question, config, kwargs=kwargs)
                async with aclosing(run.astream()) as parts:
                    async for part in parts:
                        yield part

        made: Any = chunks
        streamed: Any = self._atransform_stream_with_config(given(), made, config)
        async with aclosing(streamed):
            async for chunk in streamed:
                yield chunk
