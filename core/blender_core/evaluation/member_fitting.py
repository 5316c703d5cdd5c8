"""From judged records to what is known of the members that answered, and what it counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

from blender_core.belief.member_prior import MemberPrior
from blender_core.belief.outcome import Outcome
from blender_core.candidates import Task
from blender_core.errors import InputError
from blender_core.evaluation.truth import Truth
from blender_core.outcomes import Ranking

__all__ = ["fit_members", "outcomes_of"]

Numbers = NDArray[np.float64]

_FOLDS = 5
_LOOSE = 5.0
"""Standard deviation of what a ranker's logits count, after these were scaled to 1: hardly held."""


def fit_members(
    tasks: Sequence[Task],
    truths: Sequence[Truth],
    rankings: Sequence[Ranking] | None = None,
    *,
    beside: str = "the ranker",
    by: str | None = None,
    seed: int = 0,
) -> MemberPrior:
    """Learn how strong members are from judged answers, and what that counts beside a ranker.

    The weights are those of a logistic regression of who won on the ranker's margin and the
    difference of strengths. These strengths come from other questions than the pair's own (five
    folds), so that they count for what they tell of new questions; and they count for what they
    tell beside the ranker, which may know part of it already.

    Args:
        tasks: the questions, with named answers; answers without a name are left out.
        truths: what is known of which answers are better: `truth_of` a record, or `truth_by` the
            matrix of a ranker that plays the judge.
        rankings: the ranker's complete ones; None fits no weights.
        beside: what the ranker is called.
        by: the field of records that the tasks' kinds are from.
        seed: of the division into folds.

    Raises:
        InputError: nothing was judged, or, with a ranker, fewer than five questions were.
    """
    outcomes = [outcomes_of(task, truth) for task, truth in zip(tasks, truths, strict=True)]
    judged = [place for place, some in enumerate(outcomes) if some]
    if not judged:
        raise InputError("no two named members' answers to the same question were judged")
    prior = MemberPrior.fit(chain.from_iterable(outcomes), by=by)
    if rankings is None:
        return prior
    if len(judged) < _FOLDS:
        raise InputError(
            f"{len(judged)} judged questions are too few to find out what members' strengths count "
            f"beside a ranker: at least {_FOLDS} are needed"
        )
    parts = np.array_split(np.random.default_rng(seed).permutation(judged), _FOLDS)
    pairs = []
    for part in parts:
        others = chain.from_iterable(outcomes[place] for place in {*judged}.difference(part))
        known = replace(prior, outcomes=tuple(others))
        pairs += [_pairs(tasks[k], truths[k], rankings[k], known) for k in part]
    ranker_weight, weight = _weights(np.concatenate(pairs))
    return replace(prior, weight=weight, ranker_weight=ranker_weight, beside=beside)


def outcomes_of(task: Task, truth: Truth) -> list[Outcome]:
    """What a judged question tells of its members.

    All pairs of n answers tell no more than n - 1 comparisons could: they share the answers. For
    scores with Gaussian noise, of which all pairs are differences, counting each pair as 2 / n
    comparisons is exact. Where fewer pairs were judged, they count for n - 1 together, or for as
    many as they are, if that is less.

    Args:
        task: with named answers; others are left out, and so are pairs of one member's answers.
        truth: what is known of which answers are better.
    """
    names, share = [answer.source for answer in task.candidates], _share(task, truth)
    return [
        Outcome(str(names[i]), str(names[j]), share * points, task.kind, share)
        for i, j, points in _judged(task, truth)
    ]


def _judged(task: Task, truth: Truth) -> list[tuple[int, int, float]]:
    """Each judged pair of two members' answers once: their places, and the points of the first."""
    names = [answer.source for answer in task.candidates]
    return [
        (i, j, float(truth.outcome[i, j] + 1.0) / 2.0)
        for i, j in combinations(range(len(names)), 2)
        if names[i] and names[j] and names[i] != names[j] and not np.isnan(truth.outcome[i, j])
    ]


def _share(task: Task, truth: Truth) -> float:
    """How many comparisons each judged pair of the question counts for, at most 1."""
    pairs = _judged(task, truth)
    answers = {place for i, j, _ in pairs for place in (i, j)}
    return min(1.0, (len(answers) - 1) / max(len(pairs), 1))


def _pairs(task: Task, truth: Truth, ranking: Ranking, prior: MemberPrior) -> Numbers:
    """float64[n, 4], of each judged pair: margin, difference of strengths, points, weight."""
    strengths = [prior.strength(answer.source, task.kind) for answer in task.candidates]
    utilities, share = ranking.utilities, _share(task, truth)
    rows = [
        (utilities[i] - utilities[j], strengths[i] - strengths[j], points, share)
        for i, j, points in _judged(task, truth)
    ]
    found = np.array(rows).reshape(-1, 4)
    told: Numbers = found[~np.isnan(found).any(axis=1)]
    return told


def _weights(pairs: Numbers) -> tuple[float, float]:
    """What the margins and the differences of strengths count, none less than nothing.

    A strength is a logit already, so what it counts is held weakly to 1; a ranker's logits have a
    scale of their own.
    """
    from scipy.optimize import minimize

    told, points, share = pairs[:, :2], pairs[:, 2], pairs[:, 3]
    unit = np.array([float(np.sqrt(np.mean(told[:, 0] ** 2))) or 1.0, 1.0])
    usual, held = np.array([0.0, 1.0]), np.array([1.0 / _LOOSE**2, 1.0])

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        logits = (told / unit) @ weights
        away = weights - usual
        missed = np.logaddexp(0.0, logits) - points * logits
        slope = (told / unit).T @ (share * (0.5 + 0.5 * np.tanh(0.5 * logits) - points))
        return float(share @ missed + 0.5 * held @ away**2), slope + held * away

    found = minimize(
        loss, np.ones(2), jac=True, bounds=[(0.0, None)] * 2, method="L-BFGS-B", tol=1e-12
    )
    ranker_weight, weight = (found.x / unit).tolist()
    return ranker_weight, weight
