"""Words of a text in any script, as the token-based similarities count them."""

from __future__ import annotations

import re
import unicodedata

from blender_core.ranking.similarity.ends import ends

__all__ = ["spaced", "tokens"]

# Scripts written without spaces: Thai, Lao, Myanmar, Khmer, kana, Chinese characters.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3041-\u30ff\u31f0-\u31ff"
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
)
# Marks belong to the letters before them, though Python's \w leaves them out.
_MARKS = "\u0300-\u036f\u0591-\u05bd\u064b-\u065f\u0900-\u0963\u0970-\u0dff\u0f00-\u0fff"
# Signs that change what is said, as in -3, C++, C#, 5 % and x > y. Other punctuation does not.
_SIGNS = (
    r"(?<!\w)-(?=\d)|(?<=\w)\#|"
    r"[+<>=$%&@~^\u00a2-\u00a5\u00ac\u00b1\u00d7\u00f7\u20a0-\u20bf\u2200-\u22ff]"
)
_ALONE = re.compile(f"[{_UNSPACED}]")
_TOKEN = re.compile(rf"[{_UNSPACED}]|(?:(?![{_UNSPACED}])[\w{_MARKS}])+|{_SIGNS}")
# A long run of marks takes quadratic time to compose. Unicode's Stream-Safe Text Format (UAX 15,
# section 13) divides it, after 30, by a character that is not seen.
_NO_WORDS = re.compile(r"[^\w\s\x00-\x7f]{30}")
_JOINER = "\u034f"


def spaced(text: str) -> str:
    """The text with spaces around characters of scripts that have none between words.

    >>> spaced("42は答え")
    '42 は  答  え '
    """
    return _ALONE.sub(r" \g<0> ", text)


def tokens(text: str) -> list[str]:
    """Case-folded words; single characters where a script has no spaces between words.

    Compatibility forms are one (full-width letters, ligatures). Signs such as a minus, a plus or a
    currency are tokens. Other punctuation separates and does not count, unless the text has
    nothing else: then its characters are the tokens. Of a long text, its `ends` are read.

    >>> tokens("It's 42 — 東京へ!")
    ['it', 's', '42', '東', '京', 'へ']
    >>> tokens("C++ > -3%, well-known?")
    ['c', '+', '+', '>', '-', '3', '%', 'well', 'known']
    >>> tokens("?!")
    ['?', '!']
    """
    joined = _NO_WORDS.sub(rf"\g<0>{_JOINER}", ends(text))
    composed = unicodedata.normalize("NFKC", joined).replace(_JOINER, "")
    folded = ends(composed.casefold())  # compatibility forms can be 18 times as long
    if any(map(str.isalnum, folded)):
        return _TOKEN.findall(folded)
    return [char for char in folded if not char.isspace()]
