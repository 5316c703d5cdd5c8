"""One run of a blend: ask the members, hand their answers to the core, make a message of it."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, TypeAlias

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.output_parsers import BaseOutputParser
from langchain_core.runnables import RunnableConfig

from blender_core.blend import Blender
from blender_core.candidates import Candidate, Task
from blender_core.election import Entrant
from blender_core.errors import describe
from blender_core.limits import Deadline
from blender_core.members import Replies, aask, ask
from blender_core.outcomes import Blend, Ranking
from blender_core.ranking.pair_ranker import PairRanker
from blender_core.ranking.shipped import load_ahead
from blender_core.threads import in_own_thread
from langchain_blender.asked import Asked
from langchain_blender.bound_tools import Tools
from langchain_blender.control_flow import arriving, passing
from langchain_blender.failing import tell_failures
from langchain_blender.fitting import unfit_for
from langchain_blender.members import Member, as_answer, takes_text
from langchain_blender.messages import (
    answer_text,
    as_chunk,
    has_calls,
    media,
    message_without_thoughts,
    question_text,
    to_messages,
    total_usage,
    without_reasoning,
)
from langchain_blender.settings import BlendSettings, as_fuser
from langchain_blender.structured import elected, structured_member
from langchain_blender.sync_only import is_sync_only
from langchain_blender.traced import TracedFuser, TracedRanker
from langchain_blender.tracing import Steps

__all__ = ["BlendRun"]

_NOT_KEPT = ("model_name", "model", "token_usage", "usage", "usage_metadata")
"""What the message made does not keep of the metadata of the one it is: with a model's name, a
counter of usage would count the sum of all as that model's."""


class BlendRun:
    """One question on its way through a blend.

    Args:
        settings: the blend's.
        question: what the members are given.
        config: what the blend's children are run with.
        tools: what ``tools`` in the arguments stands for, where they are not the tools themselves.
        parser: makes the object that is wanted, where one is.
        structured: arguments of the members' `with_structured_output`, where the object is to come
            in a provider's own way.
        kwargs: further arguments of the members' `invoke`. ``tools`` and ``tool_choice`` are
            bound by each member's own `bind_tools`.

    Raises:
        InputError: tools are given, and a member cannot call any.
    """

    def __init__(
        self,
        settings: BlendSettings,
        question: LanguageModelInput,
        config: RunnableConfig,
        *,
        tools: Tools | None = None,
        parser: BaseOutputParser[Any] | None = None,
        structured: Mapping[str, Any] | None = None,
        kwargs: Mapping[str, Any],
    ) -> None:
        options = dict(kwargs)
        messages = to_messages(question)
        self._text = question_text(messages)
        self._asked = Asked.of(self._text, messages, options)
        members = settings.everyone()
        called = None
        if "tools" in options:
            called = (tools or Tools((), {})).as_called(options)
            members = {name: called.bound_to(name, member) for name, member in members.items()}
        if structured is not None:
            members = {n: structured_member(n, m, structured) for n, m in members.items()}
        self._unfit = unfit_for(called, self._asked.form)
        self._members = members
        self._messages = messages
        self._options = options
        self._parser = parser
        self._keeps_thoughts = settings.keep_thoughts
        self._is_pairwise = isinstance(settings.ranker, PairRanker)
        self._steps = Steps(config, self._asked)
        self._start = time.perf_counter()
        self._limits: dict[str, Any] = {
            "timeout": settings.timeout,
            "deadline": settings.deadline,
            "min_answers": settings.min_answers,
            "max_concurrency": self._steps.max_concurrency,
        }
        deadline = Deadline(settings.deadline)
        if settings.ranker is None:
            load_ahead()
        fuser = as_fuser(settings.fuser)  # it may have been set since it was validated
        self._blender = Blender(
            TracedRanker(settings.as_ranked(), self._steps, deadline),
            None
            if fuser is None
            else TracedFuser(
                fuser,
                self._steps,
                deadline,
                seconds=settings.fuser_timeout,
                form=self._asked.form,
            ),
            top_k=settings.top_k,
            verify=settings.verify,
            confidence=settings.confidence,
        )

    def answer(self) -> AIMessage:
        """The one answer.

        Raises:
            QuorumError: too few members answered; it carries each one's own error.
        """
        with arriving():
            contest = self._contest(ask(self._calls(), self._messages, **self._limits))
            [blend] = self._blender.blend_many([contest.task(self._text)], fuse=contest.fusable)
            return self._message(contest, blend)

    async def aanswer(self) -> AIMessage:
        """Like `answer`, without blocking the event loop."""
        with arriving():
            answers = await aask(self._async_calls(), self._messages, **self._limits)
            contest = self._contest(answers)
            task = contest.task(self._text)
            [blend] = await self._blender.ablend_many([task], fuse=contest.fusable)
            return self._message(contest, blend)

    def stream(self) -> Iterator[AIMessageChunk]:
        """The answer in chunks; the last one tells how it came about."""
        with arriving():
            contest = self._contest(ask(self._calls(), self._messages, **self._limits))
            candidates = contest.task(self._text).candidates
            streamed = False
            for part in self._blender.stream(self._text, candidates, fuse=contest.fusable):
                if isinstance(part, str):
                    streamed = True
                    yield AIMessageChunk(content=part)
                else:
                    yield self._last_chunk(contest, part, streamed=streamed)

    async def astream(self) -> AsyncGenerator[AIMessageChunk, None]:
        """Like `stream`, without blocking the event loop."""
        with arriving():
            answers = await aask(self._async_calls(), self._messages, **self._limits)
            contest = self._contest(answers)
            candidates = contest.task(self._text).candidates
            streamed = False
            stream = self._blender.astream(self._text, candidates, fuse=contest.fusable)
            async with aclosing(stream) as parts:
                async for part in parts:
                    if isinstance(part, str):
                        streamed = True
                        yield AIMessageChunk(content=part)
                    else:
                        yield self._last_chunk(contest, part, streamed=streamed)

    def _contest(self, answers: Replies[AIMessage]) -> _Contest:
        tell_failures(answers.failures)
        return _Contest(answers, self._parser, self._unfit)

    def _calls(self) -> dict[str, Callable[[Messages], AIMessage]]:
        def call(name: str, member: Member) -> Callable[[Messages], AIMessage]:
            config = self._steps.member_config(name)

            def ask_it(messages: Messages) -> AIMessage:
                self._steps.surround()
                with passing():
                    given = _given_to(member, messages)
                    return as_answer(member.invoke(given, config, **self._options))

            return ask_it

        return {name: call(name, member) for name, member in self._members.items()}

    def _async_calls(self) -> dict[str, Callable[[Messages], Awaitable[AIMessage]]]:
        sync_calls = self._calls()

        def call(name: str, member: Member) -> Callable[[Messages], Awaitable[AIMessage]]:
            if is_sync_only(member):
                return in_own_thread(sync_calls[name])
            config = self._steps.member_config(name)

            async def ask_it(messages: Messages) -> AIMessage:
                self._steps.surround()
                with passing():
                    given = _given_to(member, messages)
                    return as_answer(await member.ainvoke(given, config, **self._options))

            return ask_it

        return {name: call(name, member) for name, member in self._members.items()}

    def _message(self, contest: _Contest, blend: Blend) -> AIMessage:
        winner = contest.election.order(blend.ranking)[0]
        usage = self._usage(contest)
        told = {"blend": self._report(contest, blend, winner)}
        if blend.fused:
            written = self._asked.written[-1] if self._asked.written else AIMessage("")
            metadata = {**_kept(written, but=("model_provider",)), **told}
            more = written.additional_kwargs
            return AIMessage(
                blend.text,
                additional_kwargs=more if self._keeps_thoughts else without_reasoning(more),
                response_metadata=metadata,
                usage_metadata=usage,
            )
        answer = winner.answer if self._keeps_thoughts else message_without_thoughts(winner.answer)
        metadata = {**_kept(answer), **told}
        update = {"id": None, "response_metadata": metadata, "usage_metadata": usage}
        return answer.model_copy(update=update)

    def _usage(self, contest: _Contest) -> UsageMetadata | None:
        """Of all: members, fuser and judges."""
        of_members = [m.usage_metadata for m in contest.answers.answers.values()]
        return total_usage([*of_members, *self._steps.usage_by_step.values()])

    def _last_chunk(self, contest: _Contest, blend: Blend, *, streamed: bool) -> AIMessageChunk:
        chunk = as_chunk(self._message(contest, blend))
        update = {"chunk_position": "last", **({"content": ""} if streamed else {})}
        return chunk.model_copy(update=update)

    def _report(
        self, contest: _Contest, blend: Blend, winner: Entrant[AIMessage]
    ) -> dict[str, Any]:
        """What `response_metadata["blend"]` says, in plain JSON."""
        ranking, standing = blend.ranking, contest.election.standing
        order = [name for entrant in contest.election.order(ranking) for name in entrant.voters]
        report: dict[str, Any] = {
            **blend.report(),
            "order": order,
            "scores": {
                name: score
                for entrant, score in zip(standing, ranking.scores, strict=True)
                for name in entrant.voters
            },
            "failures": {n: describe(error) for n, error in contest.answers.failures.items()},
            "usage": {n: m.usage_metadata for n, m in contest.answers.answers.items()},
            "step_usage": self._steps.usage_by_step,
            "total_usage": self._usage(contest),
            "seconds": {
                "members": dict(contest.answers.seconds),
                **self._steps.seconds,
                "total": time.perf_counter() - self._start,
            },
        }
        if not blend.fused:
            report["sources"] = [winner.voters[0]]
        if self._parser is None and contest.election.aside:
            report["order"] += contest.election.aside
            report["set_aside"] = dict(contest.election.aside)
        if self._is_pairwise and (unjudged := _unjudged(ranking)):
            report["unjudged"] = unjudged
        if self._parser is not None or any(entrant.counts for entrant in standing):
            report["votes"] = {entrant.voters[0]: len(entrant.voters) for entrant in standing}
        return report


Messages: TypeAlias = "list[BaseMessage]"


def _given_to(member: Member, messages: Messages) -> LanguageModelInput:
    """The messages or, for what is made for a text, the text where it is all there is."""
    if len(messages) == 1 and isinstance(messages[0], HumanMessage) and takes_text(member):
        content = messages[0].content
        return content if isinstance(content, str) else messages
    return messages


def _kept(message: AIMessage, but: Sequence[str] = ()) -> dict[str, Any]:
    """What of a message's metadata tells about the answer."""
    left_out = (*_NOT_KEPT, *but)
    return {k: v for k, v in message.response_metadata.items() if k not in left_out}


class _Contest:
    """The members' answers, and which of them stand for election."""

    def __init__(
        self,
        answers: Replies[AIMessage],
        parser: BaseOutputParser[Any] | None,
        unfit: Callable[[AIMessage], str | None],
    ) -> None:
        self.answers = answers
        self.election = elected(answers.answers, parser, unfit)
        # A call says exactly what to do, and so does an image; words cannot be mixed for them.
        self.fusable = parser is None and not any(
            has_calls(entrant.answer) or media(entrant.answer) for entrant in self.election.standing
        )

    def task(self, question: str) -> Task:
        return Task(
            question,
            [
                Candidate(answer_text(one.answer), source=one.voters[0])
                for one in self.election.standing
            ],
        )


def _unjudged(ranking: Ranking) -> int:
    """How many of the comparisons made came to nothing, as a judge's failed calls do."""
    texts = [candidate.text for candidate in ranking.candidates]
    judged = {
        (texts[first], texts[second])
        for first in range(len(texts))
        for second in range(len(texts))
        if first != second and not math.isnan(ranking.matrix[first, second])
    }
    return max(ranking.passes - len(judged), 0)
