"""How an answer ends: whole, or in the middle of something."""

from __future__ import annotations

import math
import unicodedata

__all__ = ["NAMES", "values"]

NAMES = (
    "ends in a letter",
    "ends in a digit",
    "ends in a full stop",
    "ends in a comma or dash",
    "ends in a colon",
    "ends in another mark",
    "many words and no end",
    "last line, words",
    "last line is a bare point",
    "brackets left open",
    "quotes left open",
    "marks of emphasis left open",
    "words behind the last full stop",
    "sentences begun and not ended",
)

_STOPS = frozenset(".!?。！？…؟।")
_CLOSING = frozenset("\"'”’»)]}）」』】*_`")
_OPEN = {"(": ")", "[": "]", "{": "}", "（": "）", "「": "」"}


def values(_question: str, answer: str) -> list[float]:
    """The figures of `NAMES`."""
    text = answer.rstrip()
    bare = text.rstrip("".join(_CLOSING) + " ")
    last = text[-1:]
    kind = unicodedata.category(last)[:1] if last else ""
    stopped = bool(bare) and bare[-1] in _STOPS
    line = text[text.rfind("\n") + 1 :].strip()
    words = len(line.split())
    behind = text[max((text.rfind(stop) for stop in _STOPS), default=-1) + 1 :]
    return [
        float(kind == "L"),
        float(kind == "N"),
        float(stopped),
        float(last in {",", "-", "–", "—", ";", "、", "，"} and bool(last)),
        float(last in {":", "："} and bool(last)),
        float(kind in {"P", "S"} and not stopped),
        float(not stopped and len(text) > 160),
        math.log1p(words),
        float(bool(line) and not any(map(str.isalpha, line))),
        math.log1p(sum(max(0, text.count(a) - text.count(b)) for a, b in _OPEN.items())),
        float(text.count('"') % 2),
        float(text.count("**") % 2 or text.count("`") % 2),
        math.log1p(len(behind.split())),
        float(not stopped and any(stop in text for stop in _STOPS)),
    ]
