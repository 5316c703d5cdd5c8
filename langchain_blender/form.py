"""What a call wants of the form of its answer: where it stops, its length, that it is JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Form"]

_STOPS = ("stop", "stop_sequences")
_LENGTHS = ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict")
_SHAPES = ("response_format", "response_schema", "response_mime_type", "format", "json_schema")


@dataclass(frozen=True, slots=True)
class Form:
    """What an answer has to look like.

    Attributes:
        options: the call's arguments that say so, for whoever can obey them.
    """

    options: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Form:
        """Of all arguments of a call."""
        words = (*_STOPS, *_LENGTHS, *_SHAPES)
        return cls({word: options[word] for word in words if options.get(word) is not None})

    @property
    def stops(self) -> list[str]:
        """Where an answer ends."""
        given = [self.options[word] for word in _STOPS if word in self.options]
        return [stop for one in given for stop in ([one] if isinstance(one, str) else one)]

    @property
    def is_limited(self) -> bool:
        """Whether an answer may have so many tokens only."""
        return any(word in self.options for word in _LENGTHS)

    @property
    def wants_json(self) -> bool:
        """Whether an answer has to be JSON."""
        for word in _SHAPES:
            given = self.options.get(word)
            kind = given.get("type", "json") if isinstance(given, Mapping) else given
            if kind and not (isinstance(kind, str) and kind.startswith("text")):
                return True
        return False

    @property
    def is_free(self) -> bool:
        """Whether any text will do."""
        return not (self.stops or self.wants_json)

    def wrong(self, text: str) -> str | None:
        """What is wrong with a text, None where nothing is."""
        if not self.wants_json:
            return None
        try:
            json.loads(text)
        except ValueError:
            return "is no JSON, as the call wants it"
        return None

    def cut(self, text: str) -> str:
        """The text up to where it has to stop."""
        for stop in self.stops:
            if stop:
                text = text.partition(stop)[0]
        return text
