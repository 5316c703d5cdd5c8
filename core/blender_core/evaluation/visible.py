"""Other people's text without what a page must not hold."""

from __future__ import annotations

import unicodedata

__all__ = ["visible"]


def visible(words: str) -> str:
    r"""The text with control characters, marks and lone surrogates as escapes.

    >>> visible("a\x1b\ud83d")
    'a\\u001b\\ud83d'
    """
    return "".join(map(_visible, words))


def _visible(character: str) -> str:
    category = unicodedata.category(character)
    if character in "\n\t" or category not in ("Cc", "Cs", "Cf"):
        return character
    return f"\\u{ord(character):04x}"
