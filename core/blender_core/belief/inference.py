"""What a matrix of comparisons says of probabilities."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from blender_core import checks
from blender_core.belief.posterior import Posterior

if TYPE_CHECKING:
    from blender_core.belief.calibrator import Calibrator
    from blender_core.belief.goal import Belief, Goal

__all__ = ["Inference"]


class Inference:
    """Probabilities and position bias, inferred from a matrix of comparisons.

    They come from a Bayesian model of the matrix (utilities with noise and a position bias, see
    `Posterior`), whatever schedule asked. They are about what the ranker would say if it were
    asked for ever. With a calibrator they are about what the labels say on which that was fitted.

    Candidates with the same text are one text here. Nothing is computed before it is asked.

    Args:
        matrix: float32[N, N] of the candidates, NaN where nothing was asked.
        texts: one a candidate; None for one that was left out.
        calibrator: what turns margins into probabilities, if the ranker has one.
    """

    def __init__(
        self,
        matrix: NDArray[np.float32],
        texts: Sequence[str | None],
        calibrator: Calibrator | None,
    ) -> None:
        self._matrix = matrix
        self._calibrator = calibrator
        places: dict[str, int] = {}
        self._distinct = tuple(
            None if text is None else places.setdefault(text, len(places)) for text in texts
        )
        """For each candidate, the place of its text among the different texts."""

    @cached_property
    def utilities(self) -> tuple[float, ...]:
        """One a candidate: what fits the matrix best, in logits; NaN for one that was left out.

        A difference of two is a margin, free of position bias. This is what a calibrator reads.
        """
        known = self._posterior.estimates
        return tuple(math.nan if place is None else float(known[place]) for place in self._distinct)

    def probability(self, i: int, j: int) -> float:
        """How probable it is that candidate i is better than j.

        Returns:
            0.5 where their texts are equal, NaN where one of them was left out.

        Raises:
            IndexError: there is no such candidate.
        """
        first, second = self._distinct[i], self._distinct[j]
        if first is None or second is None:
            return math.nan
        return 0.5 if first == second else float(self._belief.better(first, second))

    @cached_property
    def probability_best(self) -> tuple[float, ...]:
        """One a candidate: how probable it is that no other text is better than its own.

        The sum over all different texts is 1; one that was left out has 0.
        """
        best = self._belief.best
        return tuple(0.0 if place is None else float(best[place]) for place in self._distinct)

    def reached(self, goal: Goal, order: Sequence[int]) -> float:
        """How probable it is that an order of the candidates is right as far as a goal goes."""
        places = [place for i in order if (place := self._distinct[i]) is not None]
        return self._belief.reached(goal, list(dict.fromkeys(places)))

    @property
    def position_bias(self) -> float:
        """What an answer gains by being shown first, in logits."""
        return self._posterior.bias

    def position_bias_interval(self, mass: float = 0.95) -> tuple[float, float]:
        """The central interval that holds the position bias with this probability.

        Raises:
            InputError: the mass is not between 0 and 1.
        """
        return self._posterior.bias_interval(checks.probability("mass", mass))

    @cached_property
    def _posterior(self) -> Posterior:
        return Posterior.of(self._of_texts())

    def _of_texts(self) -> NDArray[np.float32]:
        """The matrix of the different texts that were not left out; of copies any may be asked."""
        places = self._distinct
        if places == tuple(range(len(places))):
            return self._matrix
        count = len({*places} - {None})
        merged = np.full((count, count), np.nan, dtype=np.float32)
        kept = [index for index, place in enumerate(places) if place is not None]
        columns = np.array([places[index] for index in kept])
        for index, row in zip(kept, columns, strict=True):
            logits = self._matrix[index, kept]
            asked = ~np.isnan(logits)
            merged[row, columns[asked]] = logits[asked]
        np.fill_diagonal(merged, np.nan)
        return merged

    @cached_property
    def _belief(self) -> Belief:
        posterior = self._posterior
        return posterior if self._calibrator is None else self._calibrator.belief(posterior)
