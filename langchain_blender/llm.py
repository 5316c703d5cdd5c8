"""BlendedLLM: text in, text out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LLM, LanguageModelInput
from langchain_core.messages import AIMessageChunk
from langchain_core.outputs import GenerationChunk
from langchain_core.runnables import Runnable, RunnableConfig

from langchain_blender.identity import identity
from langchain_blender.run import BlendRun
from langchain_blender.settings import BlendSettings
from langchain_blender.tracing import below

__all__ = ["BlendedLLM"]


class BlendedLLM(BlendSettings, LLM):
    """Any set of chat models as one LLM: the drop-in for ``prompt | llm | parser``.

    Settings are those of `BlendSettings`. A fused text streams as it is written where `verify` is
    off; an answer that is checked first, or picked, comes as one piece.

    >>> from blender_core import ConsensusRanker
    >>> from langchain_core.language_models import FakeListChatModel
    >>> said = ["It is 5.", "It is 4.", "I think it is 4."]
    >>> members = [FakeListChatModel(responses=[text]) for text in said]
    >>> BlendedLLM(members=members, ranker=ConsensusRanker()).invoke("2 + 2?")
    'It is 4.'
    """

    def _call(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> str:
        return str(self._run(prompt, stop, run_manager, kwargs).answer().text)

    async def _acall(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> str:
        return str((await self._run(prompt, stop, run_manager, kwargs).aanswer()).text)

    def _stream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[GenerationChunk]:
        for part in self._run(prompt, stop, run_manager, kwargs).stream():
            chunk = _chunk(part)
            if run_manager is not None:
                run_manager.on_llm_new_token(chunk.text, chunk=chunk)
            yield chunk

    async def _astream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[GenerationChunk]:
        async with aclosing(self._run(prompt, stop, run_manager, kwargs).astream()) as parts:
            async for part in parts:
                chunk = _chunk(part)
                if run_manager is not None:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    # The base class answers all prompts of a batch under the first one's run, one by one.

    def batch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[str]:
        """Answer many prompts at the same time, each in a run of its own."""
        return Runnable.batch(self, inputs, config, return_exceptions=return_exceptions, **kwargs)

    async def abatch(
        self,
        inputs: list[LanguageModelInput],
        config: RunnableConfig | list[RunnableConfig] | None = None,
        *,
        return_exceptions: bool = False,
        **kwargs: Any,
    ) -> list[str]:
        """Like `batch`, without blocking the event loop."""
        return await Runnable.abatch(
            self, inputs, config, return_exceptions=return_exceptions, **kwargs
        )

    def _run(
        self,
        prompt: str,
        stop: list[str] | None,
        run_manager: CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None,
        kwargs: dict[str, Any],
    ) -> BlendRun:
        children = {} if run_manager is None else below(run_manager, run_manager.run_id)
        options = kwargs if stop is None else {**kwargs, "stop": stop}
        return BlendRun(self, prompt, children, kwargs=options)

    @property
    def _llm_type(self) -> str:
        return "blended-llm"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return identity(self)


def _chunk(part: AIMessageChunk) -> GenerationChunk:
    return GenerationChunk(text=str(part.text), generation_info=dict(part.response_metadata))
