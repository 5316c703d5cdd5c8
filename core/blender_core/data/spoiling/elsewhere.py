"""Good texts in the wrong place: answers to other questions, and other languages."""

from __future__ import annotations

import math
import random

from blender_core.data.spoiling.case import Case
from blender_core.data.spoiling.scripts import script
from blender_core.data.spoiling.wording import LANGUAGES, wording

__all__ = ["off_topic", "other_language"]

_ALIKE = 4
"""So many answers of the most similar length are chosen from."""


def off_topic(case: Case, chance: random.Random) -> str | None:
    """An answer to another question, of similar length where there is one."""
    return _similar(
        [
            answer
            for question, answer in case.others
            if question.strip() != case.question.strip() and _same(answer) != _same(case.answer)
        ],
        case,
        chance,
    )


def other_language(case: Case, chance: random.Random) -> str | None:
    """An answer in another script, or general sentences in another language."""
    own = script(case.answer)
    foreign = [answer for _, answer in case.others if script(answer) != own]
    if foreign and chance.random() < 0.5:
        return _similar(foreign, case, chance)
    language = chance.choice([code for code in LANGUAGES if code != case.spoken])
    statements = list(wording("statements", language).whole)
    chance.shuffle(statements)
    glue = "" if language in {"ja", "zh"} else " "
    text = statements.pop()
    while statements and len(text) < len(case.answer):
        text += glue + statements.pop()
    return text


def _similar(answers: list[str], case: Case, chance: random.Random) -> str | None:
    def difference(answer: str) -> float:
        return abs(math.log((1 + len(answer)) / (1 + len(case.answer))))

    near = sorted(filter(str.strip, answers), key=difference)[:_ALIKE]
    return chance.choice(near) if near else None


def _same(text: str) -> str:
    return text.casefold().strip(" .\n")
