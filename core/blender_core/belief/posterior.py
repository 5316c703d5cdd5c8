"""What a matrix of comparisons says of the candidates' utilities, and how surely.

A logit is a noisy measurement of a difference of utilities, plus what the answer shown first gains
by being first: ``y = u_i - u_j + b + e`` (a Thurstone model on the logits themselves, not only on
who won). All of it is Gaussian, with the noise's variance and its ratio to that of the utilities
unknown; the former is integrated out in closed form, the latter over a grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.belief.design import Design
from blender_core.belief.goal import Floats, Goal, Order, reached
from blender_core.belief.rounding import rounded

__all__ = ["Posterior"]

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


@dataclass(frozen=True, eq=False)
class Posterior:
    """The belief about N utilities and a position bias after some comparisons.

    A mixture of R multivariate t distributions, one for each probable ratio of the grid.

    Attributes:
        weights: float64[R], how probable each ratio is.
        means: float64[R, N + 1], of the utilities, then of the bias.
        spreads: float64[R, C, C], covariance of the design's core for a noise of variance 1.
        alone: float64[R], variance of what is not in the core, the same.
        scales: float64[R], of the inverse gamma distribution of the noise's variance.
        shape: the shape of that distribution.
        design: the normal equations of what was measured ...
        moment: float64[N + 1], ... and their right side, in logits.
        unit: root mean square of the logits, about.
        mirrored: whether the comparator answers each pair and its mirror image alike, so that a
            second order tells nothing.
    """

    weights: Floats
    means: Floats
    spreads: Floats
    alone: Floats
    scales: Floats
    shape: float
    design: Design
    moment: Floats
    unit: float
    mirrored: bool

    @classmethod
    def of(cls, matrix: NDArray[np.floating[Any]]) -> Posterior:
        """What a matrix says.

        Time grows with N², and with the third power of how many candidates are not even (`Design`).

        Args:
            matrix: float[N, N], logit of (row shown first, column shown second); NaN where not
                asked.
        """
        from scipy.linalg import cho_solve

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
        moment = np.append(weighted.sum(axis=1) - weighted.sum(axis=0), weighted.sum())
        design = Design.of(weight)
        core, outside = design.core(moment), design.contrasts(moment[:-1])
        priors = np.empty((len(_RATIOS), len(core)))
        priors[:, :-1] = 1.0 / _RATIOS[:, None]
        # The bias is taken to vary as much as a utility and the noise together.
        priors[:, -1] = 1.0 / (_RATIOS + 1.0)
        alone = 1.0 / (design.curvature + 1.0 / _RATIOS)
        shape = _SHAPE + weight.sum() / 2.0
        squares = (weighted * logits).sum()
        scales, evidence = np.empty(len(_RATIOS)), np.empty(len(_RATIOS))
        for place, prior in enumerate(priors):
            root = np.linalg.cholesky(design.gram + np.diag(prior))
            explained = core @ cho_solve((root, True), core) + alone[place] * (outside @ outside)
            scales[place] = max(_SCALE + 0.5 * (squares - explained), 1e-9)
            evidence[place] = (
                0.5 * np.log(prior).sum()
                - np.log(np.diag(root)).sum()
                + 0.5 * max(design.count - 1, 0) * np.log(alone[place] / _RATIOS[place])
                - shape * np.log(scales[place])
            )
        weights = np.exp(evidence - evidence.max())
        weights /= weights.sum()
        kept = weights > _NEGLIGIBLE
        spreads = np.linalg.inv(design.gram + priors[kept][:, None, :] * np.eye(len(core)))
        means = design.spread_out(spreads @ core) + alone[kept][:, None] * outside
        return cls(
            weights=weights[kept] / weights[kept].sum(),
            means=unit * means,
            spreads=spreads,
            alone=alone[kept],
            scales=unit**2 * scales[kept],
            shape=float(shape),
            design=design,
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
        design, gram = self.design, self.design.gram.copy()
        gram[-1, -1] += _HARDLY_A_BIAS
        inside = np.linalg.pinv(gram, hermitian=True) @ design.core(self.moment)
        outside = design.contrasts(self.moment[:-1]) / max(design.curvature, 1.0)
        return rounded((design.spread_out(inside) + outside)[:-1])

    @cached_property
    def linked(self) -> NDArray[np.intp]:
        """intp[N]: the group of each candidate; a chain of answers links all of a group."""
        from scipy.sparse.csgraph import connected_components

        groups: NDArray[np.intp] = connected_components(self.design.gram[:-1, :-1] < 0)[1]
        return groups[self.design.places]

    @cached_property
    def noise(self) -> float:
        """The expected variance of one measurement."""
        return float(self.weights @ self._variances)

    @cached_property
    def covariance(self) -> Floats:
        """float64[N + 1, N + 1], of the utilities and the bias."""
        away = self.means - self.weights @ self.means
        shares = self.weights * self._variances
        core = np.tensordot(shares, self.spreads, axes=1)
        within = self.design.dense(core, float(shares @ self.alone))
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
        design, width = self.design, self.spreads.shape[1]
        normals = _normals(width + (self.means.shape[1] - 1 if design.count else 0))
        parts, start = [], 0
        for place in np.flatnonzero(draws):
            number = int(draws[place])
            variance = self.scales[place] / rng.gamma(self.shape, size=(number, 1))
            normal = normals[start : start + number]
            start += number
            root = np.linalg.cholesky(self.spreads[place])
            away = design.spread_out(normal[:, :width] @ root.T)
            if design.count:
                away += np.sqrt(self.alone[place]) * design.contrasts(normal[:, width:])
            parts.append(self.means[place] + np.sqrt(variance) * away)
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
        spread = self._covariance(i, i) + self._covariance(j, j) - 2.0 * self._covariance(i, j)
        unit = np.sqrt(np.maximum(spread.T * self.scales / self.shape, 1e-300))
        probability: Floats = stdtr(2.0 * self.shape, lead.T / unit) @ self.weights
        return probability

    def _covariance(self, i: NDArray[np.intp] | int, j: NDArray[np.intp] | int) -> Floats:
        return self.design.covariance(self.spreads, self.alone, i, j)

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


@lru_cache(maxsize=16)
def _normals(count: int) -> Floats:
    """Standard normal draws: making them anew would take most of the time."""
    return np.random.default_rng(1).standard_normal((_SAMPLES, count))
