"""Debris: tags, escapes, roles of a dialogue, thoughts that were left open."""

from __future__ import annotations

import math
import re

__all__ = ["NAMES", "values"]

NAMES = (
    "tags",
    "escapes",
    "marks in a row",
    "thoughts left open",
    "control characters",
    "words without a vowel",
    "long runs of consonants",
    "is data",
)

_TAG = re.compile(r"</?[a-zA-Z][^<>\n]{0,60}>")
_ESCAPE = re.compile(r"&[a-z]{2,6};|&#\d{2,5};|\\[nrt\"u]|%[0-9A-F]{2}")
_MARKS = re.compile(r"[^\w\s]{4}")
_LATIN_WORD = re.compile(r"\b[a-z]{4,20}\b")
_CONSONANTS = re.compile(r"[bcdfghjklmnpqrstvwxz]{5}")
_VOWELS = frozenset("aeiouy")
_READ = 4_000


def values(_question: str, answer: str) -> list[float]:
    """The figures of `NAMES`."""
    head = answer[:_READ]
    # What is code may look like debris.
    prose = "".join(head.split("```")[::2])
    hundreds = max(1.0, len(prose) / 100.0)
    latin = _LATIN_WORD.findall(prose.lower())
    opened = answer.count("<think>") + answer.count("<thinking>")
    closed = answer.count("</think>") + answer.count("</thinking>")
    stripped = answer.strip()
    return [
        math.log1p(len(_TAG.findall(prose)) / hundreds),
        math.log1p(len(_ESCAPE.findall(prose)) / hundreds),
        math.log1p(len(_MARKS.findall(prose)) / hundreds),
        float(opened > closed),
        math.log1p(sum((c < " " and c not in "\n\t\r") or c == "\ufffd" for c in head)),
        sum(not _VOWELS & set(word) for word in latin) / max(1, len(latin)),
        len(_CONSONANTS.findall(prose.lower())) / max(1, len(latin)),
        float(stripped[:1] in {"{", "["} and stripped[-1:] in {"}", "]"} and bool(stripped)),
    ]
