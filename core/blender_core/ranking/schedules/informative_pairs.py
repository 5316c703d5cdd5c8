"""What an active schedule asks: the pairs that are expected to be most informative."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_core.belief.goal import Floats, Goal
from blender_core.belief.posterior import Posterior
from blender_core.ranking.schedules.schedule import Round

__all__ = ["Contrasts", "most_informative"]

_CONTRASTS = 32
"""Contrasts that are looked at when pairs are chosen: the most doubtful."""

_STEPS = 64
"""Choices of a round that take each other into account; more pairs are chosen several at once."""

_HARDLY_WRONG = 1e-6
"""Added to how doubtful a contrast is, so that there is always something to ask."""


@dataclass(frozen=True, slots=True, eq=False)
class Contrasts:
    """The differences on which a goal hangs.

    Attributes:
        better: intp[C], of each the candidate that should be the better one.
        worse: intp[C], the other one.
        wrong: float64[C], how probable it is that it is not so, differences of next to nothing
            aside.
    """

    better: NDArray[np.intp]
    worse: NDArray[np.intp]
    wrong: Floats

    @classmethod
    def of(cls, posterior: Posterior, goal: Goal, order: NDArray[np.intp]) -> Contrasts:
        """Of an order of candidates, best first."""
        if goal == "order":
            better, worse = order[:-1], order[1:]
        else:
            k = 1 if goal == "best" else int(goal)
            inside, outside = order[:k], order[k:]
            better, worse = np.repeat(inside, len(outside)), np.tile(outside, len(inside))
        return cls(better, worse, 1.0 - posterior.better(better, worse, nearly=True))

    @property
    def doubt(self) -> float:
        """How probable it is that the most doubtful one is wrong."""
        return float(self.wrong.max(initial=0.0))


def most_informative(
    posterior: Posterior, are_open: NDArray[np.bool_], contrasts: Contrasts, number: int
) -> Round:
    """The open pairs after whose answers the contrasts are expected to be known best.

    With x what a pair measures (1 at the first, -1 at the second, 1 at the bias), C the covariance
    and d a contrast, asking the pair takes (d'Cx)² / (x'Cx + noise) from the contrast's variance
    d'Cd. Greedy: after each pair C is what it will be when that pair is answered, which does not
    depend on the answer.
    """
    covariance = posterior.covariance.copy()
    interest = _interest(covariance, contrasts)
    told = _of_pairs(covariance @ interest @ covariance)
    variance = _of_pairs(covariance) + posterior.noise
    is_open = are_open.copy()
    left = min(number, int(is_open.sum()))
    at_once = max(1, number // _STEPS)
    batch: Round = []
    while len(batch) < left and is_open.any():
        gain = np.where(is_open, told / variance, -np.inf)
        for place in _highest(gain, min(at_once, left - len(batch))):
            i, j = divmod(place, len(is_open))
            batch.append((i, j))
            is_open[i, j] = False
            if posterior.mirrored:
                is_open[j, i] = False
            # C becomes C - ss'/v, and what follows from it for every pair.
            v = variance[i, j]
            s = covariance[i] - covariance[j] + covariance[-1]
            of_s = interest @ s
            shared, crossed = _differences(s), _differences(covariance @ of_s)
            told += shared * (shared * (s @ of_s / v) - 2.0 * crossed) / v
            variance -= shared * (shared / v)
            covariance -= np.outer(s, s / v)
    return batch


def _interest(covariance: Floats, contrasts: Contrasts) -> Floats:
    """The sum of dd' over contrasts d, each by how doubtful it is, over its variance."""
    doubtful = np.argsort(-contrasts.wrong, kind="stable")[:_CONTRASTS]
    rows = np.arange(len(doubtful))
    d = np.zeros((len(doubtful), len(covariance)))
    d[rows, contrasts.better[doubtful]], d[rows, contrasts.worse[doubtful]] = 1.0, -1.0
    variance = np.einsum("ki,ij,kj->k", d, covariance, d)
    weights = (contrasts.wrong[doubtful] + _HARDLY_WRONG) / np.maximum(variance, 1e-12)
    interest: Floats = (d.T * weights) @ d
    return interest


def _of_pairs(form: Floats) -> Floats:
    """Gives x'Mx for what each ordered pair measures: float64[N, N] of M, float64[N + 1, N + 1]."""
    own, bias = np.diag(form)[:-1], form[:-1, -1]
    first, second = own + 2.0 * bias, own - 2.0 * bias
    result: Floats = first[:, None] + second[None, :] - 2.0 * form[:-1, :-1] + form[-1, -1]
    return result


def _differences(vector: Floats) -> Floats:
    """Gives x's for what each ordered pair measures: float64[N, N] of s, float64[N + 1]."""
    result: Floats = (vector[:-1] + vector[-1])[:, None] - vector[:-1]
    return result


def _highest(gain: Floats, number: int) -> list[int]:
    """Flat places of the highest numbers, ties in the order of places."""
    if number == 1:
        return [int(gain.argmax())]
    highest: list[int] = np.argsort(-gain, axis=None, kind="stable")[:number].tolist()
    return highest
