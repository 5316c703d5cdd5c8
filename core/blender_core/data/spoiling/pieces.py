"""Taking texts apart: sentences, words, the topic of a question."""

from __future__ import annotations

import random
import re
from itertools import pairwise

__all__ = ["ENDS", "sentences", "topic", "words"]

ENDS = ".!?。！？…"
"""Characters that end a sentence."""

_WORD = re.compile(r"\s+|\S+")
_BREAK = re.compile(r"(?<=[.!?…。！？])\s+|\n\s*|(?:(?<=。)|(?<=！)|(?<=？))(?=\S)")
_CLAUSE = re.compile(r"[^\s\w'’-]+|\n")
_TOPIC_CHARACTERS = 40
_NO_TOPIC = frozenset(
    (
        *("about", "answer", "below", "could", "describe", "explain", "following", "given"),
        *("please", "question", "should", "tell", "their", "there", "these", "think"),
        *("those", "using", "what's", "where", "which", "while", "would", "write"),
        *("your"),
    )
)
"""Long words of a question that are not what it is about."""


def words(text: str) -> list[str]:
    """Words and the white space between them; joined, they are the text again.

    >>> words("To be,  or")
    ['To', ' ', 'be,', '  ', 'or']
    """
    return _WORD.findall(text)


def sentences(text: str) -> list[str]:
    r"""Sentences and lines, each with what is behind it up to the next one.

    Joined, they are the text again.

    >>> sentences("It is 3.5. Yes!\n東京です。はい。")
    ['It is 3.5. ', 'Yes!\n', '東京です。', 'はい。']
    """
    starts = [0, *(break_.end() for break_ in _BREAK.finditer(text)), len(text)]
    return [text[start:end] for start, end in pairwise(starts) if start < end]


def topic(question: str, chance: random.Random) -> str:
    """A few words of a question, as one would name what it is about.

    They come from one clause and do not begin or end with a short word, where that can be.
    Of a question without words it is "this".
    """
    clauses = [clause for clause in _CLAUSE.split(question[:2_000]) if clause.strip()]
    if not clauses:
        return "this"
    clause = max(chance.sample(clauses, min(3, len(clauses))), key=len)
    parts = clause.split()
    clause = " ".join(parts)
    long = [
        place
        for place, part in enumerate(parts)
        if len(part) > 3 and part.casefold() not in _NO_TOPIC
    ]
    if not long or len(parts) < 3:
        start = chance.randrange(max(1, len(clause) - 12)) if len(parts) == 1 else 0
        return clause[start : start + chance.randint(4, _TOPIC_CHARACTERS)].strip() or "this"
    first = chance.choice(long)
    last = max(place for place in long if place <= first + chance.randint(0, 4))
    return " ".join(parts[first : last + 1])[: 2 * _TOPIC_CHARACTERS]
