"""How well probabilities hold: calibration error, Brier score, a reliability plot's points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Bin", "Reliability", "equal_parts"]

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
        ece: expected calibration error: the mean distance between what bins of about equal size
            were told and what happened in them, weighted by their size (Naeini et al. 2015).
            Equal probabilities are in one bin.
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
        Of one half, each of the two happened by half.

        Args:
            probabilities: float[n].
            happened: bool[n].

        >>> Reliability.of([0.8, 0.8, 0.8, 0.8, 0.2], [True, True, True, True, True]).brier
        0.16
        """
        told = np.asarray(probabilities, dtype=np.float64)
        came = np.asarray(happened).astype(np.float64)
        brier = float(np.mean((told - came) ** 2)) if len(told) else 0.0
        low = told < 0.5
        told, came = np.where(low, 1.0 - told, told), np.where(low, 1.0 - came, came)
        came[told == 0.5] = 0.5
        bins = tuple(
            Bin(float(told[part].mean()), float(came[part].mean()), len(part))
            for part in equal_parts(told, _BINS)
        )
        count = len(told)
        ece = sum(one.count * abs(one.told - one.happened) for one in bins) / max(count, 1)
        return cls(round(ece, 9), round(brier, 9), count, bins)


def equal_parts(values: NDArray[np.float64], number: int) -> list[NDArray[np.intp]]:
    """Places of values in parts of about equal size, ascending; equal values stay together."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    middle = np.cumsum(sizes) - sizes / 2.0
    part = (middle * number / max(len(values), 1)).astype(np.intp)[group]
    return [np.flatnonzero(part == one) for one in np.unique(part)]
