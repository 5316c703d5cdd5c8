"""What a matrix of comparisons says of the candidates' utilities, and how surely.

A logit is a noisy measurement of a difference of utilities, plus what the answer shown first gains
by being first: ``y = u_i - u_j + b + e`` (a Thurstone model on the logits themselves, not only on
who won). All of it is Gaussian, with the noise's variance and its ratio to that of the utilities
unknown; the former is integrated out in closed form, the latter over a grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from blender_core.belief.rounding import rounded

__all__ = ["Belief", "Goal", "Posterior", "reached"]

Goal = Literal["best", "order"] | int
"""What is to be known: the best answer, the whole order, or which k are the best."""

Floats = NDArray[np.float64]

Order = Sequence[int] | NDArray[np.intp]

_RATIOS = np.array([0.03, 0.15, 0.6, 2.5, 10.0, 40.0, 200.0])
"""Variance of the utilities over that of the noise: from comparators that only guess to ones that
hardly err."""

_SHAPE, _SCALE = 1.0, 0.15
"""Of the inverse gamma prior on the noise's variance, after logits were scaled to 1 (root mean
square). Weak: it counts for two measurements."""

_LEAST_UNIT = 0.1
"""Logits. Two answers with logits of ±0.01 are not told apart as surely as with ±10: a logit has
a scale, and a tenth (a probability of 0.525) is next to nothing on it."""

_SAMPLES = 1000

_NEGLIGIBLE = 1e-4
"""A ratio that is less probable than this is left out."""

_NEXT_TO_NOTHING = 0.005
"""A difference of utilities that is not worth a question, in root mean squares of the logits."""

_HARDLY_A_BIAS = 1e-6
"""How much speaks against a position bias in `Posterior.estimates`, in measurements."""

_SAME = 1e-5
"""Logits that differ by less, relative to their root mean square, are one number."""


class Belief(Protocol):
    """Probabilities about N candidates."""

    @property
    def best(self) -> Floats:
        """float64[N]: how probable it is that each candidate is the best."""
        ...

    def better(self, i: int, j: int) -> float | Floats:
        """How probable it is that candidate i is better than j."""
        ...

    def reached(self, goal: Goal, order: Order) -> float:
        """How probable it is that an order is right as far as the goal goes.

        Args:
            goal: ``"best"``: its first one is the best. An integer k: its first k are the k best,
                in whatever order. ``"order"``: all of it is right.
            order: the N candidates, best first.
        """
        ...


def reached(samples: Floats, goal: Goal, order: Order, slack: float = 0.0) -> float:
    """The share of samples of utilities by which an order reaches a goal.

    Args:
        samples: float64[S, N].
        goal: see `Belief.reached`.
        order: the N candidates, best first.
        slack: by how much the order may be wrong.
    """
    utilities = samples[:, np.asarray(order)]
    if goal == "order":
        return float(np.mean((np.diff(utilities, axis=1) < slack).all(axis=1)))
    k = 1 if goal == "best" else int(goal)
    outside = utilities[:, k:].max(axis=1, initial=-np.inf)
    return float(np.mean(utilities[:, :k].min(axis=1) > outside - slack))


@dataclass(frozen=True, eq=False)
class Posterior:
    """The belief about N utilities and a position bias after some comparisons.

    A mixture of R multivariate t distributions, one for each probable ratio of the grid.

    Attributes:
        weights: float64[R], how probable each ratio is.
        means: float64[R, N + 1], of the utilities, then of the bias.
        spreads: float64[R, N + 1, N + 1], covariance for a noise of variance 1.
        scales: float64[R], of the inverse gamma distribution of the noise's variance.
        shape: the shape of that distribution.
        gram: float64[N + 1, N + 1], the normal equations of what was measured ...
        moment: float64[N + 1], ... and their right side, in logits.
        unit: root mean square of the logits, about.
        mirrored: whether the comparator answers each pair and its mirror image alike, so that a
            second order tells nothing.
    """

    weights: Floats
    means: Floats
    spreads: Floats
    scales: Floats
    shape: float
    gram: Floats
    moment: Floats
    unit: float
    mirrored: bool

    @classmethod
    def of(cls, matrix: NDArray[np.floating[Any]]) -> Posterior:
        """What a matrix says.

        Args:
            matrix: float[N, N], logit of (row shown first, column shown second); NaN where not
                asked.
        """
        count = len(matrix)
        logits = matrix.astype(np.float64)
        asked = ~np.isnan(logits)
        np.fill_diagonal(asked, val=False)
        logits = np.where(asked, logits, 0.0)
        total = int(asked.sum())
        unit = float(np.sqrt((logits**2).sum() / max(total, 1) + _LEAST_UNIT**2))
        logits /= unit
        # Two orders that mirror each other are one measurement, each half of it.
        twice = asked & asked.T
        same = twice & (np.abs(logits + logits.T) < _SAME)
        weight = np.where(same, 0.5, asked.astype(np.float64))
        weighted = weight * logits
        gram, moment = _normal_equations(weight, weighted)
        priors = np.empty((len(_RATIOS), count + 1))
        priors[:, :-1] = 1.0 / _RATIOS[:, None]
        # The bias is taken to vary as much as a utility and the noise together.
        priors[:, -1] = 1.0 / (_RATIOS + 1.0)
        precision = gram + priors[:, None, :] * np.eye(count + 1)
        roots = np.linalg.cholesky(precision)
        covariances = np.linalg.inv(precision)
        means = covariances @ moment
        shape = _SHAPE + weight.sum() / 2.0
        residue = (weighted * logits).sum() - means @ moment
        scales = np.maximum(_SCALE + 0.5 * residue, 1e-9)
        evidence = (
            0.5 * np.log(priors).sum(axis=1)
            - np.log(np.diagonal(roots, axis1=1, axis2=2)).sum(axis=1)
            - shape * np.log(scales)
        )
        weights = np.exp(evidence - evidence.max())
        weights /= weights.sum()
        kept = weights > _NEGLIGIBLE
        return cls(
            weights=weights[kept] / weights[kept].sum(),
            means=unit * means[kept],
            spreads=covariances[kept],
            scales=unit**2 * scales[kept],
            shape=float(shape),
            gram=gram,
            moment=unit * moment,
            unit=unit,
            mirrored=bool(twice.any() and (same == twice).all()),
        )

    @cached_property
    def mean(self) -> Floats:
        """float64[N + 1]: of the utilities, then of the bias, without a solver's noise."""
        return rounded(self.weights @ self.means)

    @property
    def utilities(self) -> Floats:
        """float64[N]: the mean of each candidate's utility, in logits."""
        return self.mean[:-1]

    @cached_property
    def estimates(self) -> Floats:
        """float64[N]: utilities by least squares, in logits.

        The prior does not draw them to each other, so that a margin of a consistent comparator is
        the same however many other candidates there are. A position bias that nothing speaks for
        is taken to be none.
        """
        gram = self.gram.copy()
        gram[-1, -1] += _HARDLY_A_BIAS
        return rounded((np.linalg.pinv(gram, hermitian=True) @ self.moment)[:-1])

    @cached_property
    def linked(self) -> NDArray[np.intp]:
        """intp[N]: the group of each candidate; a chain of answers links all of a group."""
        from scipy.sparse.csgraph import connected_components

        groups: NDArray[np.intp] = connected_components(self.gram[:-1, :-1] < 0)[1]
        return groups

    @cached_property
    def noise(self) -> float:
        """The expected variance of one measurement."""
        return float(self.weights @ self._variances)

    @cached_property
    def covariance(self) -> Floats:
        """float64[N + 1, N + 1], of the utilities and the bias."""
        away = self.means - self.weights @ self.means
        within = np.tensordot(self.weights * self._variances, self.spreads, axes=1)
        return within + (self.weights * away.T) @ away

    @property
    def _variances(self) -> Floats:
        return self.scales / max(self.shape - 1.0, 0.5)

    @cached_property
    def order(self) -> NDArray[np.intp]:
        """intp[N]: candidates by their utility, best first, ties in input order."""
        return np.argsort(-self.utilities, kind="stable")

    @cached_property
    def samples(self) -> Floats:
        """float64[S, N + 1]: draws of utilities and bias, the same ones for the same matrix."""
        rng = np.random.default_rng(0)
        draws = rng.multinomial(_SAMPLES, self.weights)
        normals = _normals(self.means.shape[1])
        parts, start = [], 0
        for place in np.flatnonzero(draws):
            number = int(draws[place])
            variance = self.scales[place] / rng.gamma(self.shape, size=(number, 1))
            normal = normals[start : start + number]
            start += number
            root = np.linalg.cholesky(self.spreads[place])
            parts.append(self.means[place] + np.sqrt(variance) * (normal @ root.T))
        return np.concatenate(parts)

    @cached_property
    def best(self) -> Floats:
        """float64[N]: how probable it is that each candidate is the best."""
        utilities = self.samples[:, :-1]
        winners = utilities.argmax(axis=1)
        return np.bincount(winners, minlength=utilities.shape[1]) / len(winners)

    def better(
        self, i: NDArray[np.intp] | int, j: NDArray[np.intp] | int, *, nearly: bool = False
    ) -> Floats:
        """How probable it is that candidate i is better than j; for arrays of them, elementwise.

        Args:
            i: one or several.
            j: as many.
            nearly: whether it is enough to be worse by next to nothing.
        """
        from scipy.special import stdtr

        lead = self.means[:, i] - self.means[:, j]
        if nearly:
            lead = lead + _NEXT_TO_NOTHING * self.unit
        spread = self.spreads[:, i, i] + self.spreads[:, j, j] - 2.0 * self.spreads[:, i, j]
        unit = np.sqrt(np.maximum(spread.T * self.scales / self.shape, 1e-300))
        probability: Floats = stdtr(2.0 * self.shape, lead.T / unit) @ self.weights
        return probability

    def reached(self, goal: Goal, order: Order) -> float:
        """See `Belief.reached`."""
        return reached(self.samples[:, :-1], goal, order)

    def settled(self, goal: Goal, order: Order, confidence: float) -> bool:
        """Whether an order, of all candidates or some, reaches the goal with this probability.

        Candidates that differ by next to nothing may be in either order: two that are equally
        good would never be told apart.
        """
        slack = _NEXT_TO_NOTHING * self.unit
        return reached(self.samples[:, :-1], goal, order, slack) >= confidence

    @property
    def bias(self) -> float:
        """The mean of the position bias, in logits."""
        return float(self.mean[-1])

    def bias_interval(self, mass: float) -> tuple[float, float]:
        """The central interval that holds the position bias with this probability."""
        low, high = np.quantile(self.samples[:, -1], [(1 - mass) / 2, (1 + mass) / 2])
        return float(low), float(high)


@lru_cache(maxsize=64)
def _normals(count: int) -> Floats:
    """Standard normal draws: making them anew would take most of the time."""
    return np.random.default_rng(1).standard_normal((_SAMPLES, count))


def _normal_equations(weight: Floats, weighted: Floats) -> tuple[Floats, Floats]:
    """X'WX and X'Wy of the regression in which row (i, j) of X is u_i - u_j + b."""
    count = len(weight)
    first, second = weight.sum(axis=1), weight.sum(axis=0)
    gram = np.zeros((count + 1, count + 1))
    gram[:-1, :-1] = np.diag(first + second) - weight - weight.T
    gram[:-1, -1] = gram[-1, :-1] = first - second
    gram[-1, -1] = weight.sum()
    moment = np.append(weighted.sum(axis=1) - weighted.sum(axis=0), weighted.sum())
    return gram, moment
