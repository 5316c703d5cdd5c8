"""Question and answer inside a text with special tokens of its own, such as a chat template."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from typing import Any

from tokenizers import Tokenizer

from blender_core.comparison.pointwise.rows import Row, check_room, share
from blender_core.models.chat_template import Template
from blender_core.models.tokenizer import TextTokenizer, well_formed

__all__ = ["TemplateRows"]

_GUARD = "\U0010ffff"
"""Special tokens of a template are written with it in front; `well_formed` text never has it."""


class TemplateRows:
    """Question and answer tokenized together with the template around them.

    Args:
        tokenizer: of the checkpoint.
        template: its special tokens act, those in user text do not.
        max_length: tokens of a row; see `share` for what is cut.

    Raises:
        InputError: `max_length` leaves no room for text.
    """

    def __init__(self, tokenizer: TextTokenizer, template: Template, max_length: int) -> None:
        parts = (template.before, template.between, template.after)
        self._tokenizer, special = _guarded(tokenizer.full, "\n".join(parts))
        self._template = template
        self._before, self._between, self._after = (_with_guard(part, special) for part in parts)
        self._max_length = max_length
        self._taken = len(self._ids("", ""))
        check_room(max_length, self._taken)

    def __call__(self, items: Sequence[tuple[str, str]]) -> list[Row]:
        """One row an item."""
        return [Row(self._fitting(self._clean(q), self._clean(a))) for q, a in items]

    def _clean(self, text: str) -> str:
        text = well_formed(text)
        return text.strip() if self._template.trims else text

    def _ids(self, question: str, answer: str) -> list[int]:
        text = f"{self._before}{question}{self._between}{answer}{self._after}"
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=self._template.framed).ids
        return ids

    def _fitting(self, question: str, answer: str) -> list[int]:
        ids = self._ids(question, answer)
        if len(ids) <= self._max_length:
            return ids
        question_ends, answer_ends = self._token_ends(question), self._token_ends(answer)
        room = self._max_length - self._taken
        while True:
            kept_question, kept_answer = share(room, len(question_ends), len(answer_ends))
            ids = self._ids(
                _cut(question, question_ends, kept_question), _cut(answer, answer_ends, kept_answer)
            )
            if len(ids) <= self._max_length or room <= 0:
                return ids[: self._max_length]
            # At its edges a text may take more tokens in the template than it takes alone.
            room -= len(ids) - self._max_length

    def _token_ends(self, text: str) -> list[int]:
        """Where in the text each of its tokens ends."""
        return [end for _, end in self._tokenizer.encode(text, add_special_tokens=False).offsets]


def _cut(text: str, ends: list[int], kept: int) -> str:
    return text[: ends[kept - 1]] if kept > 0 and ends else ""


def _with_guard(text: str, special: Collection[str]) -> str:
    if not special:
        return text
    names = "|".join(re.escape(name) for name in sorted(special, key=len, reverse=True))
    return re.sub(names, lambda match: _GUARD + match.group(), text)


def _guarded(full: Tokenizer, template: str) -> tuple[Tokenizer, set[str]]:
    """The same tokenizer with the names of tokens that steer guarded, and these names.

    Besides the special tokens these are the added ones that the template is made of: many a
    checkpoint does not call its role tokens special.
    """
    spec: dict[str, Any] = json.loads(full.to_str())
    special = {
        token["content"]
        for token in spec["added_tokens"]
        if token["special"] or (token["content"].strip() and token["content"] in template)
    }

    def guard(name: str) -> str:
        return _GUARD + name if name in special else name

    guards = set(map(guard, special))
    for token in spec["added_tokens"]:
        token["content"] = guard(token["content"])
        # Normalizing could take the guard away.
        token["normalized"] &= token["content"] not in guards
    model = spec["model"]
    if isinstance(model["vocab"], dict):
        model["vocab"] = {guard(token): place for token, place in model["vocab"].items()}
    else:
        model["vocab"] = [[guard(token), score] for token, score in model["vocab"]]
    if isinstance(model.get("unk_token"), str):
        model["unk_token"] = guard(model["unk_token"])
    return Tokenizer.from_str(json.dumps(spec)), special
