"""BlendedLLM: text in, text out."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing
from hashlib import sha256
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LLM, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import Generation, GenerationChunk, LLMResult
from langchain_core.prompt_values import PromptValue, StringPromptValue
from langchain_core.runnables import Runnable, RunnableConfig
from pydantic import PrivateAttr
from typing_extensions import Self

from langchain_blender.identity import identity
from langchain_blender.messages import canonical, media
from langchain_blender.run import BlendRun
from langchain_blender.settings import BlendSettings
from langchain_blender.token_counts import most_tokens
from langchain_blender.tracing import below, inherited

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

    _children: RunnableConfig = PrivateAttr(default_factory=RunnableConfig)
    """Of a copy made for one run: what its children are run with."""

    def _generate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        return _result([self._run(p, stop, run_manager, kwargs).answer() for p in prompts])

    async def _agenerate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        return _result([await self._run(p, stop, run_manager, kwargs).aanswer() for p in prompts])

    def _call(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> str:
        return self._generate([prompt], stop, run_manager, **kwargs).generations[0][0].text

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

    # An LLM is handed a text. Members are handed what the caller sent, which goes along inside it.

    def _convert_input(self, model_input: LanguageModelInput) -> PromptValue:
        return _Sent(sent=super()._convert_input(model_input))

    def invoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> str:
        """Answer with a text; arguments beside these go to the members."""
        model = self._for_children(config)
        return super(BlendedLLM, model).invoke(input, config, stop=stop, **kwargs)

    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> str:
        """Like `invoke`."""
        model = self._for_children(config)
        return await super(BlendedLLM, model).ainvoke(input, config, stop=stop, **kwargs)

    def stream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[str]:
        """Answer in pieces: a fused text as it is written where `verify` is off, else one."""
        model = self._for_children(config)
        yield from super(BlendedLLM, model).stream(input, config, stop=stop, **kwargs)

    async def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[str]:
        """Like `stream`."""
        model = self._for_children(config)
        pieces: Any = super(BlendedLLM, model).astream(input, config, stop=stop, **kwargs)
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece

    def _for_children(self, config: RunnableConfig | None) -> Self:
        """A copy of the model for one run, with what its children are run with."""
        model = self.model_copy()
        model._children = inherited(config)  # noqa: SLF001 - it is one of us
        return model

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
        children = self._children
        if run_manager is not None:
            children = {**children, **below(run_manager, run_manager.run_id)}
        options = kwargs if stop is None else {**kwargs, "stop": stop}
        sent = prompt.sent if isinstance(prompt, _Prompt) else prompt
        return BlendRun(self, sent, children, kwargs=options)

    def get_num_tokens(self, text: str) -> int:
        """How many tokens a text has for the member that counts most."""
        return most_tokens(self, lambda member: member.get_num_tokens(text), text)

    @property
    def _llm_type(self) -> str:
        return "blended-llm"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return identity(self)


class _Prompt(str):
    """A text, and what it was made of."""

    __slots__ = ("sent",)
    sent: PromptValue


class _Sent(PromptValue):
    """What a caller sent, whose text carries it along."""

    sent: PromptValue

    def to_messages(self) -> list[BaseMessage]:
        return self.sent.to_messages()

    def to_string(self) -> str:
        text = self.sent.to_string()
        messages = self.sent.to_messages()
        if isinstance(self.sent, StringPromptValue):
            return text
        if any(media(message) for message in messages):
            # A cache knows a prompt by its text, in which images do not show.
            contents = canonical([message.content for message in messages])
            text += f"\n[{sha256(contents.encode('utf-8', 'surrogatepass')).hexdigest()}]"
        prompt = _Prompt(text)
        prompt.sent = self.sent
        return prompt


def _result(messages: list[AIMessage]) -> LLMResult:
    told = [dict(message.response_metadata) for message in messages]
    return LLMResult(
        generations=[
            [Generation(text=str(message.text), generation_info=info)]
            for message, info in zip(messages, told, strict=True)
        ],
        llm_output={
            "blend": told[0].get("blend") if len(told) == 1 else [t["blend"] for t in told]
        },
    )


def _chunk(part: AIMessageChunk) -> GenerationChunk:
    return GenerationChunk(text=str(part.text), generation_info=dict(part.response_metadata))
