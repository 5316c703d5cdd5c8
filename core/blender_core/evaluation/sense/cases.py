"""Questions with good answers, in eight languages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

__all__ = ["LANGUAGES", "LENGTHS", "Case", "Length", "cases", "other_cases"]

LANGUAGES = ("en", "de", "fr", "es", "ja", "ko", "ru", "zh")

Length = Literal["short", "long"]

LENGTHS: tuple[Length, ...] = ("short", "long")

_FOLDER = Path(__file__).with_name("cases")


@dataclass(frozen=True, slots=True)
class Case:
    """A question and what is a good answer to it.

    Attributes:
        id: the same for the same question in another language.
        language: an ISO 639-1 code.
        length: of the good answers.
        question: what is asked.
        good: good answers; of short ones the shortest comes first.
        wrong: answers that have a fact wrong, each worded as the good one at its place.
        names: names in the last good answer, each with another one that would be wrong there.
        kind: the one kind of spoiling that the question was made for; None: it is for any.
        spoilt: answers that are spoilt in the way of this kind.
    """

    id: str
    language: str
    length: Length
    question: str
    good: tuple[str, ...]
    wrong: tuple[str, ...] = ()
    names: tuple[tuple[str, str], ...] = ()
    kind: str | None = None
    spoilt: tuple[str, ...] = ()

    @property
    def full(self) -> str:
        """The good answer that is made of whole sentences."""
        return self.good[-1]


@cache
def cases(language: str) -> tuple[Case, ...]:
    """All cases of a language.

    >>> cases("en")[0].good
    ('Canberra.', 'The capital of Australia is Canberra.')
    """
    rows = json.loads((_FOLDER / f"{language}.json").read_text(encoding="utf-8"))
    return tuple(_case(row, language) for row in rows)


def other_cases(case: Case) -> list[Case]:
    """The cases for any kind, of the same language and length, but this one."""
    return [
        other
        for other in cases(case.language)
        if other.length == case.length and other.kind is None and other.id != case.id
    ]


def _case(row: Mapping[str, Any], language: str) -> Case:
    pairs = tuple((name, other) for name, other in row.get("names", ()))
    lists = {key: tuple(row.get(key, ())) for key in ("good", "wrong", "spoilt")}
    return Case(**{**row, **lists, "names": pairs, "language": language})
