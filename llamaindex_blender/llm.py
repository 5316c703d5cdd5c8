"""BlendedLLM: any set of LLMs as one."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

from llama_index.core.base.llms.generic_utils import (
    astream_chat_response_to_completion_response,
    chat_response_to_completion_response,
    prompt_to_messages,
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
from llama_index.core.bridge.pydantic import ConfigDict, Field, model_validator
from llama_index.core.llms import LLM
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool
from typing_extensions import Self

from blender_core.belief.member_prior import MemberPrior
from blender_core.blend import Blender
from blender_core.errors import InputError
from blender_core.members import aask, ask, unused_name
from blender_core.ranking.shipped import shared
from blender_core.threads import in_own_thread
from llamaindex_blender.contest import Contest, as_answer, question_text
from llamaindex_blender.llm_fuser import LLMFuser
from llamaindex_blender.sync_only import is_sync_only
from llamaindex_blender.tool_calls import selection, tool_calls

__all__ = ["BlendedLLM"]


class BlendedLLM(FunctionCallingLLM):
    """Any set of LLMs as one: chat and complete, sync, async and streaming, with tools.

    All members are asked at the same time; their answers are ranked; the best one is returned, or
    one fused from the best. A response's ``additional_kwargs["blend"]`` tells how it came about.
    Tools work where all members can call functions; answers that call tools are picked, never
    fused. A fused text streams while it is written where `verify` is off; a picked one is whole.

    Args:
        members: LLMs by name, or a list of them, named after their models.
        ranker: orders the answers; None is the shipped `JointRanker()`.
        members_prior: what is known of the members by their names, a `MemberPrior` or the path of
            its file, as ``blended-llm fit-members`` writes it; it counts beside what the ranker
            says.
        fuser: a `Fuser` such as `GenFuser`, or an LLM; None returns the best answer as it is.
        top_k: how many of the best are fused.
        verify: whether a fused text must beat the best answer in both orders.
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
    timeout: float | None = Field(default=None, gt=0, description="Seconds a member may take.")
    deadline: float | None = Field(default=None, gt=0, description="Seconds all may take.")
    min_answers: int = Field(default=1, ge=1, description="How many must answer.")

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
        prior = None if self.members_prior is None else MemberPrior.of(self.members_prior)
        return Blender(shared(self.ranker, prior), fuser, top_k=self.top_k, verify=self.verify)

    @classmethod
    def class_name(cls) -> str:
        """The name by which LlamaIndex knows this kind."""
        return "BlendedLLM"

    @property
    def metadata(self) -> LLMMetadata:
        """What all members can do: the least of their limits."""
        each = [member.metadata for member in self.members.values()]
        return LLMMetadata(
            context_window=min(one.context_window for one in each),
            num_output=min(one.num_output for one in each),
            is_chat_model=True,
            is_function_calling_model=all(
                isinstance(member, FunctionCallingLLM) and member.metadata.is_function_calling_model
                for member in self.members.values()
            ),
            model_name="blend",
        )

    @llm_chat_callback()
    def chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Answer a conversation."""
        contest = Contest(ask(self._calls(kwargs), messages, **self._limits()))
        question = question_text(messages)
        blend = self._blender().blend(question, contest.candidates, fuse=contest.fusable)
        return contest.response(blend)

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Like `chat`, without blocking the event loop; cancelling it cancels the members."""
        answers = await aask(self._async_calls(kwargs), messages, **self._limits())
        contest, question = Contest(answers), question_text(messages)
        blend = await self._blender().ablend(question, contest.candidates, fuse=contest.fusable)
        return contest.response(blend)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer a conversation in pieces."""

        def pieces() -> ChatResponseGen:
            contest = Contest(ask(self._calls(kwargs), messages, **self._limits()))
            question = question_text(messages)
            stream = self._blender().stream(question, contest.candidates, fuse=contest.fusable)
            yield from map(contest.response, stream)

        return pieces()

    @llm_chat_callback()
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Like `stream_chat`, without blocking the event loop."""

        async def pieces() -> ChatResponseAsyncGen:
            answers = await aask(self._async_calls(kwargs), messages, **self._limits())
            contest, question = Contest(answers), question_text(messages)
            stream = self._blender().astream(question, contest.candidates, fuse=contest.fusable)
            async with aclosing(stream) as parts:
                async for part in parts:
                    yield contest.response(part)

        return pieces()

    @llm_completion_callback()
    def complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: ARG002 - a chat needs no format
        **kwargs: Any,
    ) -> CompletionResponse:
        """Answer a text."""
        return chat_response_to_completion_response(self.chat(prompt_to_messages(prompt), **kwargs))

    @llm_completion_callback()
    async def acomplete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: ARG002 - a chat needs no format
        **kwargs: Any,
    ) -> CompletionResponse:
        """Like `complete`, without blocking the event loop."""
        return chat_response_to_completion_response(
            await self.achat(prompt_to_messages(prompt), **kwargs)
        )

    @llm_completion_callback()
    def stream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: ARG002 - a chat needs no format
        **kwargs: Any,
    ) -> CompletionResponseGen:
        """Answer a text in pieces."""
        return stream_chat_response_to_completion_response(
            self.stream_chat(prompt_to_messages(prompt), **kwargs)
        )

    @llm_completion_callback()
    async def astream_complete(
        self,
        prompt: str,
        formatted: bool = False,  # noqa: ARG002 - a chat needs no format
        **kwargs: Any,
    ) -> CompletionResponseAsyncGen:
        """Like `stream_complete`, without blocking the event loop."""
        return astream_chat_response_to_completion_response(
            await self.astream_chat(prompt_to_messages(prompt), **kwargs)
        )

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
        options = {
            "verbose": verbose,
            "allow_parallel_tool_calls": allow_parallel_tool_calls,
            "tool_required": tool_required,
            **kwargs,
        }
        return {"messages": messages, "tools": list(tools), "tool_options": options}

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

    def _calls(
        self, kwargs: Mapping[str, Any]
    ) -> dict[str, Callable[[Sequence[ChatMessage]], ChatResponse]]:
        options = dict(kwargs)
        tools, tool_options = options.pop("tools", None), options.pop("tool_options", {})

        def call(member: LLM) -> Callable[[Sequence[ChatMessage]], ChatResponse]:
            def answer(messages: Sequence[ChatMessage]) -> ChatResponse:
                given = list(messages)  # a member may write into it
                if tools:
                    response = _caller(member).chat_with_tools(
                        tools, chat_history=given, **tool_options, **options
                    )
                else:
                    response = member.chat(given, **options)
                return as_answer(response, member)

            return answer

        return {name: call(member) for name, member in self.members.items()}

    def _async_calls(
        self, kwargs: Mapping[str, Any]
    ) -> dict[str, Callable[[Sequence[ChatMessage]], Awaitable[ChatResponse]]]:
        options = dict(kwargs)
        tools, tool_options = options.pop("tools", None), options.pop("tool_options", {})
        sync_calls = self._calls(kwargs)

        def call(
            name: str, member: LLM
        ) -> Callable[[Sequence[ChatMessage]], Awaitable[ChatResponse]]:
            if is_sync_only(member):
                return in_own_thread(sync_calls[name])

            async def answer(messages: Sequence[ChatMessage]) -> ChatResponse:
                given = list(messages)
                if tools:
                    response = await _caller(member).achat_with_tools(
                        tools, chat_history=given, **tool_options, **options
                    )
                else:
                    response = await member.achat(given, **options)
                return as_answer(response, member)

            return answer

        return {name: call(name, member) for name, member in self.members.items()}


def _by_name(members: Sequence[Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for member in members:
        name = (isinstance(member, LLM) and member.metadata.model_name) or type(member).__name__
        named[unused_name(name, named)] = member
    return named


def _user(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.USER, content=text)


def _caller(member: LLM) -> FunctionCallingLLM:
    if not isinstance(member, FunctionCallingLLM):
        raise InputError(f"a {type(member).__name__} cannot call tools")
    return member
