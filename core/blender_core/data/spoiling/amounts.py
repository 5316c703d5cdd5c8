"""More or less than was asked for."""

from __future__ import annotations

import random
import re

from blender_core.comparison.worth.signs.asked import Amount, asked_amounts, asked_briefly
from blender_core.data.spoiling.case import Case
from blender_core.data.spoiling.pieces import sentences
from blender_core.data.spoiling.scripts import unspaced
from blender_core.data.spoiling.wording import said

__all__ = ["ignored_count", "ignored_length"]

_ITEM = re.compile(r"[ \t]{0,8}(?:[-*•]|\(?[0-9]{1,3}[.)])[ \t]")
_COUNTER = re.compile(r"[0-9]{1,3}")
_LONG = 60
"""Words. An answer that is to have so many is spoilt by being shorter."""


def ignored_length(case: Case, chance: random.Random) -> str | None:
    """An answer too long or too short for a question that says how long it is to be."""
    asked = _asked(case, "sentence", "word")
    parts = sentences(case.answer.strip())
    if asked is None:
        return _longer(case, len(parts) + 4, chance) if asked_briefly(case.question) else None
    if asked.unit == "sentence":
        if asked.at_least or (asked.number > 3 and chance.random() < 0.5):
            return _first(parts, asked.number // 2)
        return _longer(case, asked.number + chance.randint(3, 8), chance)
    if asked.at_least or asked.number >= _LONG:
        allowed = asked.number // 2
        kept = next((n for n in range(len(parts)) if _size("".join(parts[: n + 1])) > allowed), 0)
        return _first(parts, max(1, kept))
    return _longer(case, len(parts) + 2 + asked.number // 5, chance)


def _asked(case: Case, *units: str) -> Amount | None:
    return next((asked for asked in asked_amounts(case.question) if asked.unit in units), None)


def _size(text: str) -> int:
    return len(text) if unspaced(text) else len(text.split())


def _first(parts: list[str], count: int) -> str | None:
    """The first sentences, where there are more."""
    return "".join(parts[:count]).rstrip() if 0 < count < len(parts) else None


def _longer(case: Case, count: int, chance: random.Random) -> str | None:
    """The answer with so many sentences in all, or some more."""
    text = case.answer.strip()
    missing = max(2, count - len(sentences(text)))
    if not text:
        return None
    glue = "" if case.spoken in {"ja", "zh"} else " "
    return glue.join([text, *(said("padding", case, chance) for _ in range(missing))])


def ignored_count(case: Case, chance: random.Random) -> str | None:
    """A list with fewer or more items, or one paragraph where several were asked for."""
    asked = _asked(case, "paragraph", "item")
    if asked is None:
        return None
    if asked.unit == "paragraph":
        joined = " ".join(case.answer.split("\n\n"))
        return joined if asked.number > 1 and joined != case.answer else None
    lines = case.answer.strip().split("\n")
    items = [place for place, line in enumerate(lines) if _ITEM.match(line)]
    if len(items) < 2:
        return None
    if asked.at_least or chance.random() < 0.6:
        return "\n".join(lines[: items[chance.randint(1, len(items) - 1)]]).rstrip()
    wanted = len(items) + chance.randint(2, 6)
    texts = [line for _, answer in case.others for line in answer.split("\n")]
    pool = list(filter(_ITEM.match, texts)) or [lines[place] for place in items]
    marker = _ITEM.match(lines[items[-1]])
    added = [
        _COUNTER.sub(str(number), marker[0] if marker else "") + _ITEM.sub("", chance.choice(pool))
        for number in range(len(items) + 1, wanted + 1)
    ]
    return "\n".join([*lines[: items[-1] + 1], *added, *lines[items[-1] + 1 :]])
