"""Active: every comparison is chosen for what it is expected to tell, and asking stops early."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from blender_core import checks
from blender_core.belief.goal import Goal
from blender_core.belief.posterior import Posterior
from blender_core.ranking.schedules.informative_pairs import Contrasts, most_informative
from blender_core.ranking.schedules.open_pairs import Limits, OpenPairs
from blender_core.ranking.schedules.schedule import Ending, Round, Rounds, Schedule

__all__ = ["Active", "active_for"]


@dataclass(frozen=True, slots=True)
class Active:
    """Asks where it is expected to tell most, and stops when it knows enough.

    After every round, a Bayesian model of utilities, noise and position bias (`Posterior`) says
    how probable it is that the goal is reached. The next pairs, and their directions, are those
    that reduce most the variance of the differences on which the goal hangs, each weighted by how
    probable it is that the two are in the wrong order. At any moment there is a usable ranking.

    Args:
        goal: ``"best"``, an integer k for the set of the k best texts, or ``"order"``, which is
            also what a k of all texts or more means.
        confidence: stop when the goal is reached with this probability, up to differences of next
            to nothing and candidates that could not be compared.
        max_passes: stop after so many comparisons.
        max_seconds: stop after so many seconds, at the end of a round. Of tasks that are ranked
            together, each has the time in which the others are asked too.
        seed: of the first round's pairs.
        max_tokens: stop before the answers that were shown exceed this; a token is taken to be
            four characters, and the question is not counted.

    Raises:
        InputError: a setting is not usable.
    """

    goal: Goal = "best"
    confidence: float = 0.95
    max_passes: int | None = None
    max_seconds: float | None = None
    seed: int = 0
    max_tokens: int | None = None

    distinct: ClassVar[bool] = True
    """Two candidates with one text would never be told apart."""

    def __post_init__(self) -> None:
        if self.goal not in ("best", "order"):
            checks.positive("goal", self.goal)
        checks.probability("confidence", self.confidence, least=0.5)
        for name, limit in (("max_passes", self.max_passes), ("max_tokens", self.max_tokens)):
            if limit is not None:
                checks.positive(name, limit)
        checks.seconds("max_seconds", self.max_seconds)
        checks.not_negative("seed", self.seed)

    def rounds(self, lengths: Sequence[int]) -> Rounds:
        """Plan the comparisons of one task; see `Schedule.rounds`.

        The scores are the utilities' means: they know of the position bias and of how little was
        asked, which an aggregation of a matrix with holes does not.
        """
        count = len(lengths)
        # Which N of N are the best is no question; in which order is one.
        goal = "order" if isinstance(self.goal, int) and self.goal >= count else self.goal
        pairs = OpenPairs(lengths, Limits(self.max_passes, self.max_tokens, self.max_seconds))
        scores = None
        wanted = _chain(count, self.seed)
        while batch := pairs.take(wanted):
            matrix = yield batch
            posterior = Posterior.of(matrix)
            scores = posterior.utilities.tolist()
            pairs.learn(matrix, mirrored=posterior.mirrored)
            order = posterior.order[~pairs.given_up[posterior.order]]
            contrasts = Contrasts.of(posterior, goal, order)
            # One contrast in doubt is enough to go on, and cheaper to see than the whole goal.
            in_doubt = (pairs.unseen & ~pairs.given_up).any()
            in_doubt |= contrasts.doubt > 1.0 - self.confidence
            if len(order) and not in_doubt and posterior.settled(goal, order, self.confidence):
                return Ending(scores=scores, because="settled", goal=goal)
            number = _size(count, pairs.asked)
            wanted = most_informative(posterior, pairs.are_open, contrasts, number)
        return Ending(scores=scores, because=pairs.spent, goal=goal)


def active_for(schedule: str | Schedule, top: int | None) -> str | Schedule:
    """A schedule where the `top` best are wanted, None: all: `Active` by its name is told so."""
    if schedule != "active" or top == 1:
        return schedule
    return Active(goal="order" if top is None else top)


def _chain(count: int, seed: int) -> Round:
    """A chain through half of the candidates: before anything is known, each pair adds one more."""
    line = np.random.default_rng(seed).permutation(count).tolist()
    return [*pairwise(line[: count // 2 + 1])]


def _size(count: int, asked: int) -> int:
    """Comparisons of the next round: few enough to learn from each other, enough for a batch.

    A third of what was asked, so that rounds are few however long it takes.
    """
    return max(2, count // 3, asked // 3)
