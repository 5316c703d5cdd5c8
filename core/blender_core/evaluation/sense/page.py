"""What a ranker made of the battery, as rows of a table and as an HTML page."""

from __future__ import annotations

import math

from blender_core.evaluation.page import page
from blender_core.evaluation.sense.cases import LANGUAGES, LENGTHS
from blender_core.evaluation.sense.kinds import KINDS
from blender_core.evaluation.sense.result import Sense, Share
from blender_core.evaluation.sense.trials import SETTINGS

__all__ = ["HEAD", "LANGUAGE_HEAD", "kind_rows", "language_row", "mean_rows", "sense_page"]

HEAD = ("kind", *SETTINGS, *LENGTHS, "all", "95 %", "trials")
LANGUAGE_HEAD = ("", *LANGUAGES)

_NONE = "–"
_SHOWN = 400
"""Letters of a text on the page."""


def kind_rows(sense: Sense, *, knowledge: bool) -> list[list[str]]:
    """Rows of `HEAD`, one for each kind that needs knowledge, or that needs none."""
    return [
        _row(sense, kind.name)
        for kind in KINDS.values()
        if kind.knowledge == knowledge and sense.share(kind=kind.name)
    ]


def mean_rows(sense: Sense) -> list[list[str]]:
    """The means over kinds as rows of `HEAD`."""
    rows = []
    for name, knowledge in (("mean", False), ("mean, knowledge needed", True)):
        means = [
            *(sense.mean(knowledge=knowledge, setting=setting) for setting in SETTINGS),
            *(sense.mean(knowledge=knowledge, length=length) for length in LENGTHS),
            sense.mean(knowledge=knowledge),
        ]
        count = sum(KINDS[one.trial.kind].knowledge == knowledge for one in sense.outcomes)
        rows.append([name, *map(_number, means), "", str(count)])
    return rows


def language_row(sense: Sense, *, knowledge: bool) -> list[str]:
    """A row of `LANGUAGE_HEAD`: means over kinds."""
    name = "mean, knowledge needed" if knowledge else "mean"
    means = (sense.mean(knowledge=knowledge, language=language) for language in LANGUAGES)
    return [name, *map(_number, means)]


def sense_page(sense: Sense, ranker: str) -> str:
    """The page.

    Args:
        sense: what was measured.
        ranker: its name, any text.
    """
    means, known = mean_rows(sense)
    return page(
        "sense",
        ranker=ranker,
        trials=len(sense.outcomes),
        head=HEAD,
        kinds=[*kind_rows(sense, knowledge=False), means],
        knowledge_kinds=[*kind_rows(sense, knowledge=True), known],
        language_head=LANGUAGE_HEAD,
        languages=[language_row(sense, knowledge=knowledge) for knowledge in (False, True)],
        missed=_misses(sense),
    )


def _misses(sense: Sense) -> list[list[str]]:
    """Of each kind one task that went wrong, a lost one rather than a tie."""
    rows = []
    for kind in KINDS.values():
        missed = sorted(sense.missed(kind.name), key=lambda one: one.credit)
        if not missed:
            continue
        trial = missed[0].trial
        answers = trial.task.candidates
        good = next(answers[place].text for place in sorted(trial.good))
        bad = next(one.text for place, one in enumerate(answers) if place not in trial.good)
        said = [kind.name, kind.says, trial.setting, trial.task.instruction, good, bad]
        rows.append(list(map(_short, said)))
    return rows


def _row(sense: Sense, kind: str) -> list[str]:
    whole = sense.share(kind=kind)
    if whole is None:
        return []
    low, high = whole.interval
    return [
        kind,
        *(_value(sense.share(kind=kind, setting=setting)) for setting in SETTINGS),
        *(_value(sense.share(kind=kind, length=length)) for length in LENGTHS),
        _value(whole),
        f"{low:.2f}–{high:.2f}",
        str(whole.count),
    ]


def _value(share: Share | None) -> str:
    return _NONE if share is None else _number(share.value)


def _number(value: float) -> str:
    return _NONE if math.isnan(value) else f"{value:.3f}"


def _short(words: str) -> str:
    return words if len(words) <= _SHOWN else f"{words[:_SHOWN]} …"
