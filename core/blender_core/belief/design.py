"""Which comparisons were made, as normal equations in which most candidates are no trouble.

A candidate that was compared with every other one, in both orders and always with the same weight,
is *even*. Even candidates differ in nothing but their results: any contrast of r even ones (weights
that sum to 0) is an eigenvector of the normal equations, all with the one eigenvalue 2wN, and it is
orthogonal to everything else. So r - 1 dimensions are known without computing, and what is left is
the *core*: the sum of the even ones over √r, each other candidate, and the position bias. Nothing
is approximated. In a complete design the core is two numbers, however many candidates there are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_core.belief.goal import Floats

__all__ = ["Design"]

Places = NDArray[np.intp] | int

_MANY = 100
"""Even candidates from which on they are treated as such: fewer are as quick in the core."""


@dataclass(frozen=True, eq=False)
class Design:
    """The normal equations of ``y = u_i - u_j + b``, and how to get into the core and out of it.

    Attributes:
        gram: float64[C, C], of the core; the bias comes last.
        places: intp[N], of each candidate in the core; even ones share one.
        loads: float64[N], what a candidate's utility has of what is at its place.
        even: bool[N].
        count: how many are even, r; 0 where they are too few to matter.
        curvature: the eigenvalue of contrasts of even candidates.
    """

    gram: Floats
    places: NDArray[np.intp]
    loads: Floats
    even: NDArray[np.bool_]
    count: int
    curvature: float

    @classmethod
    def of(cls, weight: Floats) -> Design:
        """Of the weights of the comparisons.

        Args:
            weight: float64[N, N], of (row shown first, column shown second); 0 where not asked.
        """
        size = len(weight)
        even, shared = _even(weight)
        count = int(even.sum())
        if count < _MANY:
            even, count = np.zeros(size, dtype=bool), 0
        odd = np.flatnonzero(~even)
        places = np.full(size, len(odd))
        places[odd] = np.arange(len(odd))
        loads = np.ones(size)
        first, second = weight.sum(axis=1), weight.sum(axis=0)
        among = weight if not count else weight[np.ix_(odd, odd)]
        width = len(odd) + bool(count) + 1
        gram = np.zeros((width, width))
        gram[: len(odd), : len(odd)] = np.diag((first + second)[odd]) - among - among.T
        gram[: len(odd), -1] = gram[-1, : len(odd)] = (first - second)[odd]
        gram[-1, -1] = weight.sum()
        if count:
            loads[even] = 1.0 / np.sqrt(count)
            gram[: len(odd), -2] = gram[-2, : len(odd)] = -2.0 * shared * np.sqrt(count)
            gram[-2, -2] = 2.0 * shared * len(odd)
        return cls(gram, places, loads, even, count, 2.0 * shared * size)

    def core(self, vector: Floats) -> Floats:
        """What of a vector float64[N + 1] is in the core: float64[C]."""
        inside = np.bincount(self.places, vector[:-1] * self.loads, len(self.gram) - 1)
        return np.append(inside, vector[-1])

    def spread_out(self, core: Floats) -> Floats:
        """Vectors of the core, float64[..., C], as what they say of all: float64[..., N + 1]."""
        utilities = core[..., self.places] * self.loads
        return np.concatenate([utilities, core[..., -1:]], axis=-1)

    def contrasts(self, vectors: Floats) -> Floats:
        """What of vectors float64[..., N] is outside of the core, with a 0 for the bias behind."""
        outside = np.zeros((*vectors.shape[:-1], len(self.even) + 1))
        if self.count:
            among = vectors[..., self.even]
            outside[..., :-1][..., self.even] = among - among.mean(axis=-1, keepdims=True)
        return outside

    def covariance(self, core: Floats, alone: Floats, i: Places, j: Places) -> Floats:
        """Of the utilities of candidates i and j, elementwise, for R different posteriors.

        Args:
            core: float64[R, C, C], covariances of the core.
            alone: float64[R], variances of contrasts of even candidates.
            i: intp[...].
            j: intp[...].

        Returns:
            float64[R, ...].
        """
        shared = core[:, self.places[i], self.places[j]] * (self.loads[i] * self.loads[j])
        both = self.even[i] & self.even[j]
        own = both * (np.equal(i, j) - 1.0 / max(self.count, 1))
        result: Floats = shared + np.multiply.outer(alone, own)
        return result

    def dense(self, core: Floats, alone: float) -> Floats:
        """A covariance of the core, float64[C, C], as one of all: float64[N + 1, N + 1]."""
        whole = self.spread_out(self.spread_out(core).T)
        if self.count:
            members = np.append(self.even, False)
            whole += alone * (np.diag(members) - np.outer(members, members) / self.count)
        return whole


def _even(weight: Floats) -> tuple[NDArray[np.bool_], float]:
    """Who is even, and the weight of their comparisons."""
    for shared in (0.5, 1.0):
        same = weight == shared
        np.fill_diagonal(same, val=True)
        even = same.all(axis=0) & same.all(axis=1)
        if even.any():
            return even, shared
    return np.zeros(len(weight), dtype=bool), 0.0
