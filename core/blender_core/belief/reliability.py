"""How well probabilities hold: calibration error, Brier score, a reliability plot's points."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Bin", "Reliability"]

_BINS = 10


@dataclass(frozen=True, slots=True)
class Bin:
    """Events of about the same probability.

    Attributes:
        told: their mean probability.
        happened: the share that happened.
        count: how many there are.
    """

    told: float
    happened: float
    count: int


@dataclass(frozen=True, slots=True)
class Reliability:
    """Probabilities against what happened.

    Attributes:
        ece: expected calibration error: the mean distance between what bins of equal size were
            told and what happened in them, weighted by their size (Naeini et al. 2015).
        brier: mean squared distance between a probability and what happened (0 or 1).
        count: events.
        bins: by probability, ascending.
    """

    ece: float
    brier: float
    count: int
    bins: tuple[Bin, ...]

    @classmethod
    def of(cls, probabilities: ArrayLike, happened: ArrayLike) -> Reliability:
        """Measure.

        A pair of answers is two events, of which one happens. The one that was taken to be more
        probable is looked at: probabilities below one half are turned over with what happened.

        Args:
            probabilities: float[n].
            happened: bool[n].

        >>> Reliability.of([0.8, 0.8, 0.8, 0.8, 0.2], [True, True, True, True, True]).brier
        0.16
        """
        told = np.asarray(probabilities, dtype=np.float64)
        came = np.asarray(happened).astype(np.float64)
        low = told < 0.5
        told, came = np.where(low, 1.0 - told, told), np.where(low, 1.0 - came, came)
        order = np.argsort(told, kind="stable")
        parts = [part for part in np.array_split(order, _BINS) if len(part)]
        bins = tuple(
            Bin(float(told[part].mean()), float(came[part].mean()), len(part)) for part in parts
        )
        count = len(told)
        ece = sum(one.count * abs(one.told - one.happened) for one in bins) / max(count, 1)
        brier = float(np.mean((told - came) ** 2)) if count else 0.0
        return cls(round(ece, 9), round(brier, 9), count, bins)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Reliability:
        """From what `dataclasses.asdict` makes of one."""
        bins = tuple(Bin(**one) for one in content["bins"])
        return cls(content["ece"], content["brier"], content["count"], bins)
