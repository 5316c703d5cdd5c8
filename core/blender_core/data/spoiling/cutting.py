"""An answer that breaks off."""

from __future__ import annotations

import math
import random

from blender_core.data.spoiling.case import Case

__all__ = ["cut_off"]

_LEAST = 24
"""Characters an answer has to have."""


def cut_off(case: Case, chance: random.Random) -> str | None:
    """The first 15 to 85 % of an answer, which end in mid-sentence or in mid-word."""
    text = case.answer.strip()
    if len(text) < _LEAST:
        return None
    first, last = math.ceil(0.15 * len(text)), int(0.85 * len(text))
    aimed = chance.randint(first, last)
    for place in [*range(aimed, last + 1), *range(aimed - 1, first - 1, -1)]:
        if _goes_on(text, place):
            return text[:place]
    return None


def _goes_on(text: str, place: int) -> bool:
    """Whether a sentence is under way here."""
    before, after = text[place - 1], text[place : place + 2]
    return before.isalnum() and (after[0].isalnum() or (after[0] == " " and after[1:].isalnum()))
