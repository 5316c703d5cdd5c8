"""How much common sense a ranker has, by kind, length, setting and language."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean
from typing import Any

from blender_core.evaluation.sense.cases import LANGUAGES, LENGTHS
from blender_core.evaluation.sense.kinds import KINDS
from blender_core.evaluation.sense.trials import SETTINGS, Trial

__all__ = ["Outcome", "Sense", "Share"]

_AXES = ("kind", "length", "setting", "language")

_Z = 1.959963984540054
"""Of a 95 % interval."""


@dataclass(frozen=True, slots=True)
class Share:
    """The share of trials that a ranker got right.

    Attributes:
        right: how many; a tie is half of one.
        count: of how many, 1 or more.
    """

    right: float
    count: int

    @property
    def value(self) -> float:
        """The share, 0 to 1."""
        return self.right / self.count

    @property
    def interval(self) -> tuple[float, float]:
        """Wilson's 95 % interval (1927).

        >>> low, high = Share(9, 10).interval
        >>> round(low, 3), round(high, 3)
        (0.596, 0.982)
        """
        n, p = self.count, self.value
        middle = p + _Z**2 / (2 * n)
        half = _Z * math.sqrt(p * (1 - p) / n + (_Z / (2 * n)) ** 2)
        scale = 1 + _Z**2 / n
        # By rounding, the share of 0 or of all would lie beside its interval.
        return min(p, (middle - half) / scale), max(p, (middle + half) / scale)

    def as_value(self) -> dict[str, float]:
        """As JSON takes it."""
        low, high = self.interval
        counts = {"right": self.right, "count": self.count}
        return {**counts, "value": self.value, "low": low, "high": high}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a ranker made of a trial.

    Attributes:
        trial: the task.
        credit: 1 where a good answer is ahead of all spoilt ones, 0.5 where the best ones tie.
        preferred: the place of the answer that it put first.
    """

    trial: Trial
    credit: float
    preferred: int


@dataclass(frozen=True)
class Sense:
    """What a ranker made of the whole battery.

    Attributes:
        outcomes: one a trial.
    """

    outcomes: tuple[Outcome, ...] = field(repr=False)

    @cached_property
    def cells(self) -> dict[tuple[str, str, str, str], Share]:
        """The shares by kind, length, setting and language."""
        found: dict[tuple[str, str, str, str], list[float]] = {}
        for one in self.outcomes:
            trial = one.trial
            cell = trial.kind, trial.length, trial.setting, trial.language
            found.setdefault(cell, []).append(one.credit)
        return {cell: Share(math.fsum(credit), len(credit)) for cell, credit in found.items()}

    def share(
        self,
        *,
        kind: str | None = None,
        length: str | None = None,
        setting: str | None = None,
        language: str | None = None,
    ) -> Share | None:
        """The share of the trials of a kind, a length, a setting and a language; None is any.

        Returns:
            None where there is no such trial.
        """
        wanted = (kind, length, setting, language)
        found = [
            share
            for cell, share in self.cells.items()
            if all(name in (None, part) for name, part in zip(wanted, cell, strict=True))
        ]
        if not found:
            return None
        return Share(math.fsum(one.right for one in found), sum(one.count for one in found))

    def mean(
        self,
        *,
        knowledge: bool = False,
        length: str | None = None,
        setting: str | None = None,
        language: str | None = None,
    ) -> float:
        """The mean over kinds, each with the same weight however many trials it has.

        Args:
            knowledge: whether over the kinds that need knowledge, or over those that need none.
            length: of these trials only, as the next two.
            setting: likewise.
            language: likewise.

        Returns:
            NaN where there is no such trial.
        """
        shares = [
            self.share(kind=kind.name, length=length, setting=setting, language=language)
            for kind in KINDS.values()
            if kind.knowledge == knowledge
        ]
        values = [share.value for share in shares if share is not None]
        return fmean(values) if values else math.nan

    def missed(self, kind: str) -> list[Outcome]:
        """The trials of a kind in which a spoilt answer came first, or tied."""
        return [one for one in self.outcomes if one.trial.kind == kind and one.credit < 1]

    def as_value(self) -> dict[str, Any]:
        """Everything, as JSON takes it."""
        return {
            "mean": self.mean(),
            "knowledge": self.mean(knowledge=True),
            "trials": len(self.outcomes),
            "settings": {name: self.mean(setting=name) for name in SETTINGS},
            "lengths": {name: self.mean(length=name) for name in LENGTHS},
            "languages": {name: self.mean(language=name) for name in LANGUAGES},
            "kinds": {
                name: {"knowledge": kind.knowledge, **share.as_value()}
                for name, kind in KINDS.items()
                if (share := self.share(kind=name)) is not None
            },
            "cells": [
                {**dict(zip(_AXES, cell, strict=True)), **share.as_value()}
                for cell, share in self.cells.items()
            ],
        }
