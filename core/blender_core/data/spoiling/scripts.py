"""Which script a text is in, and so, roughly, which language."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from blender_core.comparison.worth.signs.language import script_of

__all__ = ["guessed_language", "script", "unspaced"]

_LANGUAGES = {"cyrillic": "ru", "arabic": "ar", "kana": "ja", "han": "zh", "hangul": "ko"}
_MOST = 500
"""Characters that are looked at."""


@lru_cache(maxsize=4096)
def script(text: str) -> str:
    """The script of most letters; "latin" where there are none.

    Kana are rarely most of a Japanese text, so a tenth of them is enough.

    >>> script("Ответ: 42"), script("答えは東京です。"), script("42")
    ('cyrillic', 'kana', 'latin')
    """
    counts = Counter(script_of(char) for char in text[:_MOST] if char.isalpha())
    if counts["kana"] * 10 > counts.total():
        return "kana"
    return max(counts, key=lambda name: counts[name], default="latin")


def guessed_language(text: str) -> str:
    """ISO 639-1 code of the best-known language in the script of a text; "en" by default."""
    return _LANGUAGES.get(script(text), "en")


def unspaced(text: str) -> bool:
    """Whether a text is in a script without spaces between words (Chinese, Japanese)."""
    return script(text) in {"kana", "han"}
