"""BlendedChatModel: messages in, message out, with tools and structured output."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast
from uuid import UUID, uuid4

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    CallbackManager,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.output_parsers.openai_tools import JsonOutputToolsParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, PrivateAttr
from typing_extensions import Self

from langchain_blender.bound_tools import Tools
from langchain_blender.identity import identity
from langchain_blender.profile import common_profile
from langchain_blender.run import BlendRun
from langchain_blender.settings import BlendSettings
from langchain_blender.structured import parser_of
from langchain_blender.tracing import below

__all__ = ["BlendedChatModel"]

RunManager = CallbackManagerForLLMRun | AsyncCallbackManagerForLLMRun | None


class BlendedChatModel(BlendSettings, BaseChatModel):
    """Any set of chat models as one chat model, for chains, agents and structured output.

    Settings are those of `BlendSettings`. The message's ``response_metadata["blend"]`` tells the
    order of the members, their scores, who failed and why, what was fused and with which verdict,
    and the seconds of each step; its usage is the sum of all members, fuser and judges.

    Tools are bound by each member's own `bind_tools`. Answers with tool calls are ranked and
    picked, never fused. With structured output, answers that parse are preferred, and equal
    objects count as votes for each other.

    >>> from blender_core import ConsensusRanker
    >>> from langchain_core.language_models import FakeListChatModel
    >>> said = ["It is 5.", "It is 4.", "I think it is 4."]
    >>> members = [FakeListChatModel(responses=[text]) for text in said]
    >>> BlendedChatModel(members=members, ranker=ConsensusRanker()).invoke("2 + 2?").text
    'It is 4.'
    """

    _children: RunnableConfig | None = PrivateAttr(default=None)
    """Of a copy made for one streamed run: what its children are run with."""

    _tools: Tools | None = PrivateAttr(default=None)
    """Of a copy with tools: the tools."""

    _parser: JsonOutputToolsParser | None = PrivateAttr(default=None)
    """Of a copy with structured output: makes the object of a message."""

    _schema: Any = PrivateAttr(default=None)
    """Of such a copy: of what the object is one."""

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        run = self._run(messages, stop, run_manager, kwargs)
        if run_manager is None or not self._is_watched(run_manager, async_api=False, **kwargs):
            return _result(run.answer())
        chunks: list[AIMessageChunk] = []
        for chunk in run.stream():
            chunk.id = f"lc_run--{run_manager.run_id}"
            generation = ChatGenerationChunk(message=chunk)
            run_manager.on_llm_new_token(cast("str", chunk.content), chunk=generation)
            chunks.append(chunk)
        return _result(_joined(chunks))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        run = self._run(messages, stop, run_manager, kwargs)
        if run_manager is None or not self._is_watched(run_manager, async_api=True, **kwargs):
            return _result(await run.aanswer())
        chunks: list[AIMessageChunk] = []
        async for chunk in run.astream():
            chunk.id = f"lc_run--{run_manager.run_id}"
            generation = ChatGenerationChunk(message=chunk)
            await run_manager.on_llm_new_token(cast("str", chunk.content), chunk=generation)
            chunks.append(chunk)
        return _result(_joined(chunks))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self._run(messages, stop, run_manager, kwargs).stream():
            yield ChatGenerationChunk(message=chunk)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async with aclosing(self._run(messages, stop, run_manager, kwargs).astream()) as chunks:
            async for chunk in chunks:
                yield ChatGenerationChunk(message=chunk)

    # A streamed run does not tell `_stream` who it is. So its id is chosen here, and a copy of the
    # model, made for this one run, knows it.

    def stream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> Iterator[AIMessageChunk]:
        """Answer in chunks: a fused text as it is written where `verify` is off, else one."""
        model, config = self._for_run(config, CallbackManager)
        yield from super(BlendedChatModel, model).stream(input, config, stop=stop, **kwargs)

    async def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """Like `stream`."""
        model, config = self._for_run(config, AsyncCallbackManager)
        stream = super(BlendedChatModel, model).astream(input, config, stop=stop, **kwargs)
        async with aclosing(cast("AsyncGenerator[AIMessageChunk, None]", stream)) as chunks:
            async for chunk in chunks:
                yield chunk

    def _for_run(
        self,
        config: RunnableConfig | None,
        kind: type[CallbackManager | AsyncCallbackManager],
    ) -> tuple[Self, RunnableConfig]:
        config = ensure_config(config)
        run_id: UUID = config.get("run_id") or uuid4()
        manager = kind.configure(
            config.get("callbacks"),
            None,
            self.verbose,
            config.get("tags"),
            None,
            config.get("metadata"),
        )
        model = self.model_copy()
        model._children = below(manager, run_id)  # noqa: SLF001 - it is one of us
        return model, {**config, "callbacks": manager, "run_id": run_id}

    def _should_stream(
        self, *, async_api: bool, run_manager: RunManager = None, **kwargs: Any
    ) -> bool:
        # Where a handler wants tokens of an invoked model, the base class would call `_stream`
        # without saying whose run it is; `_generate` is told, and passes the tokens on itself.
        return run_manager is None and super()._should_stream(async_api=async_api, **kwargs)

    def _is_watched(self, run_manager: RunManager, *, async_api: bool, **kwargs: Any) -> bool:
        """Whether a handler of the run wants its tokens."""
        return super()._should_stream(async_api=async_api, run_manager=run_manager, **kwargs)

    def _run(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None,
        run_manager: RunManager,
        kwargs: Mapping[str, Any],
    ) -> BlendRun:
        children = self._children or {}
        if run_manager is not None:
            children = below(run_manager, run_manager.run_id)
        options = kwargs if stop is None else {**kwargs, "stop": stop}
        return BlendRun(
            self, messages, children, tools=self._tools, parser=self._parser, kwargs=options
        )

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Bind tools, for every member by its own `bind_tools`.

        Args:
            tools: as of any chat model.
            tool_choice: likewise, ``"any"`` for any of them.
            **kwargs: of the members' `bind_tools`.

        Raises:
            InputError: a member cannot call tools.
        """
        options = kwargs if tool_choice is None else {"tool_choice": tool_choice, **kwargs}
        for_members = {name: value for name, value in options.items() if name not in _FOR_TRACES}
        model = self.model_copy()
        shown = [_described(tool) for tool in tools]
        model._tools = Tools(list(tools), for_members, shown)  # noqa: SLF001 - it is one of us
        for name, member in self.everyone().items():
            model._tools.bound_to(name, member)  # noqa: SLF001 - it is one of us
        # What is bound here tells traces and caches; members get the tools themselves.
        return model.bind(tools=shown, **options)

    def with_structured_output(
        self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Answer with objects of a schema, by tool calls; arguments as of any chat model.

        Answers that parse are preferred. Equal objects are votes: the object that most members
        gave wins, and the ranker decides between those with as many.
        """
        model = self.model_copy()
        model._parser = parser_of(schema)  # noqa: SLF001 - it is one of us
        model._schema = schema  # noqa: SLF001 - it is one of us
        return super(BlendedChatModel, model).with_structured_output(
            schema, include_raw=include_raw, **kwargs
        )

    def _resolve_model_profile(self) -> ModelProfile | None:
        return common_profile(list(self.everyone().values()))

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop=stop, **kwargs)
        params["ls_provider"] = "blender"
        # No word of the members' models: some code takes a model's abilities from its name.
        params["ls_model_name"] = str(kwargs.get("model", "blend"))
        return params

    @property
    def _llm_type(self) -> str:
        return "blended-chat-model"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return identity(self, self._schema)


_FOR_TRACES = ("ls_structured_output_format", "structured_output_format")
"""Arguments that LangChain takes out for itself before a model is called."""


def _described(tool: Any) -> dict[str, Any]:
    """A tool in OpenAI's format or, if it is a provider's own, as it is."""
    if isinstance(tool, dict):
        return tool
    return convert_to_openai_tool(tool)


def _result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def _joined(chunks: list[AIMessageChunk]) -> AIMessage:
    first, *rest = chunks
    whole = first if not rest else first.__add__(rest)
    return AIMessage(**whole.model_dump(exclude={"type", "tool_call_chunks", "chunk_position"}))
