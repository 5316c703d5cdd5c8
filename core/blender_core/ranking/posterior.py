"""What a matrix of comparisons says of the candidates' utilities, and how surely.

A logit is a noisy measurement of a difference of utilities, plus what the answer shown first gains
by being first: ``y = u_i - u_j + b + e`` (a Thurstone model on the logits themselves, not only on
who won). All of it is Gaussian, with the noise's variance and its ratio to that of the utilities
unknown; the former is integrated out in closed form, the latter over a grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.ranking.matrix import rounded

__all__ = ["Posterior"]

Floats = NDArray[np.float64]

_RATIOS = np.array([0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0])
"""Variance of the utilities over that of the noise: from comparators that only guess to ones that
hardly err."""

_BIAS_RATIO = 1.0
"""Variance of the position bias over that of a utility and of the noise together."""

_SHAPE, _SCALE = 1.0, 0.25
"""Of the inverse gamma prior on the noise's variance, after logits were scaled to 1 (root mean
square). Weak: it counts for two measurements."""

_SAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Posterior:
    """The belief about N utilities and a position bias after some comparisons.

    Attributes:
        mean: float64[N + 1], of the utilities, then of the bias.
        covariance: float64[N + 1, N + 1].
        noise: variance of one measurement.
        samples: float64[S, N + 1], draws.
    """

    mean: Floats
    covariance: Floats
    noise: float
    samples: Floats

    @classmethod
    def of(cls, matrix: NDArray[np.floating[Any]], seed: int = 0) -> Posterior:
        """What a matrix says.

        Args:
            matrix: float[N, N], logit of (row shown first, column shown second); NaN where not
                asked.
            seed: of the draws.
        """
        count = len(matrix)
        first, second = np.nonzero(~np.isnan(matrix) & ~np.eye(count, dtype=bool))
        logits = matrix[first, second].astype(np.float64)
        unit = float(np.sqrt(np.mean(logits**2))) if len(logits) else 1.0
        unit = unit or 1.0
        design = np.zeros((len(logits), count + 1))
        rows = np.arange(len(logits))
        design[rows, first] = 1.0
        design[rows, second] -= 1.0
        design[:, count] = 1.0
        fits = [_fit(design, logits / unit, ratio) for ratio in _RATIOS]
        evidence = np.array([fit.evidence for fit in fits])
        weights = np.exp(evidence - evidence.max())
        weights /= weights.sum()
        rng = np.random.default_rng(seed)
        draws = rng.multinomial(_SAMPLES, weights)
        samples = unit * np.concatenate(
            [fit.draw(int(number), rng) for fit, number in zip(fits, draws, strict=True) if number]
        )
        mean = rounded(unit * sum(w * fit.mean for w, fit in zip(weights, fits, strict=True)))
        second_moment = sum(
            w * (fit.noise * fit.inverse + np.outer(fit.mean, fit.mean))
            for w, fit in zip(weights, fits, strict=True)
        )
        covariance = unit**2 * second_moment - np.outer(mean, mean)
        noise = unit**2 * float(sum(w * fit.noise for w, fit in zip(weights, fits, strict=True)))
        return cls(mean, covariance, noise, samples)

    @property
    def utilities(self) -> Floats:
        """float64[N]: the mean of each candidate's utility, in logits."""
        return self.mean[:-1]

    @property
    def order(self) -> NDArray[np.intp]:
        """intp[N]: candidates by their utility, best first, ties in input order."""
        return np.argsort(-self.utilities, kind="stable")

    @cached_property
    def best(self) -> Floats:
        """float64[N]: how probable it is that each candidate is the best."""
        utilities = self.samples[:, :-1]
        winners = utilities.argmax(axis=1)
        return np.bincount(winners, minlength=utilities.shape[1]) / len(winners)

    def better(self, i: int, j: int) -> float:
        """How probable it is that candidate i is better than j."""
        return float(np.mean(self.samples[:, i] > self.samples[:, j]))

    def top(self, order: NDArray[np.intp], k: int) -> float:
        """How probable it is that the first k of an order are the k best, in whatever order."""
        utilities = self.samples[:, :-1]
        inside = utilities[:, order[:k]].min(axis=1)
        outside = utilities[:, order[k:]].max(axis=1, initial=-np.inf)
        return float(np.mean(inside > outside))

    def ordered(self, order: NDArray[np.intp]) -> float:
        """How probable it is that an order is right."""
        utilities = self.samples[:, order]
        return float(np.mean((np.diff(utilities, axis=1) < 0).all(axis=1)))

    def bias(self, mass: float = 0.95) -> tuple[float, float, float]:
        """The position bias: its mean, and the ends of the central interval of that mass."""
        draws = self.samples[:, -1]
        low, high = np.quantile(draws, [(1 - mass) / 2, (1 + mass) / 2])
        return float(self.mean[-1]), float(low), float(high)


@dataclass(frozen=True, eq=False)
class _Fit:
    """The posterior for one ratio, up to the noise's variance."""

    mean: Floats
    inverse: Floats
    root: Floats
    shape: float
    scale: float
    evidence: float

    @property
    def noise(self) -> float:
        return self.scale / max(self.shape - 1.0, 0.5)

    def draw(self, number: int, rng: np.random.Generator) -> Floats:
        """Draws of utilities and bias, the noise's variance drawn with them."""
        variance = self.scale / rng.gamma(self.shape, size=(number, 1))
        normal = rng.standard_normal((number, len(self.mean)))
        return self.mean + np.sqrt(variance) * (normal @ self.root.T)


def _fit(design: Floats, logits: Floats, ratio: float) -> _Fit:
    """Conjugate linear regression with a normal inverse gamma prior."""
    count = design.shape[1]
    prior = np.full(count, 1.0 / ratio)
    prior[-1] = 1.0 / (_BIAS_RATIO * (ratio + 1.0))
    precision = design.T @ design + np.diag(prior)
    factor = np.linalg.cholesky(precision)
    solved = np.linalg.solve(factor, np.eye(count))  # factor⁻¹
    inverse = solved.T @ solved
    mean = inverse @ (design.T @ logits)
    shape = _SHAPE + len(logits) / 2.0
    scale = _SCALE + 0.5 * float(logits @ logits - mean @ precision @ mean)
    scale = max(scale, 1e-9)
    evidence = 0.5 * np.log(prior).sum() - np.log(np.diag(factor)).sum() - shape * np.log(scale)
    return _Fit(mean, inverse, solved.T, shape, scale, float(evidence))
