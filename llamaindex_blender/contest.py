"""The answers of several LLMs, as candidates for the core and as responses of LlamaIndex."""

from __future__ import annotations

import json
from collections.abc import Sequence

from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole
from llama_index.core.llms import LLM

from blender_core.candidates import Candidate
from blender_core.errors import describe
from blender_core.members import Answers
from blender_core.outcomes import Blend
from blender_core.prompting.conversation import question_of
from llamaindex_blender.tool_calls import selection, tool_calls, with_calls_in_blocks

__all__ = ["Contest", "as_answer", "question_text"]


class Contest:
    """The members' answers to one conversation.

    Attributes:
        candidates: the answers, named by who gave them.
        fusable: whether they may be fused: none calls a tool.
    """

    def __init__(self, answers: Answers[ChatResponse]) -> None:
        self._answers = answers
        self._written = ""
        self.fusable = not any(map(tool_calls, answers.answers.values()))
        self.candidates = [
            Candidate(_shown(response), source=name) for name, response in answers.answers.items()
        ]

    def response(self, part: str | Blend) -> ChatResponse:
        """A part of a blend as a response: the next piece of a streamed text, or the whole."""
        if isinstance(part, str):
            self._written += part
            return ChatResponse(message=_said(self._written), delta=part)
        told = {
            "blend": {
                **part.report(),
                "failures": {name: describe(e) for name, e in self._answers.failures.items()},
                "seconds": dict(self._answers.seconds),
            }
        }
        if part.fused:
            delta = part.text[len(self._written) :]
            return ChatResponse(message=_said(part.text), delta=delta, additional_kwargs=told)
        winner = self._answers.answers[part.sources[0]]
        return winner.model_copy(
            update={
                "delta": winner.message.content,
                "additional_kwargs": {**winner.additional_kwargs, **told},
            }
        )


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
    """What a ranker reads of a response."""
    lines = [
        json.dumps(
            {"name": call.tool_name, "args": selection(call).tool_kwargs},
            sort_keys=True,
            ensure_ascii=False,
            default=str,
        )
        for call in tool_calls(response)
    ]
    return "\n".join(text for text in (response.message.content or "", *lines) if text)


def _said(text: str) -> ChatMessage:
    return ChatMessage(role=MessageRole.ASSISTANT, content=text)
