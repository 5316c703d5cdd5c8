"""What is to be known of candidates, and how probable it is that an order is right about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Belief", "Floats", "Goal", "Order", "reached"]

Goal = Literal["best", "order"] | int
"""What is to be known: the best answer, the whole order, or which k are the best."""

Floats = NDArray[np.float64]

Order = Sequence[int] | NDArray[np.intp]


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
