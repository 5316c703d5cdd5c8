"""Spoilt answers that are words of their own, such as refusals, in eight languages."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from random import Random

from blender_core.evaluation.sense.cases import Case

__all__ = ["after", "instead", "wordings"]

_FOLDER = Path(__file__).with_name("wordings")
_ANY = "any"
"""Where what has no language is kept, such as stack traces."""

_IN_A_LONG_ONE = 3


@cache
def wordings(kind: str, language: str) -> tuple[str, ...]:
    """All wordings of a kind.

    >>> wordings("refusal", "en")[0]
    "I'm sorry, but I can't help with that."
    """
    found = _all(language).get(kind) or _all(_ANY)[kind]
    return tuple(found)


@cache
def _all(language: str) -> dict[str, list[str]]:
    content: dict[str, list[str]] = json.loads(
        (_FOLDER / f"{language}.json").read_text(encoding="utf-8")
    )
    return content


def instead(kind: str, case: Case, chance: Random) -> list[str]:
    """Three wordings in the place of an answer.

    To a long answer half of them are long, too: several wordings one after the other. Otherwise
    whoever likes length would be right all the time.
    """
    texts = list(wordings(kind, case.language))
    chance.shuffle(texts)
    if case.length == "short" or chance.random() < 0.5:
        return texts[:3]
    turned = [texts[start:] + texts[:start] for start in range(3)]
    return ["\n\n".join(some[:_IN_A_LONG_ONE]) for some in turned]


def after(kind: str, case: Case, chance: Random) -> list[str]:
    """The good answer, and then each of three wordings."""
    texts = list(wordings(kind, case.language))
    chance.shuffle(texts)
    gap = "\n\n" if "\n" in case.full else _blank(case.language)
    return [f"{case.full}{'' if text[0].isspace() else gap}{text}" for text in texts[:3]]


def _blank(language: str) -> str:
    return "" if language in ("ja", "zh") else " "
