"""What a short text says, without the words around it."""

from __future__ import annotations

import math
import unicodedata

__all__ = ["short_answer"]

_LONGEST = 60
"""Characters of a text that can be nothing but its result."""

_AROUND = " \t\n.,;:!?\"'`*_()[]{}$。、！？「」“”‘’«»"
_FRAME = frozenset(
    {
        *("a", "an", "the", "it", "it's", "its", "this", "that", "that's", "these", "they"),
        *("they're", "he", "she", "is", "are", "was", "were", "would", "be", "i", "i'd", "i'm"),
        *("think", "believe", "guess", "say", "so", "thus", "therefore", "hence", "then"),
        *("well", "my", "final", "answer", "result", "probably", "about"),
    }
)
_VERDICTS = frozenset({"yes", "no", "true", "false"})


def short_answer(text: str) -> str | None:
    """The one or two words that a short text comes to, numbers in one form; None of any other.

    >>> short_answer("It is 4."), short_answer("2 + 2 = 4.0"), short_answer("I think it's Paris!")
    ('4', '4', 'paris')
    >>> short_answer("Yes, it is."), short_answer("Paris is the capital of France.")
    ('yes', None)
    """
    text = text.strip()
    if len(text) > _LONGEST:
        return None
    folded = unicodedata.normalize("NFKC", text).casefold().replace("’", "'")
    if folded.count("=") == 1:
        folded = folded.partition("=")[2]
    words = [plain for word in folded.split() if (plain := word.strip(_AROUND))]
    if words and words[0] in _VERDICTS:
        return words[0]
    while words and words[0] in _FRAME:
        words = words[1:]
    return " ".join(map(_number, words)) if 1 <= len(words) <= 2 else None


def _number(word: str) -> str:
    """A number in the form that all its spellings have; another word as it is."""
    try:
        value = float(word.replace(",", ""))
    except ValueError:
        return word
    return f"{value:.12g}" if math.isfinite(value) else word
