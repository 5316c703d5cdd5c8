"""A question and an answer as token ids: the checkpoint's chat template, texts within limits."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from tokenizers import Tokenizer

from blender_core.checks import positive
from blender_core.errors import CheckpointError
from blender_core.models.chat_template import Template
from blender_core.models.tokenizer import TextTokenizer, both_ends, sound

__all__ = ["Limits", "Prompt"]

_PLAIN = Template("", "\n\n", "")


@dataclass(frozen=True, slots=True)
class Limits:
    """How many tokens are read of each text; what is longer loses its middle.

    Args:
        question: of the question.
        answer: of the answer.

    Raises:
        InputError: a limit is no positive whole number.
    """

    question: int = 384
    answer: int = 320

    def __post_init__(self) -> None:
        positive("question", self.question)
        positive("answer", self.answer)

    def within(self, room: int) -> Limits:
        """The same, or less in the same proportion where both together have less room.

        >>> Limits(question=384, answer=320).within(88)
        Limits(question=48, answer=40)
        """
        both = self.question + self.answer
        if both <= room:
            return self
        question = max(1, room * self.question // both)
        return Limits(question, max(1, room - question))


class Prompt:
    """Token ids around and of the texts.

    Texts are tokenized as text: no name of a special token in them acts as one. Each part is
    tokenized by itself, so that answers to the same question share all ids before them.

    Args:
        tokenizer: of the checkpoint.
        template: its chat template; None puts a blank line between the texts.
        end: the token that ends a text, where the template has none after the answer.
        limits: of the texts.
        positions: that the model has for a question with its answer.
        where: the checkpoint's folder, for messages.

    Raises:
        CheckpointError: there is no room for texts, or no token that ends an answer.
    """

    def __init__(
        self,
        tokenizer: Tokenizer,
        template: Template | None,
        *,
        end: int | None,
        limits: Limits,
        positions: int,
        where: Path,
    ) -> None:
        used = template or _PLAIN
        parts = (used.before, used.between, used.after)
        with sound(f"{where}: the tokenizer fails on the chat template"):
            before, between, after = (tokenizer.encode(p, add_special_tokens=False) for p in parts)
            if template is None:
                self._before = _opening(tokenizer) or ([] if end is None else [end])
                self._bare = self._before
            else:
                self._before = before.ids
                self._bare = before.ids + between.ids
            self._between = between.ids
            added = tokenizer.get_added_tokens_decoder()
        closing = [token for token in after.ids if token in added]
        ending = closing[0] if closing else end
        if ending is None or not self._bare:
            raise CheckpointError(
                f"{where}: neither the chat template nor the config says which token ends an answer"
            )
        self.end: int = ending
        """The token that ends an answer."""
        steering = [
            token.content
            for token in added.values()
            if not token.special and token.content.strip() and token.content in "\n".join(parts)
        ]
        self._text = TextTokenizer(tokenizer, steering)
        self._trims = used.trims
        room = positions - len(self._before) - len(self._between)
        if room < 2:
            raise CheckpointError(
                f"{where}: the model has {positions} positions, and its chat template alone takes "
                f"{positions - room}"
            )
        self.limits = limits.within(room)

    def contexts(self, questions: list[str | None]) -> list[list[int]]:
        """What stands before an answer: the question, or for None as little as there can be.

        That is an empty question in the chat template, or the token that begins a text.
        """
        ids = self._ids([question or "" for question in questions], self.limits.question)
        return [
            self._bare if question is None else [*self._before, *own, *self._between]
            for question, own in zip(questions, ids, strict=True)
        ]

    def answers(self, texts: list[str]) -> list[list[int]]:
        """The answers' own ids, without the token that ends them."""
        return self._ids(texts, self.limits.answer)

    def _ids(self, texts: list[str], limit: int) -> list[list[int]]:
        texts = [text.strip() for text in texts] if self._trims else texts
        return [both_ends(ids, limit) for ids in self._text.encode(texts)]


def _opening(tokenizer: Tokenizer) -> list[int]:
    """What the tokenizer puts before a text."""
    seen = tokenizer.encode("a")
    pairs = zip(seen.ids, seen.special_tokens_mask, strict=True)
    return [token for token, _ in takewhile(lambda pair: pair[1], pairs)]
