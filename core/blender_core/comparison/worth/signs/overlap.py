"""What an answer has in common with its question: its subject, or only its words."""

from __future__ import annotations

from functools import lru_cache

from rapidfuzz import fuzz

__all__ = ["NAMES", "values"]

NAMES = (
    "question's characters in it",
    "its characters in the question",
    "as a whole like the question",
    "begins with the question",
    "question inside",
    "new characters",
)

_READ = 2_000
_GRAM = 4
_WIDE_GRAM = 2
"""Of scripts in which a character is a syllable or a word."""


def values(question: str, answer: str) -> list[float]:
    """The figures of `NAMES`."""
    asked = _plain(question[:_READ])
    said = _plain(answer[:_READ])
    asked_grams = _grams(asked)
    said_grams = _grams(said)
    both = len(asked_grams & said_grams)
    inside = asked in said if asked else False
    return [
        both / max(1, len(asked_grams)),
        both / max(1, len(said_grams)),
        fuzz.ratio(asked[:400], said[:400]) / 100.0,
        fuzz.ratio(asked[:120], said[: min(120, len(asked))]) / 100.0,
        float(inside),
        min(1.0, len(said_grams - asked_grams) / 200.0),
    ]


@lru_cache(maxsize=256)
def _plain(text: str) -> str:
    return "".join(c for c in text.casefold() if c.isalnum())


@lru_cache(maxsize=64)
def _grams(text: str) -> frozenset[str]:
    wide = sum(c > "⺀" for c in text) * 2 > len(text)
    size = _WIDE_GRAM if wide else _GRAM
    return frozenset(text[k : k + size] for k in range(max(1, len(text) - size + 1)))
