"""Active: every comparison is chosen for what it is expected to tell, and asking stops early."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from blender_core import checks
from blender_core.belief.goal import Floats, Goal
from blender_core.belief.posterior import Posterior
from blender_core.outcomes import StopReason
from blender_core.ranking.schedules.schedule import Ending, Round, Rounds, Schedule

__all__ = ["Active", "active_for"]

_CONTRASTS = 32
"""Contrasts that are looked at when pairs are chosen: the most doubtful."""

_STEPS = 64
"""Choices of a round that take each other into account; more pairs are chosen several at once."""

_HARDLY_WRONG = 1e-6
"""Added to how doubtful a contrast is, so that there is always something to ask."""

_TRIES = 3
"""Comparisons of a candidate that may fail before it is left as unknown as it is."""

_TOKEN = 4
"""Characters."""


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
        budget = _Budget.of(self, lengths)
        asked = np.eye(count, dtype=bool)
        closed = asked.copy()
        scores = None
        batch = _chain(count, self.seed)
        while batch := budget.cut(batch):
            for pair in batch:
                asked[pair] = closed[pair] = True
            matrix = yield batch
            posterior = Posterior.of(matrix)
            scores = posterior.utilities.tolist()
            answered = ~np.isnan(matrix)
            if posterior.mirrored:  # the other order of what was answered tells nothing
                closed |= answered.T
            # Whoever was never compared is in doubt, however unlikely it is to be any good; but
            # not for ever, where comparing it fails.
            unseen = _degrees(answered) == 0
            given_up = unseen & (_degrees(asked) >= _TRIES)
            closed[given_up] = closed[:, given_up] = True
            order = posterior.order[~given_up[posterior.order]]
            better, worse = _contrasts(order, goal)
            wrong = 1.0 - posterior.better(better, worse, nearly=True)
            # One contrast in doubt is enough to go on, and cheaper to see than the whole goal.
            in_doubt = (unseen & ~given_up).any() or wrong.max(initial=0.0) > 1.0 - self.confidence
            if len(order) and not in_doubt and posterior.settled(goal, order, self.confidence):
                return Ending(scores=scores, because="settled", goal=goal)
            number = _size(count, int(asked.sum()) - count)
            batch = _most_telling(posterior, closed, (better, worse, wrong), number)
        return Ending(scores=scores, because=budget.spent, goal=goal)


def _contrasts(order: NDArray[np.intp], goal: Goal) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The differences on which a goal hangs: the first of each should be the better."""
    if goal == "order":
        return order[:-1], order[1:]
    k = 1 if goal == "best" else int(goal)
    inside, outside = order[:k], order[k:]
    return np.repeat(inside, len(outside)), np.tile(outside, len(inside))


def _degrees(pairs: NDArray[np.bool_]) -> NDArray[np.intp]:
    """How many of these ordered pairs, the diagonal aside, each candidate is in."""
    degrees: NDArray[np.intp] = pairs.sum(axis=0) + pairs.sum(axis=1) - 2 * np.diag(pairs)
    return degrees


def active_for(schedule: str | Schedule, top: int | None) -> str | Schedule:
    """A schedule where the `top` best are wanted, None: all: `Active` by its name is told so."""
    if schedule != "active" or top == 1:
        return schedule
    return Active(goal="order" if top is None else top)


@dataclass(slots=True)
class _Budget:
    """What may still be asked."""

    lengths: Sequence[int]
    passes: float
    characters: float
    ends: float
    spent: StopReason = "nothing left to ask"

    @classmethod
    def of(cls, limits: Active, lengths: Sequence[int]) -> _Budget:
        """The budget of one task, whose time begins now."""
        passes, tokens, seconds = (
            np.inf if limit is None else limit
            for limit in (limits.max_passes, limits.max_tokens, limits.max_seconds)
        )
        return cls(lengths, passes, _TOKEN * tokens, time.monotonic() + seconds)

    def cut(self, batch: Round) -> Round:
        """As much of a round as there is a budget for."""
        if batch and time.monotonic() >= self.ends:
            self.spent = "max_seconds"
            return []
        left: Round = []
        for first, second in batch:
            characters = self.lengths[first] + self.lengths[second]
            if not self.passes:
                self.spent = "max_passes"
                break
            if characters > self.characters:
                self.spent = "max_tokens"
                break
            self.passes -= 1
            self.characters -= characters
            left.append((first, second))
        return left


def _chain(count: int, seed: int) -> Round:
    """A chain through half of the candidates: before anything is known, each pair adds one more."""
    line = np.random.default_rng(seed).permutation(count).tolist()
    return [*pairwise(line[: count // 2 + 1])]


def _size(count: int, asked: int) -> int:
    """Comparisons of the next round: few enough to learn from each other, enough for a batch.

    A third of what was asked, so that rounds are few however long it takes.
    """
    return max(2, count // 3, asked // 3)


def _most_telling(
    posterior: Posterior,
    closed: NDArray[np.bool_],
    contrasts: tuple[NDArray[np.intp], NDArray[np.intp], Floats],
    number: int,
) -> Round:
    """The open pairs after whose answers the contrasts are expected to be known best.

    With x what a pair measures (1 at the first, -1 at the second, 1 at the bias), C the covariance
    and d a contrast, asking the pair takes (d'Cx)² / (x'Cx + noise) from the contrast's variance
    d'Cd. Greedy: after each pair C is what it will be when that pair is answered, which does not
    depend on the answer.
    """
    better, worse, wrong = contrasts
    doubtful = np.argsort(-wrong, kind="stable")[:_CONTRASTS]
    covariance = posterior.covariance.copy()
    interest = _interest(covariance, better[doubtful], worse[doubtful], wrong[doubtful])
    told = _of_pairs(covariance @ interest @ covariance)
    variance = _of_pairs(covariance) + posterior.noise
    is_open = ~closed
    left = min(number, int(is_open.sum()))
    at_once = max(1, number // _STEPS)
    batch: Round = []
    while len(batch) < left and is_open.any():
        gain = np.where(is_open, told / variance, -np.inf)
        for place in _highest(gain, min(at_once, left - len(batch))):
            i, j = divmod(place, len(closed))
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


def _interest(
    covariance: Floats, better: NDArray[np.intp], worse: NDArray[np.intp], wrong: Floats
) -> Floats:
    """The sum of dd' over contrasts d, each by how doubtful it is, over its variance."""
    rows = np.arange(len(better))
    contrasts = np.zeros((len(better), len(covariance)))
    contrasts[rows, better], contrasts[rows, worse] = 1.0, -1.0
    variance = np.einsum("ki,ij,kj->k", contrasts, covariance, contrasts)
    weights = (wrong + _HARDLY_WRONG) / np.maximum(variance, 1e-12)
    interest: Floats = (contrasts.T * weights) @ contrasts
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
