"""The answers of several LLMs, as candidates for the core and as responses of LlamaIndex."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, ToolCallBlock
from llama_index.core.callbacks.token_counting import get_tokens_from_response
from llama_index.core.llms import LLM
from llama_index.core.tools.types import BaseTool

from blender_core.candidates import Candidate
from blender_core.conversations import question_of
from blender_core.election import Election
from blender_core.errors import describe
from blender_core.members import Replies
from blender_core.outcomes import Blend
from blender_core.thoughts import without_thoughts
from llamaindex_blender.forms import Form, for_programs
from llamaindex_blender.tool_calls import (
    selection,
    tool_calls,
    unfit_for,
    with_calls_in_blocks,
)

__all__ = ["Contest", "as_answer", "question_text"]


class Contest:
    """The members' answers to one conversation, and which of them stand for election.

    Attributes:
        candidates: those that stand, named by who gave them.
        fusable: whether they may be fused: none calls a tool, or is to be read by a program.
    """

    def __init__(
        self, answers: Replies[ChatResponse], form: Form, tools: Sequence[BaseTool] = ()
    ) -> None:
        self._answers = answers
        self._written = ""
        unfit = unfit_for(tools) if tools else lambda r: form.unfit(r.message.content or "")
        self._form = form
        self._election = Election.of(answers.answers, unfit=unfit, same=self._same)
        standing = self._election.standing
        self.fusable = form.output_cls is None and not any(
            entrant.counts or for_programs(entrant.answer.message.content or "")
            for entrant in standing
        )
        self.candidates = [
            Candidate(_shown(entrant.answer), source=entrant.voters[0]) for entrant in standing
        ]

    def _same(self, response: ChatResponse) -> Hashable | None:
        if self._form.output_cls is None or tool_calls(response):
            return _same_calls(response)
        text = response.message.content or ""
        return None if self._form.unfit(text) else self._form.same(text)

    def response(self, part: str | Blend) -> ChatResponse:
        """A part of a blend as a response: the next piece of a streamed text, or the whole."""
        if isinstance(part, str):
            self._written += part
            return ChatResponse(message=_said(self._written), delta=part)
        order = self._election.order(part.ranking)
        aside = self._election.aside
        told: dict[str, Any] = {
            "blend": {
                **part.report(),
                "order": [*(name for entrant in order for name in entrant.voters), *aside],
                "scores": {
                    name: score
                    for entrant, score in zip(
                        self._election.standing, part.ranking.scores, strict=True
                    )
                    for name in entrant.voters
                },
                **({"set_aside": dict(aside)} if aside else {}),
                "failures": {name: describe(e) for name, e in self._answers.failures.items()},
                "seconds": dict(self._answers.seconds),
                "usage": self._usage(),
            }
        }
        told |= _total(told["blend"]["usage"])
        if part.fused:
            delta = part.text[len(self._written) :]
            return ChatResponse(message=_said(part.text), delta=delta, additional_kwargs=told)
        told["blend"]["sources"] = [order[0].voters[0]]
        winner = order[0].answer
        return winner.model_copy(
            update={
                "delta": winner.message.content,
                "additional_kwargs": {**winner.additional_kwargs, **told},
            }
        )

    def _usage(self) -> dict[str, dict[str, int]]:
        """What each member's provider counted, where it tells."""
        counted = {n: get_tokens_from_response(a) for n, a in self._answers.answers.items()}
        return {
            name: {
                "prompt_tokens": prompt,
                "completion_tokens": completion,
                "total_tokens": prompt + completion,
            }
            for name, (prompt, completion) in counted.items()
            if prompt or completion
        }


def _total(usage: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    """What all members used, under the names that LlamaIndex's LLMs have for it."""
    total: Counter[str] = Counter()
    for one in usage.values():
        total.update(one)
    return dict(total)


def as_answer(response: ChatResponse, llm: LLM) -> ChatResponse:
    """A response that can stand as an answer.

    Raises:
        ValueError: it says nothing: no text, no image or the like, no tool call.
    """
    response = with_calls_in_blocks(response, llm)
    other = any(block.block_type not in ("text", "thinking") for block in response.message.blocks)
    if not (other or (response.message.content or "").strip()):
        raise ValueError("gave an empty answer")
    return response


def question_text(messages: Sequence[ChatMessage]) -> str:
    """What a ranker reads as the question; see `question_of`."""
    return question_of(
        [m.content or "" for m in messages if m.role == MessageRole.SYSTEM],
        [
            (m.role.value.capitalize(), m.content or "")
            for m in messages
            if m.role != MessageRole.SYSTEM
        ],
    )


def _shown(response: ChatResponse) -> str:
    """What a ranker reads of a response: without the thoughts before it."""
    lines = [_canonical(call) for call in tool_calls(response)]
    said = response.message.content or ""
    return "\n".join(text for text in (without_thoughts(said) or said, *lines) if text)


def _same_calls(response: ChatResponse) -> Hashable | None:
    """What an answer wants to be called, in whatever order; None if it is in words."""
    return tuple(sorted(map(_canonical, tool_calls(response)))) or None


def _canonical(call: ToolCallBlock) -> str:
    return json.dumps(
        {"name": call.tool_name, "args": selection(call).tool_kwargs},
        sort_keys=True,
        ensure_ascii=False,
        default=str,
    )


def _said(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.ASSISTANT, content=text)
