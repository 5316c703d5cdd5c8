"""How strong members are by who won against whom: Bradley and Terry's model with Gaussian priors.

The overall strengths ``s`` are drawn from N(0, spread²). In a kind of question, a member's strength
is drawn from N(s, kind_spread²). Who wins is told by the difference of two strengths, in logits.
The maximum of the posterior is found by Newton's method, and its curvature there gives standard
errors (Laplace's approximation).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_core.belief.goal import Floats

__all__ = ["Strengths", "Table", "fitted"]

_TOLERANCE = 1e-11
_MAX_STEPS = 100
_LONGEST_STEP = 2.0
"""Logits. The posterior is concave: a bounded step cannot run away from the maximum."""


@dataclass(frozen=True, eq=False)
class Table:
    """Who won against whom.

    Attributes:
        members: intp[m], numbers of those who were compared.
        points: float64[m, m], what the row won against the column; a tie is half a point each.
    """

    members: NDArray[np.intp]
    points: Floats

    def slope(self, strengths: Floats) -> Floats:
        """float64[m]: of the log-likelihood."""
        games = self.points + self.points.T
        missed: Floats = (self.points - games * _share(strengths)).sum(axis=1)
        return missed

    def information(self, strengths: Floats) -> Floats:
        """float64[m, m]: minus the log-likelihood's curvature."""
        share = _share(strengths)
        each = (self.points + self.points.T) * share * share.T
        return np.diag(each.sum(axis=1)) - each


@dataclass(frozen=True, eq=False)
class Strengths:
    """Where the posterior is highest, and how wide it is there.

    Attributes:
        overall: float64[M], the mean is 0.
        overall_errors: float64[M], standard errors of how far each is from the mean of all M: how
            strong all are together, no comparison tells.
        by_kind: of each kind, float64[m] for the members of its table.
        kind_errors: likewise, from the mean of these m.
    """

    overall: Floats
    overall_errors: Floats
    by_kind: Sequence[Floats]
    kind_errors: Sequence[Floats]


def fitted(
    count: int, plain: Table, kinds: Sequence[Table], spread: float, kind_spread: float
) -> Strengths:
    """The strengths of M members.

    Args:
        count: M.
        plain: who won in questions of no particular kind.
        kinds: who won in those of each kind.
        spread: standard deviation of the overall strengths, in logits.
        kind_spread: of a kind's strengths around these.
    """
    near, nearer = 1.0 / spread**2, 1.0 / kind_spread**2
    overall = np.zeros(count)
    special = [np.zeros(len(kind.members)) for kind in kinds]
    for _ in range(_MAX_STEPS):
        slope, inverses, center = _curves(overall, special, plain, kinds, near, nearer)
        pulls = []
        for kind, own, inverse in zip(kinds, special, inverses, strict=True):
            away = nearer * (own - overall[kind.members])
            slope[kind.members] += away
            pull = inverse @ (kind.slope(own) - away)
            slope[kind.members] += nearer * pull
            pulls.append(pull)
        step = np.linalg.solve(center, slope)
        steps = [
            pull + nearer * (inverse @ step[kind.members])
            for kind, pull, inverse in zip(kinds, pulls, inverses, strict=True)
        ]
        longest = max(float(np.abs(one).max(initial=0.0)) for one in (step, *steps))
        bound = min(1.0, _LONGEST_STEP / max(longest, _TOLERANCE))
        overall = overall + bound * step
        special = [own + bound * one for own, one in zip(special, steps, strict=True)]
        if longest < _TOLERANCE:
            break
    _, inverses, center = _curves(overall, special, plain, kinds, near, nearer)
    spreads = np.asarray(np.linalg.inv(center), np.float64)
    errors = []
    for kind, inverse in zip(kinds, inverses, strict=True):
        told = spreads[np.ix_(kind.members, kind.members)]
        wide = inverse + nearer**2 * (inverse @ told @ inverse)
        errors.append(_errors(wide))
    return Strengths(overall, _errors(spreads), special, errors)


def _curves(
    overall: Floats,
    special: Sequence[Floats],
    plain: Table,
    kinds: Sequence[Table],
    near: float,
    nearer: float,
) -> tuple[Floats, list[Floats], Floats]:
    """The overall strengths' slope but for the kinds, and the curvatures.

    Returns:
        float64[M]; of each kind the inverse curvature float64[m, m]; the curvature float64[M, M]
        of the overall strengths when the kinds' follow them (Schur's complement).
    """
    slope = -near * overall
    slope[plain.members] += plain.slope(overall[plain.members])
    center = near * np.eye(len(overall))
    center[np.ix_(plain.members, plain.members)] += plain.information(overall[plain.members])
    inverses = []
    for kind, own in zip(kinds, special, strict=True):
        one = np.eye(len(own))
        inverse = np.asarray(np.linalg.inv(kind.information(own) + nearer * one), np.float64)
        center[np.ix_(kind.members, kind.members)] += nearer * one - nearer**2 * inverse
        inverses.append(inverse)
    return slope, inverses, center


def _errors(covariance: Floats) -> Floats:
    """float64[m]: standard errors of differences from the mean, given the covariances."""
    count = len(covariance)
    centring = np.eye(count) - np.full((count, count), 1.0 / max(count, 1))
    errors: Floats = np.sqrt(np.maximum(np.diag(centring @ covariance @ centring), 0.0))
    return errors


def _share(strengths: Floats) -> Floats:
    """float64[m, m]: how probable it is that the row wins."""
    from scipy.special import expit

    result: Floats = expit(strengths[:, None] - strengths[None, :])
    return result
