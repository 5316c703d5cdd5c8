"""Words of a text in any script, as the token-based similarities count them."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["tokens"]

# Scripts written without spaces: Thai, Lao, Myanmar, Khmer, kana, Chinese characters.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
# Marks belong to the letters before them, though Python's \w leaves them out.
_MARKS = "\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0900-\u0963\u0970-\u0dff\u0f00-\u0fff"
_TOKEN = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[\w{_MARKS}])+")


def tokens(text: str) -> list[str]:
    """Case-folded words; single characters where a script has no spaces between words.

    Compatibility forms are one (full-width letters, ligatures). Punctuation separates and does
    not count, unless the text has nothing else: then its characters are the tokens.

    >>> tokens("It's 42 — 東京へ!")
    ['it', 's', '42', '東', '京', 'へ']
    >>> tokens("?!")
    ['?', '!']
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return _TOKEN.findall(folded) or [char for char in folded if not char.isspace()]
