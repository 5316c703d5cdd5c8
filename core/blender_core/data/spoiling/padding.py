"""Sentences that do not belong: fillers, and a last one that takes everything back."""

from __future__ import annotations

import random

from blender_core.data.spoiling.case import Case
from blender_core.data.spoiling.pieces import sentences
from blender_core.data.spoiling.wording import said

__all__ = ["contradiction", "padded"]


def padded(case: Case, chance: random.Random) -> str | None:
    """The answer among many empty sentences."""
    text = case.answer.strip()
    if not text:
        return None
    fillers = [said("padding", case, chance) for _ in range(chance.randint(4, 14))]
    where = chance.choice(["before", "after", "around", "between"])
    if where == "between":
        parts = sentences(text)
        for filler in fillers:
            parts.insert(chance.randint(0, len(parts) - 1), f"{filler}{_glue(case)}")
        return "".join(parts)
    cut = {"before": len(fillers), "after": 0}.get(where, chance.randint(1, len(fillers) - 1))
    breaks = chance.choice([_glue(case), "\n\n"])
    before, after = _glue(case).join(fillers[:cut]), _glue(case).join(fillers[cut:])
    return breaks.join(filter(None, [before, text, after]))


def contradiction(case: Case, chance: random.Random) -> str | None:
    """The answer, and a last sentence that takes it back."""
    text = case.answer.strip()
    if not text:
        return None
    glue = chance.choice([_glue(case), _glue(case), "\n\n"])
    return f"{text}{glue}{said('contradiction', case, chance)}"


def _glue(case: Case) -> str:
    return "" if case.spoken in {"ja", "zh"} else " "
