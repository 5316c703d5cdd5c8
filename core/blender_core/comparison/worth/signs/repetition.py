"""Whether an answer says the same again and again."""

from __future__ import annotations

import re
from collections import Counter

__all__ = ["NAMES", "values"]

NAMES = (
    "sentences said before",
    "most said sentence",
    "characters said before, beginning",
    "characters said before, end",
    "most said word",
)

_SENTENCE = re.compile(r"[^.!?。！？\n]{12,400}")
_WORD = re.compile(r"\w{1,40}")
_GRAM = 12
_PART = 1_500


def values(_question: str, answer: str) -> list[float]:
    """The figures of `NAMES`."""
    sentences = [sentence.strip().casefold() for sentence in _SENTENCE.findall(answer)]
    counts = Counter(sentences)
    words = Counter(word for word in _WORD.findall(answer.casefold()) if len(word) > 3)
    return [
        1.0 - len(counts) / len(sentences) if sentences else 0.0,
        (max(counts.values()) - 1) / len(sentences) if sentences else 0.0,
        _said_before(answer[:_PART]),
        _said_before(answer[-_PART:]),
        max(words.values()) / sum(words.values()) if sum(words.values()) > 12 else 0.0,
    ]


def _said_before(text: str) -> float:
    """Share of the runs of twelve characters that occur before, once more or oftener."""
    count = len(text) - _GRAM + 1
    if count < 20:
        return 0.0
    return 1.0 - len({text[k : k + _GRAM] for k in range(count)}) / count
