"""From judged records to what is known of the members that answered, and what it counts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, combinations
from operator import itemgetter

import numpy as np
from numpy.typing import NDArray

from blender_core.belief.member_prior import MemberPrior
from blender_core.belief.outcome import Outcome
from blender_core.candidates import Task
from blender_core.errors import InputError
from blender_core.evaluation.truth import Truth
from blender_core.outcomes import Ranking
from blender_core.ranking.aggregation import max_logits

__all__ = ["fit_members", "outcomes_of"]

Numbers = NDArray[np.float64]

_FOLDS = 5
_SPREADS = (0.25, 0.5, 1.0, 2.0)
_KIND_SPREADS = (0.1, 0.25, 0.5, 1.0)
"""Logits, of which those are taken that tell best who wins where nothing was learnt from."""

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
    tell beside the ranker, which may know part of it already. How far strengths are held together
    (`MemberPrior.spread`) is chosen by the same regression.

    Args:
        tasks: the questions, with named answers; answers without a name are left out.
        truths: what is known of which answers are better: `truth_of` a record, or `truth_by` the
            matrix of a ranker that plays the judge.
        rankings: the ranker's complete ones; None fits no weights: both stay 1.
        beside: what the ranker is called.
        by: the field of records that the tasks' kinds are from.
        seed: of the division into folds.

    Raises:
        InputError: nothing was judged, or, with a ranker, fewer than five questions were.
    """
    told: Sequence[Ranking | None] = rankings or [None] * len(tasks)
    questions = [_Judged.of(*one) for one in zip(tasks, truths, told, strict=True)]
    judged = [question for question in questions if len(question.points)]
    if not judged:
        raise InputError("no two named members' answers to the same question were judged")
    prior = MemberPrior(tuple(_outcomes(judged)), by=by)
    if len(judged) < _FOLDS:
        if rankings is None:
            return prior
        raise InputError(
            f"{len(judged)} judged questions are too few to find out what members' strengths count "
            f"beside a ranker: at least {_FOLDS} are needed"
        )
    order = np.random.default_rng(seed).permutation(len(judged))
    kept = [[judged[place] for place in order[number::_FOLDS]] for number in range(_FOLDS)]
    learnt = [
        MemberPrior(tuple(_outcomes(chain(*kept[:number], *kept[number + 1 :]))))
        for number in range(_FOLDS)
    ]

    def weighed(spread: float, kind_spread: float) -> tuple[float, MemberPrior]:
        """The loss on questions that nothing was learnt from, and the prior with its weights."""
        known = [replace(one, spread=spread, kind_spread=kind_spread) for one in learnt]
        rows = [one.rows(than) for some, than in zip(kept, known, strict=True) for one in some]
        loss, ranker_weight, weight = _weights(np.concatenate(rows))
        found = replace(prior, spread=spread, kind_spread=kind_spread)
        if rankings is None:
            return loss, found
        return loss, replace(found, weight=weight, ranker_weight=ranker_weight, beside=beside)

    found = [weighed(spread, prior.kind_spread) for spread in _SPREADS]
    if prior.kinds:
        best = min(found, key=itemgetter(0))[1]
        found = [weighed(best.spread, spread) for spread in _KIND_SPREADS]
    return min(found, key=itemgetter(0))[1]


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
    return list(_outcomes([_Judged.of(task, truth)]))


@dataclass(frozen=True, slots=True)
class _Judged:
    """The judged pairs of two members' answers to a question.

    Attributes:
        task: the question.
        first: intp[n], places of answers ...
        second: intp[n], ... and of those that they were compared with.
        points: float64[n], what the first ones got.
        margins: float64[n], by how much the ranker prefers them; 0 without a ranker.
        share: how many comparisons each pair counts for.
    """

    task: Task
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    points: Numbers
    margins: Numbers
    share: float

    @classmethod
    def of(cls, task: Task, truth: Truth, ranking: Ranking | None = None) -> _Judged:
        names = [answer.source for answer in task.candidates]
        # Half of these scores are the utilities by least squares, where all pairs were asked.
        told = np.zeros(len(names)) if ranking is None else max_logits(ranking.matrix) / 2.0
        pairs = [
            (i, j)
            for i, j in combinations(range(len(names)), 2)
            if names[i] and names[j] and names[i] != names[j] and not np.isnan(truth.outcome[i, j])
        ]
        first, second = np.array(pairs, dtype=np.intp).reshape(-1, 2).T
        answers = len({place for pair in pairs for place in pair})
        return cls(
            task,
            first,
            second,
            (truth.outcome[first, second] + 1.0) / 2.0,
            told[first] - told[second],
            min(1.0, (answers - 1) / max(len(pairs), 1)),
        )

    def rows(self, prior: MemberPrior) -> Numbers:
        """float64[n, 4]: margin, difference of strengths, points, share."""
        kind = self.task.kind
        strengths = np.array([prior.strength(one.source, kind) for one in self.task.candidates])
        leads = strengths[self.first] - strengths[self.second]
        return np.stack([self.margins, leads, self.points, np.full(len(leads), self.share)], axis=1)


def _outcomes(questions: Iterable[_Judged]) -> Iterator[Outcome]:
    for one in questions:
        names = [str(answer.source) for answer in one.task.candidates]
        for i, j, points in zip(one.first, one.second, one.points, strict=True):
            yield Outcome(names[i], names[j], one.share * float(points), one.task.kind, one.share)


def _weights(pairs: Numbers) -> tuple[float, float, float]:
    """The loss, and what margins and differences of strengths count, none less than nothing.

    A strength is a logit already, so what it counts is held weakly to 1; a ranker's logits have a
    scale of their own.
    """
    from scipy.optimize import minimize
    from scipy.special import expit

    told, points, share = pairs[:, :2], pairs[:, 2], pairs[:, 3]
    unit = np.array([float(np.sqrt(np.mean(told[:, 0] ** 2))) or 1.0, 1.0])
    usual, held = np.array([0.0, 1.0]), np.array([1.0 / _LOOSE**2, 1.0])

    def loss(weights: Numbers) -> tuple[float, Numbers]:
        logits = (told / unit) @ weights
        away = weights - usual
        missed = np.logaddexp(0.0, logits) - points * logits
        slope = (told / unit).T @ (share * (expit(logits) - points))
        return float(share @ missed + 0.5 * held @ away**2), slope + held * away

    found = minimize(
        loss, np.ones(2), jac=True, bounds=[(0.0, None)] * 2, method="L-BFGS-B", tol=1e-12
    )
    ranker_weight, weight = (found.x / unit).tolist()
    return float(found.fun), ranker_weight, weight
