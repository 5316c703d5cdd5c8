"""BlendedLLM: any set of LLMs as one."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from llama_index.core.base.llms.generic_utils import (
    astream_chat_response_to_completion_response,
    chat_response_to_completion_response,
    stream_chat_response_to_completion_response,
)
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    ChatResponseAsyncGen,
    ChatResponseGen,
    CompletionResponse,
    CompletionResponseAsyncGen,
    CompletionResponseGen,
    LLMMetadata,
    MessageRole,
)
from llama_index.core.bridge.pydantic import ConfigDict, Field, PrivateAttr, model_validator
from llama_index.core.llms import LLM
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.program.utils import FlexibleModel
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools.types import BaseTool
from llama_index.core.types import Model
from typing_extensions import Self

from blender_core.belief.member_prior import MemberPrior
from blender_core.blend import Blender
from blender_core.errors import InputError
from blender_core.members import Replies, aask, ask, unused_name
from blender_core.ranking.shipped import shared
from blender_core.threads import in_own_thread
from llamaindex_blender.asking import Asking
from llamaindex_blender.contest import Contest, question_text
from llamaindex_blender.failing import Failing
from llamaindex_blender.forms import Form
from llamaindex_blender.handlers import watched_by
from llamaindex_blender.llm_fuser import LLMFuser
from llamaindex_blender.pickling import check_picklable
from llamaindex_blender.sync_only import is_sync_only
from llamaindex_blender.tool_calls import selection, tool_calls

__all__ = ["BlendedLLM"]

logger = logging.getLogger(__name__)

Question = Sequence[ChatMessage] | str
"""A conversation, or a text that is to be completed."""

_FUSE = "fuse"
_OUTPUT_CLS = "_output_cls"
"""Arguments of a call that are not for the members."""


class BlendedLLM(FunctionCallingLLM):
    """Any set of LLMs as one: chat and complete, sync, async and streaming, with tools.

    All members are asked at the same time; their answers are ranked; the best one is returned, or
    one fused from the best. A response's ``additional_kwargs["blend"]`` tells how it came about.
    Tools work where all members can call functions; answers that call tools are picked, never
    fused, and so are JSON and the steps of a ReAct agent. A fused text streams while it is written
    where `verify` is off; a picked one is whole. Each member is asked as it would be alone, with
    its own system prompt, prompt formats and output parser. Handlers of callbacks see the calls of
    members, fuser and judges, and none of the blend itself.

    Args:
        members: LLMs by name, or a list of them, named after their models.
        ranker: orders the answers; None is the shipped `JointRanker()`.
        members_prior: what is known of the members by their names, a `MemberPrior` or the path of
            its file, as ``blended-llm fit-members`` writes it; it counts beside what the ranker
            says.
        fuser: a `Fuser` such as `GenFuser`, or an LLM; None returns the best answer as it is.
        top_k: how many of the best are fused.
        verify: whether a fused text must beat the best answer in both orders.
        confidence: how probable it must be that a fused text is better; see `Blender`.
        timeout: seconds a member may take.
        deadline: seconds all members together may take.
        min_answers: how many must answer; fewer are a `QuorumError` with each one's own error.

    Raises:
        ValidationError: a setting is not usable.
    """

    model_config = ConfigDict(extra="forbid")

    members: dict[str, Any] = Field(description="LLMs by name.")
    ranker: Any = Field(default=None, exclude=True, description="Orders the answers.")
    members_prior: MemberPrior | str | Path | None = Field(
        default=None, description="What is known of the members, or its file."
    )
    fuser: Any = Field(default=None, exclude=True, description="Writes one from the best.")
    top_k: int = Field(default=3, ge=1, description="How many of the best are fused.")
    verify: bool = Field(default=True, description="Whether a fused text must beat the best.")
    confidence: float | None = Field(
        default=None, ge=0.5, lt=1.0, description="How sure it must be that it does."
    )
    timeout: float | None = Field(default=None, gt=0, description="Seconds a member may take.")
    deadline: float | None = Field(default=None, gt=0, description="Seconds all may take.")
    min_answers: int = Field(default=1, ge=1, description="How many must answer.")
    _failing: Failing = PrivateAttr(default_factory=lambda: Failing(logger))
    _blocking: frozenset[str] = PrivateAttr(default=frozenset())

    @model_validator(mode="before")
    @classmethod
    def _named(cls, given: Any) -> Any:
        members = given.get("members") if isinstance(given, dict) else None
        if isinstance(members, list | tuple):
            return {**given, "members": _by_name(members)}
        return given

    @model_validator(mode="after")
    def _settings_go_together(self) -> Self:
        if not self.members:
            raise InputError("'members' is empty: there is nobody to ask")
        for name, member in self.members.items():
            if not name:
                raise InputError("a member's name is empty")
            if not isinstance(member, LLM):
                raise InputError(f"member {name!r} must be an LLM, got {type(member).__name__}")
        if self.min_answers > len(self.members):
            raise InputError(
                f"'min_answers' is {self.min_answers} of only {len(self.members)} members"
            )
        self._blender()
        return self

    def _blender(self) -> Blender:
        """Made when it is used: settings may have changed."""
        fuser = LLMFuser(self.fuser) if isinstance(self.fuser, LLM) else self.fuser
        if isinstance(fuser, LLMFuser):
            watching = self.callback_manager
            fuser = LLMFuser(fuser.llm, prompt=fuser.prompt, callback_manager=watching)
        prior = None if self.members_prior is None else MemberPrior.of(self.members_prior)
        return Blender(
            shared(self.ranker, prior),
            fuser,
            top_k=self.top_k,
            verify=self.verify,
            confidence=self.confidence,
        )

    @classmethod
    def class_name(cls) -> str:
        """The name by which LlamaIndex knows this kind."""
        return "BlendedLLM"

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled.

        Raises:
            TypeError: something cannot be; LlamaIndex would leave it out in silence, of this very
                object too.
        """
        check_picklable(self)
        state: dict[str, Any] = super().__getstate__()
        return state

    @property
    def metadata(self) -> LLMMetadata:
        """What all members can do: a prompt that fits here fits each of them."""
        each = [member.metadata for member in self.members.values()]
        window = min(one.context_window for one in each)
        longest_prompt = min(one.context_window - one.num_output for one in each)
        return LLMMetadata(
            context_window=window,
            num_output=window - longest_prompt,
            is_chat_model=any(one.is_chat_model for one in each),
            is_function_calling_model=all(
                isinstance(member, FunctionCallingLLM) and member.metadata.is_function_calling_model
                for member in self.members.values()
            ),
            model_name="blend",
        )

    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer a conversation.

        Args:
            messages: the conversation.
            **kwargs: ``fuse=False`` only picks; all others reach the members.
        """
        return self._answer(messages, kwargs)

    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Like `chat`, without blocking the event loop; cancelling it cancels the members."""
        return await self._aanswer(messages, kwargs)

    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer a conversation in pieces."""
        return self._pieces(messages, kwargs)

    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Like `stream_chat`, without blocking the event loop."""
        return self._apieces(messages, kwargs)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """Answer a text."""
        question = self._formatted(prompt, formatted=formatted)
        return chat_response_to_completion_response(self._answer(question, kwargs))

    async def acomplete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponse:
        """Like `complete`, without blocking the event loop."""
        question = self._formatted(prompt, formatted=formatted)
        return chat_response_to_completion_response(await self._aanswer(question, kwargs))

    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        """Answer a text in pieces."""
        question = self._formatted(prompt, formatted=formatted)
        return stream_chat_response_to_completion_response(self._pieces(question, kwargs))

    async def astream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseAsyncGen:
        """Like `stream_complete`, without blocking the event loop."""
        question = self._formatted(prompt, formatted=formatted)
        return astream_chat_response_to_completion_response(self._apieces(question, kwargs))

    def structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """An object: of the answers, those that hold one stand before the others."""
        wanted = {**(llm_kwargs or {}), _OUTPUT_CLS: output_cls}
        found: Model = super().structured_predict(output_cls, prompt, wanted, **prompt_args)
        return found

    async def astructured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Model:
        """Like `structured_predict`, without blocking the event loop."""
        wanted = {**(llm_kwargs or {}), _OUTPUT_CLS: output_cls}
        found: Model = await super().astructured_predict(output_cls, prompt, wanted, **prompt_args)
        return found

    def stream_structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> Generator[Model | FlexibleModel, None, None]:
        """Like `structured_predict`, in pieces."""
        wanted = {**(llm_kwargs or {}), _OUTPUT_CLS: output_cls}
        return super().stream_structured_predict(output_cls, prompt, wanted, **prompt_args)

    async def astream_structured_predict(
        self,
        output_cls: type[Model],
        prompt: PromptTemplate,
        llm_kwargs: dict[str, Any] | None = None,
        **prompt_args: Any,
    ) -> AsyncGenerator[Model | FlexibleModel, None]:
        """Like `stream_structured_predict`, without blocking the event loop."""
        wanted = {**(llm_kwargs or {}), _OUTPUT_CLS: output_cls}
        return await super().astream_structured_predict(output_cls, prompt, wanted, **prompt_args)

    def _answer(self, question: Question, kwargs: dict[str, Any]) -> ChatResponse:
        asking, form, fuse = self._asked(question, kwargs)
        if self.rate_limiter is not None:
            self.rate_limiter.acquire()
        contest = self._contest(ask(self._calls(asking), None, **self._limits()), form, asking)
        asked = question_text(asking.messages)
        with watched_by(self.callback_manager):
            blend = self._blender().blend(asked, contest.candidates, fuse=fuse and contest.fusable)
        return contest.response(blend)

    async def _aanswer(self, question: Question, kwargs: dict[str, Any]) -> ChatResponse:
        asking, form, fuse = self._asked(question, kwargs)
        if self.rate_limiter is not None:
            await self.rate_limiter.async_acquire()
        answers = await aask(self._async_calls(asking), None, **self._limits())
        contest = self._contest(answers, form, asking)
        asked = question_text(asking.messages)
        with watched_by(self.callback_manager):
            blend = await self._blender().ablend(
                asked, contest.candidates, fuse=fuse and contest.fusable
            )
        return contest.response(blend)

    def _pieces(self, question: Question, kwargs: dict[str, Any]) -> ChatResponseGen:
        asking, form, fuse = self._asked(question, kwargs)
        if self.rate_limiter is not None:
            self.rate_limiter.acquire()
        contest = self._contest(ask(self._calls(asking), None, **self._limits()), form, asking)
        asked = question_text(asking.messages)
        blender = self._blender()
        stream = blender.stream(asked, contest.candidates, fuse=fuse and contest.fusable)
        yield from map(contest.response, stream)

    async def _apieces(self, question: Question, kwargs: dict[str, Any]) -> ChatResponseAsyncGen:
        asking, form, fuse = self._asked(question, kwargs)
        if self.rate_limiter is not None:
            await self.rate_limiter.async_acquire()
        answers = await aask(self._async_calls(asking), None, **self._limits())
        contest = self._contest(answers, form, asking)
        asked = question_text(asking.messages)
        blender = self._blender()
        stream = blender.astream(asked, contest.candidates, fuse=fuse and contest.fusable)
        async with aclosing(stream) as parts:
            async for part in parts:
                yield contest.response(part)

    def _formatted(self, prompt: str, *, formatted: bool) -> str:
        to_prompt: Any = self.completion_to_prompt
        return prompt if formatted else str(to_prompt(prompt))

    def _asked(self, question: Question, kwargs: dict[str, Any]) -> tuple[Asking, Form, bool]:
        """What the members are asked, what their answers have to be, and whether to fuse them."""
        options = dict(kwargs)
        tools, tool_options = options.pop("tools", None), options.pop("tool_options", {})
        fuse, output_cls = options.pop(_FUSE, True), options.pop(_OUTPUT_CLS, None)
        parser = self.output_parser
        asking = Asking(question, options, tools or (), tool_options, self.callback_manager)
        wanted = asking.messages[-1].content if asking.messages else None
        form = Form(output_cls, None if parser is None else parser.parse, wanted or "")
        return asking, form, fuse

    def _contest(self, answers: Replies[ChatResponse], form: Form, asking: Asking) -> Contest:
        self._blocking |= answers.blocking  # from now on these are asked in threads
        self._failing.note(answers.failures)
        return Contest(answers, form, asking.tools)

    def _prepare_chat_with_tools(
        self,
        tools: Sequence[BaseTool],
        user_msg: str | ChatMessage | None = None,
        chat_history: list[ChatMessage] | None = None,
        verbose: bool = False,
        allow_parallel_tool_calls: bool = False,
        tool_required: bool = False,
        **kwargs: Any,
    ) -> dict[str, Any]:
        """The arguments of `chat`: each member prepares the tools in its own way."""
        messages = list(chat_history or [])
        if user_msg is not None:
            user = user_msg if isinstance(user_msg, ChatMessage) else _user(user_msg)
            messages.append(user)
        own = {name: kwargs.pop(name) for name in (_FUSE, _OUTPUT_CLS) if name in kwargs}
        options = {
            "verbose": verbose,
            "allow_parallel_tool_calls": allow_parallel_tool_calls,
            "tool_required": tool_required,
            **kwargs,
        }
        return {"messages": messages, "tools": list(tools), "tool_options": options, **own}

    def get_tool_calls_from_response(
        self, response: ChatResponse, error_on_no_tool_call: bool = True, **_: Any
    ) -> list[ToolSelection]:
        """The tool calls of an answer.

        Raises:
            ValueError: there is none, and `error_on_no_tool_call` is set.
        """
        calls = [selection(block) for block in tool_calls(response)]
        if error_on_no_tool_call and not calls:
            raise ValueError("the answer calls no tool")
        return calls

    def _limits(self) -> dict[str, Any]:
        return {
            "timeout": self.timeout,
            "deadline": self.deadline,
            "min_answers": self.min_answers,
        }

    def _calls(self, asking: Asking) -> dict[str, Callable[[None], ChatResponse]]:
        def call(member: LLM) -> Callable[[None], ChatResponse]:
            return lambda _: asking.ask(member)

        return {name: call(member) for name, member in self.members.items()}

    def _async_calls(self, asking: Asking) -> dict[str, Callable[[None], Awaitable[ChatResponse]]]:
        def call(name: str, member: LLM) -> Callable[[None], Awaitable[ChatResponse]]:
            if name in self._blocking or is_sync_only(member):
                return in_own_thread(lambda _: asking.ask(member))
            return lambda _: asking.aask(member)

        return {name: call(name, member) for name, member in self.members.items()}


def _by_name(members: Sequence[Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for member in members:
        name = (isinstance(member, LLM) and member.metadata.model_name) or type(member).__name__
        named[unused_name(name, named)] = member
    return named


def _user(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.USER, content=text)
