"""BlendedChatModel: messages in, message out, with tools and structured output."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from operator import itemgetter
from typing import Any, ClassVar, TypeVar, cast
from uuid import UUID, uuid4

from langchain_core.callbacks import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    CallbackManager,
    CallbackManagerForLLMRun,
)
from langchain_core.callbacks.base import Callbacks
from langchain_core.language_models import BaseChatModel, BaseLanguageModel, LanguageModelInput
from langchain_core.language_models.base import LangSmithParams
from langchain_core.language_models.model_profile import ModelProfile
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, message_chunk_to_message
from langchain_core.output_parsers import BaseOutputParser
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult, LLMResult
from langchain_core.runnables import Runnable, RunnableConfig, RunnableMap, RunnablePassthrough
from langchain_core.runnables.config import ensure_config
from langchain_core.tools import BaseTool
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, PrivateAttr
from typing_extensions import Self

from blender_core.errors import InputError
from langchain_blender.bound_tools import Tools
from langchain_blender.identity import identity
from langchain_blender.profile import common_profile
from langchain_blender.run import BlendRun
from langchain_blender.settings import BlendSettings
from langchain_blender.structured import AnyWayParser, parser_of, structured_member
from langchain_blender.token_counts import most_tokens
from langchain_blender.tracing import below, inherited

__all__ = ["BlendedChatModel"]

M = TypeVar("M", bound=AIMessage)

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

    _borne: ClassVar[frozenset[str]] = frozenset(
        (
            "temperature",
            "max_tokens",
            "max_retries",
            "stop",
            "model",
            "model_name",
            "api_key",
            "streaming",
        )
    )
    """LangChain's standard tests, and code that makes any chat model, give these to all."""

    _children: RunnableConfig = PrivateAttr(default_factory=RunnableConfig)
    """Of a copy made for one run: what its children are run with."""

    _tools: Tools | None = PrivateAttr(default=None)
    """Of a copy with tools: the tools."""

    _parser: BaseOutputParser[Any] | None = PrivateAttr(default=None)
    """Of a copy with structured output: makes the object of a message."""

    _structured: Mapping[str, Any] | None = PrivateAttr(default=None)
    """Of such a copy, where it is not by tool calls: arguments for the members."""

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
            return _result(_without_usage(run.answer()))
        chunks: list[AIMessageChunk] = []
        for chunk in run.stream():
            chunk.id = f"lc_run--{run_manager.run_id}"
            generation = ChatGenerationChunk(message=chunk)
            run_manager.on_llm_new_token(cast("str", chunk.content), chunk=generation)
            chunks.append(chunk)
        return _result(_without_usage(_joined(chunks)))

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        run = self._run(messages, stop, run_manager, kwargs)
        if run_manager is None or not self._is_watched(run_manager, async_api=True, **kwargs):
            return _result(_without_usage(await run.aanswer()))
        chunks: list[AIMessageChunk] = []
        async for chunk in run.astream():
            chunk.id = f"lc_run--{run_manager.run_id}"
            generation = ChatGenerationChunk(message=chunk)
            await run_manager.on_llm_new_token(cast("str", chunk.content), chunk=generation)
            chunks.append(chunk)
        return _result(_without_usage(_joined(chunks)))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in self._run(messages, stop, run_manager, kwargs).stream():
            yield ChatGenerationChunk(message=_without_usage(chunk))

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        async with aclosing(self._run(messages, stop, run_manager, kwargs).astream()) as chunks:
            async for chunk in chunks:
                yield ChatGenerationChunk(message=_without_usage(chunk))

    # The run of a blend tells no usage: those of its members do, and who counts counts those. What
    # is returned tells the sum.

    def generate(
        self,
        messages: list[list[BaseMessage]],
        stop: list[str] | None = None,
        callbacks: Callbacks = None,
        **kwargs: Any,
    ) -> LLMResult:
        """As of any chat model; each message's usage is the sum of all that were asked."""
        return _with_sums(super().generate(messages, stop, callbacks, **kwargs))

    async def agenerate(
        self,
        messages: list[list[BaseMessage]],
        stop: list[str] | None = None,
        callbacks: Callbacks = None,
        **kwargs: Any,
    ) -> LLMResult:
        """Like `generate`."""
        return _with_sums(await super().agenerate(messages, stop, callbacks, **kwargs))

    def invoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Answer; arguments beside these go to the members."""
        model = self._for_children(config)
        return super(BlendedChatModel, model).invoke(input, config, stop=stop, **kwargs)

    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Like `invoke`."""
        model = self._for_children(config)
        return await super(BlendedChatModel, model).ainvoke(input, config, stop=stop, **kwargs)

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
        for chunk in super(BlendedChatModel, model).stream(input, config, stop=stop, **kwargs):
            yield _with_sum(chunk)

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
                yield _with_sum(chunk)

    def _for_children(
        self, config: RunnableConfig | None, callbacks: RunnableConfig | None = None
    ) -> Self:
        """A copy of the model for one run, with what its children are run with."""
        model = self.model_copy()
        model._children = {**inherited(config), **(callbacks or {})}  # noqa: SLF001 - it is one of us
        return model

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
        model = self._for_children(config, below(manager, run_id))
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
        children = self._children
        if run_manager is not None:
            children = {**children, **below(run_manager, run_manager.run_id)}
        options = kwargs if stop is None else {**kwargs, "stop": stop}
        return BlendRun(
            self,
            messages,
            children,
            tools=self._tools,
            parser=self._parser,
            structured=self._structured,
            kwargs=options,
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
        self,
        schema: dict[str, Any] | type | None = None,
        *,
        include_raw: bool = False,
        method: str = "function_calling",
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]:
        """Answer with objects of a schema.

        Answers that parse are preferred. Equal objects are votes: the object that most members
        gave wins, and the ranker decides between those with as many.

        Args:
            schema: as of any chat model.
            include_raw: whether the message is returned beside the object.
            method: ``"function_calling"``, which all members that call tools have, or in each
                member's own way ``"json_schema"`` or ``"json_mode"``.
            strict: for the members' `bind_tools` or `with_structured_output`.
            **kwargs: further arguments of the members' `with_structured_output`.

        Raises:
            InputError: the method or an argument is unknown, or a member cannot do it.
        """
        if method not in ("function_calling", "json_schema", "json_mode"):
            raise InputError(
                f"'method' must be 'function_calling', 'json_schema' or 'json_mode', got {method!r}"
            )
        given = {**kwargs, **({} if strict is None else {"strict": strict})}
        traced = {"kwargs": {"method": method}, "schema": schema}
        model = self.model_copy()
        model._schema = schema  # noqa: SLF001 - it is one of us
        parser: BaseOutputParser[Any]
        if method == "function_calling":
            if schema is None or kwargs:
                wrong = (
                    f"arguments {sorted(kwargs)} are unknown" if kwargs else "'schema' is missing"
                )
                raise InputError(f"structured output by tool calls: {wrong}")
            model._parser = parser = parser_of(schema)  # noqa: SLF001 - it is one of us
            asked = model.bind_tools(
                [schema], tool_choice="any", ls_structured_output_format=traced, **given
            )
        else:
            model._parser = parser = AnyWayParser(schema_=schema)  # noqa: SLF001 - it is one of us
            model._structured = {"schema": schema, "method": method, **given}  # noqa: SLF001
            for name, member in self.everyone().items():
                structured_member(name, member, model._structured)  # noqa: SLF001
            asked = model.bind(ls_structured_output_format=traced)
        if not include_raw:
            return asked | parser
        parsed = RunnablePassthrough.assign(
            parsed=itemgetter("raw") | parser, parsing_error=lambda _: None
        )
        not_parsed = RunnablePassthrough.assign(parsed=lambda _: None)
        raw: Any = RunnableMap(raw=asked)
        structured: Any = raw | parsed.with_fallbacks([not_parsed], exception_key="parsing_error")
        return cast("Runnable[LanguageModelInput, dict[str, Any] | BaseModel]", structured)

    def get_num_tokens(self, text: str) -> int:
        """How many tokens a text has for the member that counts most."""
        return most_tokens(self, lambda member: member.get_num_tokens(text), text)

    def get_num_tokens_from_messages(
        self, messages: list[BaseMessage], tools: Sequence[Any] | None = None
    ) -> int:
        """How many tokens messages have for the member that counts most."""

        def count(member: BaseLanguageModel[Any]) -> int:
            # Not all take tools, which most ignore.
            options = {} if tools is None else {"tools": tools}
            return member.get_num_tokens_from_messages(messages, **options)

        return most_tokens(self, count, messages)

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
        return identity(self, [self._schema, self._structured])


_FOR_TRACES = ("ls_structured_output_format", "structured_output_format")
"""Arguments that LangChain takes out for itself before a model is called."""


def _described(tool: Any) -> dict[str, Any]:
    """A tool in OpenAI's format or, if it is a provider's own, as it is."""
    if isinstance(tool, dict):
        return tool
    return convert_to_openai_tool(tool)


def _result(message: AIMessage) -> ChatResult:
    return ChatResult(generations=[ChatGeneration(message=message)])


def _without_usage(message: M) -> M:
    return message.model_copy(update={"usage_metadata": None})


def _with_sum(message: M) -> M:
    """A blend's message with the usage of all that were asked."""
    told = message.response_metadata.get("blend")
    total = told.get("total_usage") if isinstance(told, dict) else None
    if message.usage_metadata is not None or total is None:
        return message
    return message.model_copy(update={"usage_metadata": total})


def _with_sums(result: LLMResult) -> LLMResult:
    for generations in result.generations:
        for generation in generations:
            if isinstance(generation, ChatGeneration) and isinstance(generation.message, AIMessage):
                generation.message = _with_sum(generation.message)
    return result


def _joined(chunks: list[AIMessageChunk]) -> AIMessage:
    first, *rest = chunks
    whole = first if not rest else first.__add__(rest)
    return cast("AIMessage", message_chunk_to_message(whole))
