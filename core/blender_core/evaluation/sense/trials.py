"""The battery: tasks in which everybody sees which answers are good."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import groupby
from random import Random
from typing import Literal

from blender_core.candidates import Task
from blender_core.evaluation.sense.cases import LANGUAGES, Case, Length, cases
from blender_core.evaluation.sense.kinds import KINDS, Kind

__all__ = ["SETTINGS", "Setting", "Trial", "battery"]

Setting = Literal["alone", "company", "agreeing"]

SETTINGS: tuple[Setting, ...] = ("alone", "company", "agreeing")
"""In whose company a good answer stands.

``alone``: one good answer against one spoilt one. ``company``: all good answers among several
spoilt ones of the kind. ``agreeing``: one or two good answers against two spoilt ones that agree.
"""

_EVERY: dict[Setting, int] = {"alone": 3, "company": 5, "agreeing": 5}
"""Every n-th case is taken, so that the whole stays small; of a kind's own questions all are."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One task.

    Attributes:
        kind: how the others are spoilt.
        language: an ISO 639-1 code.
        length: of good answers to the question.
        setting: in whose company they stand.
        case: the question's id.
        task: the question and the answers, in an order by chance.
        good: which of these are good.
    """

    kind: str
    language: str
    length: Length
    setting: Setting
    case: str
    task: Task = field(repr=False)
    good: frozenset[int]


@cache
def battery() -> tuple[Trial, ...]:
    """All trials, always the same ones.

    >>> trial = battery()[0]
    >>> trial.kind, trial.setting, len(trial.task.candidates)
    ('refusal', 'alone', 2)
    """
    return tuple(
        trial
        for number, kind in enumerate(KINDS.values())
        for language in LANGUAGES
        for trial in _trials(kind, language, number)
    )


def _trials(kind: Kind, language: str, number: int) -> Iterator[Trial]:
    """Those of one kind in one language; the next kind takes other cases."""
    meant = [
        case for case in cases(language) if case.kind == (kind.name if kind.own_questions else None)
    ]
    usable = [case for case in meant if kind.spoil(case, Random(0))]
    for _, group in groupby(usable, key=lambda case: case.length):
        some = list(group)
        for shift, setting in enumerate(SETTINGS):
            every = 1 if kind.own_questions else min(_EVERY[setting], len(some))
            for place, case in enumerate(some[(number + shift) % every :: every]):
                chance = Random(f"{kind.name} {language} {case.id} {setting}")
                yield _trial(kind, case, setting, 1 + (number + place) % 2, chance)


def _trial(kind: Kind, case: Case, setting: Setting, good_ones: int, chance: Random) -> Trial:
    bad = kind.spoil(case, chance)
    good = [case.full, *case.good[:-1]] if kind.of_answer else [*case.good]
    if setting == "alone":
        good, bad = good[:1], bad[:1]
    elif setting == "company":
        good = good[:2]
    else:
        good, bad = good[:good_ones], (bad * 2)[:2]
    texts = [*good, *bad]
    order = chance.sample(range(len(texts)), len(texts))
    return Trial(
        kind.name,
        case.language,
        case.length,
        setting,
        case.id,
        Task(case.question, [texts[place] for place in order]),
        frozenset(place for place, text in enumerate(order) if text < len(good)),
    )
