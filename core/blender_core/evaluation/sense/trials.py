"""The battery: tasks in which everybody sees which answers are good."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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

_EVERY = 4
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
        for language in LANGUAGES
        for number, kind in enumerate(KINDS.values())
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
        every = 1 if kind.own_questions else min(_EVERY, len(some))
        for place, case in enumerate(some[number % every :: every], number):
            yield from _in_all_settings(kind, case, 1 + place % 2)


def _in_all_settings(kind: Kind, case: Case, agreeing: int) -> Iterator[Trial]:
    """The same answers in each setting, against two that agree so many good ones."""
    chance = Random(f"{kind.name} {case.language} {case.id}")
    bad = kind.spoil(case, chance)
    good = [case.full, *case.good[:-1]] if kind.of_answer else [*case.good]
    yield _trial(kind, case, "alone", good[:1], bad[:1], chance)
    yield _trial(kind, case, "company", good[:2], bad, chance)
    yield _trial(kind, case, "agreeing", good[:agreeing], (bad * 2)[:2], chance)


def _trial(
    kind: Kind,
    case: Case,
    setting: Setting,
    good: Sequence[str],
    bad: Sequence[str],
    chance: Random,
) -> Trial:
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
