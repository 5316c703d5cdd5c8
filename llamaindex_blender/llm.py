"""BlendedLLM: any set of LLMs as one."""

from __future__ import annotations

import json
import math
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
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
    ToolCallBlock,
)
from llama_index.core.bridge.pydantic import ConfigDict, Field, model_validator
from llama_index.core.llms import LLM
from llama_index.core.llms.callbacks import llm_chat_callback, llm_completion_callback
from llama_index.core.llms.function_calling import FunctionCallingLLM
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.tools.types import BaseTool
from typing_extensions import Self

from blender_core.blend import Blender
from blender_core.candidates import Blend, Candidate
from blender_core.errors import InputError, describe
from blender_core.members import Answers, aask, ask, in_own_thread
from blender_core.ranking.joining import shared
from llamaindex_blender.llm_fuser import LLMFuser
from llamaindex_blender.sync_only import is_sync_only

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
        return Blender(shared(self.ranker), fuser, top_k=self.top_k, verify=self.verify)

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
        contest = _Contest(ask(self._calls(kwargs), messages, **self._limits()))
        blend = self._blender().blend(_question(messages), contest.candidates, fuse=contest.fusable)
        return contest.response(blend)

    @llm_chat_callback()
    async def achat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponse:
        """Like `chat`, without blocking the event loop; cancelling it cancels the members."""
        answers = await aask(self._async_calls(kwargs), messages, **self._limits())
        contest = _Contest(answers)
        blend = await self._blender().ablend(
            _question(messages), contest.candidates, fuse=contest.fusable
        )
        return contest.response(blend)

    @llm_chat_callback()
    def stream_chat(self, messages: Sequence[ChatMessage], **kwargs: Any) -> ChatResponseGen:
        """Answer a conversation in pieces."""

        def pieces() -> ChatResponseGen:
            contest = _Contest(ask(self._calls(kwargs), messages, **self._limits()))
            written = ""
            for part in self._blender().stream(
                _question(messages), contest.candidates, fuse=contest.fusable
            ):
                if isinstance(part, Blend):
                    yield contest.response(part, written)
                else:
                    written += part
                    yield _piece(written, part)

        return pieces()

    @llm_chat_callback()
    async def astream_chat(
        self, messages: Sequence[ChatMessage], **kwargs: Any
    ) -> ChatResponseAsyncGen:
        """Like `stream_chat`, without blocking the event loop."""

        async def pieces() -> ChatResponseAsyncGen:
            answers = await aask(self._async_calls(kwargs), messages, **self._limits())
            contest = _Contest(answers)
            written = ""
            async for part in self._blender().astream(
                _question(messages), contest.candidates, fuse=contest.fusable
            ):
                if isinstance(part, Blend):
                    yield contest.response(part, written)
                else:
                    written += part
                    yield _piece(written, part)

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
        formatted: bool = False,  # noqa: ARG002
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
        formatted: bool = False,  # noqa: ARG002
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
        formatted: bool = False,  # noqa: ARG002
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
        calls = [_selection(block) for block in _tool_calls(response)]
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
                return _checked(response, member)

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
                return _checked(response, member)

            return answer

        return {name: call(name, member) for name, member in self.members.items()}


class _Contest:
    """The members' answers, as candidates and as responses."""

    def __init__(self, answers: Answers[ChatResponse]) -> None:
        self.answers = answers
        self.fusable = not any(map(_tool_calls, answers.answers.values()))
        self.candidates = [
            Candidate(_shown(response), source=name) for name, response in answers.answers.items()
        ]

    def response(self, blend: Blend, written: str = "") -> ChatResponse:
        """The answer as LlamaIndex's response.

        Args:
            blend: what came out.
            written: what of its text was streamed already.
        """
        told = {"blend": self._report(blend)}
        if blend.fused:
            delta = blend.text[len(written) :]
            message = ChatMessage(role=MessageRole.ASSISTANT, content=blend.text)
            return ChatResponse(message=message, delta=delta, additional_kwargs=told)
        winner = self.answers.answers[blend.sources[0]]
        return winner.model_copy(
            update={
                "delta": winner.message.content,
                "additional_kwargs": {**winner.additional_kwargs, **told},
            }
        )

    def _report(self, blend: Blend) -> dict[str, Any]:
        names = [str(candidate.source) for candidate in self.candidates]
        ranking = blend.ranking
        return {
            "order": [names[place] for place in ranking.order],
            "scores": dict(zip(names, ranking.scores, strict=True)),
            "passes": ranking.passes,
            "fused": blend.fused,
            "sources": list(blend.sources),
            "verdict": {
                key: None if isinstance(value, float) and math.isnan(value) else value
                for key, value in asdict(blend.verdict).items()
            },
            "failures": {name: describe(e) for name, e in self.answers.failures.items()},
            "seconds": dict(self.answers.seconds),
        }


def _by_name(members: Sequence[Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for member in members:
        wanted = (isinstance(member, LLM) and member.metadata.model_name) or type(member).__name__
        name, number = wanted, 1
        while name in named:
            number += 1
            name = f"{wanted} #{number}"
        named[name] = member
    return named


def _user(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.USER, content=text)


def _caller(member: LLM) -> FunctionCallingLLM:
    if not isinstance(member, FunctionCallingLLM):
        raise InputError(f"a {type(member).__name__} cannot call tools")
    return member


def _checked(response: ChatResponse, member: LLM) -> ChatResponse:
    """The response with its tool calls in blocks, which is where all LLMs look for them.

    Raises:
        ValueError: it says nothing: no text, no image or the like, no tool call.
    """
    calls = [] if _tool_calls(response) else _calls_by(member, response)
    if calls:
        blocks = [*response.message.blocks, *calls]
        message = response.message.model_copy(update={"blocks": blocks})
        response = response.model_copy(update={"message": message})
    other = any(block.block_type not in ("text", "thinking") for block in response.message.blocks)
    if not (other or (response.message.content or "").strip()):
        raise ValueError("gave an empty answer")
    return response


def _tool_calls(response: ChatResponse) -> list[ToolCallBlock]:
    return [block for block in response.message.blocks if isinstance(block, ToolCallBlock)]


def _calls_by(member: LLM, response: ChatResponse) -> list[ToolCallBlock]:
    """The tool calls of a response that does not hold them in blocks, as its LLM says."""
    if not isinstance(member, FunctionCallingLLM):
        return []
    try:
        selections = member.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    except NotImplementedError:
        return []
    return [
        ToolCallBlock(tool_call_id=s.tool_id, tool_name=s.tool_name, tool_kwargs=s.tool_kwargs)
        for s in selections
    ]


def _selection(block: ToolCallBlock) -> ToolSelection:
    arguments: Any = block.tool_kwargs
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except ValueError:
            arguments = {}
    return ToolSelection(
        tool_id=block.tool_call_id or "", tool_name=block.tool_name, tool_kwargs=arguments
    )


def _shown(response: ChatResponse) -> str:
    """What a ranker reads of a response."""
    lines = [
        json.dumps(
            {"name": call.tool_name, "args": _selection(call).tool_kwargs},
            sort_keys=True,
            ensure_ascii=False,
            default=str,
        )
        for call in _tool_calls(response)
    ]
    return "\n".join(text for text in (response.message.content or "", *lines) if text)


def _piece(written: str, piece: str) -> ChatResponse:
    message = ChatMessage(role=MessageRole.ASSISTANT, content=written)
    return ChatResponse(message=message, delta=piece)


def _question(messages: Sequence[ChatMessage]) -> str:
    """What a ranker reads as the question; of a longer conversation, who said what."""
    system = [m.content or "" for m in messages if m.role == MessageRole.SYSTEM]
    turns = [m for m in messages if m.role != MessageRole.SYSTEM]
    said = [turn.content or "" for turn in turns]
    if len(turns) > 1:
        said = ["\n".join(f"{t.role.value.capitalize()}: {t.content or ''}" for t in turns)]
    return "\n\n".join(text for text in (*system, *said) if text)
