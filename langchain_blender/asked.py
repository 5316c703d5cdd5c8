"""What a blend was asked, for its fuser and its judge, to whom the core hands texts alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage

from langchain_blender.form import Form
from langchain_blender.members import Member
from langchain_blender.messages import media

__all__ = ["Asked", "asked_now", "shown_to"]


@dataclass(frozen=True, slots=True)
class Asked:
    """A question on its way through a blend.

    Attributes:
        text: the question as rankers and fusers read it.
        media: its images, files and the like, as content blocks.
        form: what the call wants of the answer's form.
        written: what a chat model wrote as fused text, as messages.
    """

    text: str
    media: Sequence[dict[str, Any]] = ()
    form: Form = field(default_factory=Form)
    written: list[AIMessage] = field(default_factory=list)

    @classmethod
    def of(cls, text: str, messages: Sequence[BaseMessage], options: Mapping[str, Any]) -> Asked:
        """The question of these messages, with the arguments of the call."""
        return cls(text, [block for m in messages for block in media(m)], Form.of(options))


current: ContextVar[Asked | None] = ContextVar("blend_asked", default=None)


def asked_now(text: str) -> Asked:
    """What is asked, if this is its text; otherwise the text is all there is."""
    asked = current.get()
    return asked if asked is not None and asked.text == text else Asked(text)


def shown_to(model: Member, prompt: list[BaseMessage], question: str) -> list[BaseMessage]:
    """A prompt with the question's images and files, unless the model is known to take none."""
    blocks = asked_now(question).media
    profile = getattr(model, "profile", None) or {}
    if not blocks or profile.get("image_inputs") is False:
        return prompt
    *before, last = prompt
    return [*before, HumanMessage([{"type": "text", "text": str(last.text)}, *blocks])]
