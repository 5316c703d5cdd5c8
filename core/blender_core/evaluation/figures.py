"""Figures over records, each with an interval.

Every figure here is a ratio of two sums over records, or the mean of several such ratios. So what
a record adds to it is a pair of numbers, and any figure can be computed again, quickly, for
records drawn with replacement: the bootstrap (Efron 1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["NOTHING", "Bootstrap", "Figure", "Ratio"]

_ROWS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Figure:
    """A number and how sure it is.

    Attributes:
        value: the figure; None where no record says anything about it.
        low: lower end of the interval; None where there is none.
        high: upper end.
        records: how many records it comes from.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    records: int = 0


NOTHING = Figure(None)


@dataclass(frozen=True, slots=True)
class Ratio:
    """What each record adds above and below the line.

    Attributes:
        above: float64[records].
        below: float64[records], 0 for a record that says nothing.
    """

    above: NDArray[np.float64]
    below: NDArray[np.float64]

    @classmethod
    def mean(cls, values: ArrayLike) -> Ratio:
        """The mean of one value a record; NaN says nothing."""
        numbers = np.asarray(values, dtype=np.float64)
        known = ~np.isnan(numbers)
        return cls(np.where(known, numbers, 0.0), known.astype(np.float64))

    @property
    def value(self) -> float:
        """The ratio over all records, NaN where the lower sum is 0."""
        below = float(self.below.sum())
        return float(self.above.sum()) / below if below else float("nan")


class Bootstrap:
    """Percentile intervals from records drawn with replacement.

    The draws are the same for all figures of as many records, so figures can be compared.

    Args:
        resamples: how often to draw; 0 gives no intervals.
        seed: of the draws.
        level: share of the draws inside the interval.
    """

    def __init__(self, resamples: int = 1000, seed: int = 0, level: float = 0.95) -> None:
        self.resamples = resamples
        self.seed = seed
        self.level = level
        self._drawn: NDArray[np.uint8] | None = None

    def figure(self, *ratios: Ratio) -> Figure:
        """The mean of the ratios, over the same records each."""
        value = float(np.mean([ratio.value for ratio in ratios]))
        if np.isnan(value):
            return NOTHING
        said = np.any([ratio.below != 0 for ratio in ratios], axis=0)
        records = int(said.sum())
        if not self.resamples or records < 2:
            return Figure(value, records=records)
        draws = self._draws(ratios)
        draws = draws[~np.isnan(draws)]
        tail = (1.0 - self.level) / 2.0
        low, high = np.quantile(draws, [tail, 1.0 - tail]).tolist()
        return Figure(value, low, high, records)

    def _draws(self, ratios: Sequence[Ratio]) -> NDArray[np.float64]:
        """The figure of every draw, NaN where a lower sum is 0."""
        above = np.stack([ratio.above for ratio in ratios], axis=1)
        below = np.stack([ratio.below for ratio in ratios], axis=1)
        counts = self._counts(len(above))
        figures = []
        for start in range(0, len(counts), _ROWS_AT_ONCE):
            part = counts[start : start + _ROWS_AT_ONCE].astype(np.float64)
            upper, lower = part @ above, part @ below
            known = lower > 0
            figures.append(np.where(known, upper / np.where(known, lower, 1.0), np.nan).mean(1))
        return np.concatenate(figures)

    def _counts(self, records: int) -> NDArray[np.uint8]:
        """How often each record is in each draw: uint8[resamples, records]."""
        if self._drawn is None or self._drawn.shape[1] != records:
            random = np.random.default_rng(self.seed)
            drawn = np.empty((self.resamples, records), dtype=np.uint8)
            for row in drawn:
                places = random.integers(0, records, records)
                # That a record is drawn 256 times cannot happen in practice.
                row[:] = np.bincount(places, minlength=records).clip(max=255)
            self._drawn = drawn
        return self._drawn
