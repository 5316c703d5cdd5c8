"""Active: every comparison is chosen for what it is expected to tell, and asking stops early."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from blender_core.checks import positive
from blender_core.errors import InputError
from blender_core.ranking.posterior import Posterior
from blender_core.ranking.schedules.schedule import Round, Rounds

__all__ = ["Active", "Goal"]

Goal = Literal["best", "order"] | int
"""What is to be known: the best answer, the whole order, or which k are the best."""


class Active:
    """Asks where it is expected to tell most, and stops when it knows enough.

    After every round, a Bayesian model of utilities, noise and position bias (`Posterior`) says
    how probable it is that the goal is reached. The next pairs, and their directions, are those
    that reduce most the variance of the differences on which the goal hangs, each weighted by how
    probable it is that the two are in the wrong order. At any moment there is a usable ranking.

    Args:
        goal: ``"best"``, an integer k for the set of the k best, or ``"order"``.
        confidence: stop when the goal is reached with this probability.
        max_passes: stop after so many comparisons.
        max_seconds: stop after so many seconds, at the end of a round.
        seed: of the first round's pairs and of the model's draws.

    Raises:
        InputError: a setting is not usable.
    """

    def __init__(
        self,
        goal: Goal = "best",
        confidence: float = 0.95,
        max_passes: int | None = None,
        max_seconds: float | None = None,
        seed: int = 0,
    ) -> None:
        if goal not in ("best", "order"):
            positive("goal", goal)
        if not 0.5 <= confidence < 1.0:
            raise InputError(f"'confidence' must be from 0.5 to below 1, got {confidence!r}")
        if max_passes is not None:
            positive("max_passes", max_passes)
        if max_seconds is not None and not max_seconds > 0:
            raise InputError(f"'max_seconds' must be positive or None, got {max_seconds!r}")
        self.goal = goal
        self.confidence = confidence
        self.max_passes = max_passes
        self.max_seconds = max_seconds
        self.seed = seed

    def rounds(self, lengths: Sequence[int]) -> Rounds:
        """Plan the comparisons of one task; see `Schedule.rounds`.

        The tiers are the order of the posterior's means: it knows of the position bias, which
        scores of a matrix with holes do not.
        """
        count = len(lengths)
        if count < 2:
            return None
        ends = None if self.max_seconds is None else time.monotonic() + self.max_seconds
        left = count * (count - 1)
        left = left if self.max_passes is None else min(left, self.max_passes)
        asked = np.eye(count, dtype=bool)
        batch: Round = self._first(count)[:left]
        while True:
            for pair in batch:
                asked[pair] = True
            left -= len(batch)
            matrix = yield batch
            posterior = Posterior.of(matrix, self.seed)
            is_over = left == 0 or (ends is not None and time.monotonic() >= ends)
            if is_over or self.reached(posterior) >= self.confidence:
                return _places(posterior)
            contrasts = self._contrasts(posterior)
            number = min(left, _size(count, int(asked.sum()) - count))
            batch = _most_telling(posterior, asked, contrasts, number)

    def reached(self, posterior: Posterior) -> float:
        """How probable it is that the goal is reached by the posterior's own order."""
        order = posterior.order
        if self.goal == "order":
            return posterior.ordered(order)
        k = 1 if self.goal == "best" else min(int(self.goal), len(order))
        return posterior.top(order, k)

    def _first(self, count: int) -> Round:
        """A ring: everybody once shown first and once shown second."""
        ring = np.random.default_rng(self.seed).permutation(count).tolist()
        pairs = zip(ring, [*ring[1:], ring[0]], strict=True)
        return list(dict.fromkeys((int(i), int(j)) for i, j in pairs))

    def _contrasts(self, posterior: Posterior) -> list[tuple[int, int]]:
        """The differences on which the goal hangs: the first of each pair should be the better."""
        order = posterior.order.tolist()
        if self.goal == "order":
            return list(pairwise(order))
        k = 1 if self.goal == "best" else min(int(self.goal), len(order))
        return [(inside, outside) for inside in order[:k] for outside in order[k:]]


def _places(posterior: Posterior) -> list[int]:
    """The place of each candidate, 0 = best; equal ones share it."""
    return [int(np.sum(posterior.utilities > utility)) for utility in posterior.utilities]


_CONTRASTS = 32
"""Contrasts that are looked at when pairs are chosen: the most doubtful."""


def _size(count: int, asked: int) -> int:
    """Comparisons of the next round: few enough to learn from each other, enough for a batch.

    A quarter of what was asked, so that rounds are few however long it takes.
    """
    return max(2, count // 4, asked // 4)


def _most_telling(
    posterior: Posterior,
    asked: NDArray[np.bool_],
    contrasts: Sequence[tuple[int, int]],
    number: int,
) -> Round:
    """The unasked pairs after whose answers the contrasts are expected to be known best.

    Greedy: after each pair the covariance is what it will be when that pair is answered, which
    does not depend on the answer.
    """
    first, second = np.nonzero(~asked)
    better, worse = np.array(contrasts).T
    wrong = np.mean(posterior.samples[:, better] < posterior.samples[:, worse], axis=0)
    likely = np.argsort(-wrong, kind="stable")[:_CONTRASTS]
    better, worse, weights = better[likely], worse[likely], wrong[likely] + 1e-6
    covariance = posterior.covariance.copy()
    open_ = np.ones(len(first), dtype=bool)
    batch: Round = []
    while len(batch) < number and open_.any():
        # With x what a pair measures (1 at the first, -1 at the second, 1 at the bias) and d a
        # contrast, asking it takes (d'Cx)² / (x'Cx + noise) from the variance d'Cd.
        of_contrasts = covariance[:, better] - covariance[:, worse]
        shared = of_contrasts[first] - of_contrasts[second] + of_contrasts[-1]
        variance = np.diag(covariance)
        predicted = (
            variance[first]
            + variance[second]
            + variance[-1]
            + 2.0 * (covariance[first, -1] - covariance[second, -1] - covariance[first, second])
            + posterior.noise
        )
        before = variance[better] + variance[worse] - 2.0 * covariance[better, worse]
        gain = (weights * shared**2 / np.maximum(before, 1e-12)).sum(axis=1) / predicted
        gain[~open_] = -np.inf
        place = int(gain.argmax())
        open_[place] = False
        i, j = int(first[place]), int(second[place])
        batch.append((i, j))
        spread = covariance[i] - covariance[j] + covariance[-1]
        covariance -= np.outer(spread, spread) / predicted[place]
    return batch
