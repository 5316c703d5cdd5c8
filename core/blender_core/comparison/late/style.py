"""How an answer is written, in numbers: what a reader sees without understanding a word."""

from __future__ import annotations

import math
import re
import zlib
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

__all__ = ["STYLE", "STYLE_CLIP", "style"]

STYLE_CLIP = 4.0
"""Standard deviations at which a figure ends: one odd text must not outweigh the rest."""

_MOST = 20_000
"""Characters that are read; what is behind them changes no figure but the length."""

_WORD = re.compile(r"\w+")
_SENTENCE_END = re.compile(r"[.!?。！？](?=\s|$)")
_REFUSAL = re.compile(
    r"\b(?:sorry|apologi[sz]e|can(?:no|')?t (?:assist|help|provide|answer|do)|"
    r"unable to|as an ai|language model|not able to|do(?:n't| not) have (?:access|enough))\b",
    re.IGNORECASE,
)
_HEDGE = re.compile(
    r"\b(?:maybe|perhaps|might|possibly|probably|i think|i believe|not sure|i guess|seems?|"
    r"it depends|generally)\b",
    re.IGNORECASE,
)
_LINK = re.compile(
    r"\b(?:because|therefore|thus|hence|since|however|although|first|second|finally|"
    r"for example|for instance|in conclusion|overall|so that|which means)\b",
    re.IGNORECASE,
)
_SELF = re.compile(r"\b(?:i|i'm|i've|me|my)\b", re.IGNORECASE)
_YOU = re.compile(r"\b(?:you|your|yours)\b", re.IGNORECASE)
_RESULT = re.compile(r"\banswer(?: is|:)|\\boxed|\bin conclusion\b", re.IGNORECASE)
_OPENING = re.compile(
    r"\A\s*(?:sure|certainly|of course|absolutely|great|here (?:is|are)|here's)\b", re.IGNORECASE
)
_HEADING = re.compile(r"^#{1,6} |^\*\*[^*\n]{1,80}\*\*:?$", re.MULTILINE)
_BULLET = re.compile(r"^[ \t]*[-*+•] ", re.MULTILINE)
_NUMBERED = re.compile(r"^[ \t]*\(?\d{1,3}[.)] ", re.MULTILINE)
_BOLD = re.compile(r"\*\*[^*\n]{1,80}\*\*")
_FORMULA = re.compile(r"\\[(\[a-z]|\$[^$\n]{1,80}\$|[\d)] ?[=+*/×] ?[\d(]")
_ROLE = re.compile(
    r"^[ \t#]*(?:human|user|question|q|instruction|input)\s*:", re.IGNORECASE | re.MULTILINE
)


def _log(count: float) -> float:
    return math.log1p(count)


def style(question: str, answer: str) -> NDArray[np.float32]:
    """The figures of `STYLE`, float32[len(STYLE)], all finite.

    Args:
        question: to which it is an answer.
        answer: may be empty.

    >>> figures = dict(zip(STYLE, style("Name a prime.", "7 is a prime.").tolist(), strict=True))
    >>> round(figures["words"], 4)  # log(1 + 4)
    1.6094
    """
    known = _of_question(question[:_MOST])
    length = len(answer)
    answer = answer[:_MOST]
    words = _WORD.findall(answer.lower())
    different = set(words)
    lines = [line.strip() for line in answer.split("\n") if line.strip()]
    count = max(1, len(words))
    chars = max(1, len(answer))
    sentences = len(_SENTENCE_END.findall(answer))
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    fences = answer.count("```")
    code = sum(len(part) for part in answer.split("```")[1::2])
    raw = answer.encode("utf-8", "replace")
    stripped = answer.rstrip()

    def per_word(pattern: re.Pattern[str]) -> float:
        return len(pattern.findall(answer)) / count

    def share(test: Callable[[str], bool]) -> float:
        return sum(map(test, answer)) / chars

    values = (
        _log(length),
        _log(len(words)),
        _log(sentences),
        _log(len(lines)),
        _log(answer.count("\n\n")),
        math.sqrt(sum(map(len, words)) / count),
        _log(len(words) / max(1, sentences)),
        len(different) / count,
        _log(len(different)),
        len(zlib.compress(raw, 1)) / max(40, len(raw)),
        1.0 - len(set(trigrams)) / max(1, len(trigrams)),
        1.0 - len(set(lines)) / max(1, len(lines)),
        sum(one == other for one, other in pairwise(words)) / count,
        share(str.isdigit),
        share(str.isupper),
        sum(not (c.isalnum() or c.isspace()) for c in answer) / chars,
        share(lambda c: c > "\x7f"),
        abs(share(lambda c: c > "\x7f") - known.foreign),
        _log(len(_HEADING.findall(answer))),
        _log(len(_BULLET.findall(answer))),
        _log(len(_NUMBERED.findall(answer))),
        _log(len(_BOLD.findall(answer))),
        _log(answer.count("|\n")),
        float(fences >= 2),
        code / chars,
        float(fences % 2),
        per_word(_FORMULA),
        per_word(_HEDGE),
        per_word(_LINK),
        per_word(_SELF),
        per_word(_YOU),
        float(_REFUSAL.search(answer[:300]) is not None),
        float(_RESULT.search(answer[-300:]) is not None),
        float(_OPENING.match(answer) is not None),
        float(stripped.endswith((".", "!", "?", ")", "}", "`", "*", '"', "。"))),
        float(stripped.endswith("?")),
        _log(answer.count("!")),
        float(_ROLE.search(answer) is not None),
        float(not stripped),
        float(answer[:1].islower()),
        len(different & known.words) / max(1, len(known.words)),
        len(different & known.words) / max(1, len(different)),
        len(set(trigrams) & known.trigrams) / max(1, len(trigrams)),
        _log(len(words) / (1 + known.count)),
        known.short * _log(len(words)),
        known.code * float(fences >= 2),
    )
    return np.array(values, dtype=np.float32)


STYLE: Sequence[str] = (
    "characters",
    "words",
    "sentences",
    "lines",
    "paragraphs",
    "word length",
    "words a sentence",
    "different words, share",
    "different words",
    "compressed size",
    "repeated trigrams",
    "repeated lines",
    "doubled words",
    "digits",
    "capitals",
    "punctuation",
    "not ASCII",
    "not ASCII, unlike the question",
    "headings",
    "bullets",
    "numbered points",
    "bold",
    "table rows",
    "has code",
    "code, share",
    "code left open",
    "formulas",
    "hedges",
    "links of thought",
    "speaks of itself",
    "speaks to the reader",
    "refuses",
    "states a result",
    "polite opening",
    "comes to an end",
    "ends in a question",
    "exclamations",
    "plays another role",
    "blank",
    "begins in lower case",
    "question's words in it",
    "its words in the question",
    "copied from the question",
    "words beside the question's",
    "words, short question",
    "code, asked for",
)
"""What the figures are called. Counts are logarithms of 1 + n, shares 0 to 1."""


class _Question:
    """What is needed of a question, computed once for all answers to it."""

    def __init__(self, text: str) -> None:
        words = _WORD.findall(text.lower())
        self.count = len(words)
        self.words = frozenset(words)
        self.trigrams = frozenset(zip(words, words[1:], words[2:], strict=False))
        self.foreign = sum(c > "\x7f" for c in text) / max(1, len(text))
        self.short = float(len(words) < 12)
        self.code = float(
            re.search(
                r"```|\b(?:code|function|python|java(?:script)?|sql|script|c\+\+|program)\b",
                text,
                re.IGNORECASE,
            )
            is not None
        )


_of_question = lru_cache(maxsize=64)(_Question)
