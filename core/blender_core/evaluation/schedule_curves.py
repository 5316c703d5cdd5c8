"""What each schedule finds for how many passes: its picks against those of the full matrix.

No model is asked: complete matrices are, in place of one, so that all schedules see the same
answers.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.belief.posterior import Posterior
from blender_core.candidates import Task
from blender_core.flows import Course
from blender_core.outcomes import Ranking
from blender_core.ranking.aggregation import max_logits
from blender_core.ranking.flow import rank_flow
from blender_core.ranking.schedules import (
    Active,
    Bubble,
    Ending,
    Full,
    Knockout,
    Reference,
    Rounds,
    Schedule,
)

__all__ = ["BUDGETS", "Point", "RandomPairs", "Replay", "Truncated", "replayed", "schedule_curves"]

BUDGETS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0)
"""Shares of the passes of the full matrix."""

Floats = NDArray[np.floating[Any]]
_NEVER_SURE = 1.0 - 1e-9
_TOP = 3


@dataclass(frozen=True, slots=True)
class Point:
    """A schedule with a budget, over all tasks.

    Attributes:
        schedule: its name.
        budget: share of the full matrix's passes that it was given; None: none, it stops by
            itself.
        passes: mean number of passes.
        share: passes of all tasks over those of their full matrices.
        best: share of the tasks in which it picks what the full matrix picks.
        top: mean share of the full matrix's 3 best that are among its own 3 best.
        worth: mean worth of the pick; None where nothing says what answers are worth.
        regret: by how much the pick is worth less than the full matrix's, on average; likewise.
        seconds: mean time of a task that was spent on choosing pairs and scoring.
    """

    schedule: str
    budget: float | None
    passes: float
    share: float
    best: float
    top: float
    worth: float | None
    regret: float | None
    seconds: float


@dataclass(frozen=True, slots=True)
class RandomPairs:
    """Ordered pairs by chance, read by the same model as those of `Active`: what choosing adds.

    Args:
        max_passes: how many; None asks all.
        seed: of the choice.
    """

    max_passes: int | None = None
    seed: int = 0

    def rounds(self, lengths: Sequence[int]) -> Rounds:
        """See `Schedule.rounds`."""
        count = len(lengths)
        pairs = [(i, j) for i in range(count) for j in range(count) if i != j]
        chosen = np.random.default_rng(self.seed).permutation(len(pairs))[: self.max_passes]
        matrix = yield [pairs[place] for place in chosen]
        return Ending(scores=Posterior.of(matrix).utilities.tolist())


@dataclass(frozen=True, slots=True)
class Truncated:
    """Another schedule, stopped after so many passes; the scores decide what it has not.

    Args:
        schedule: the other one.
        max_passes: how many.
    """

    schedule: Schedule
    max_passes: int

    def rounds(self, lengths: Sequence[int]) -> Rounds:
        """See `Schedule.rounds`."""
        course = Course(self.schedule.rounds(lengths))
        left = self.max_passes
        while not course.done and left:
            wanted = course.request
            part = wanted[:left]
            left -= len(part)
            matrix = yield part
            if len(part) < len(wanted):
                break
            course.reply(matrix)
        return course.result if course.done else Ending(because="max_passes")


@dataclass(frozen=True, slots=True)
class Replay:
    """A ranking, and the seconds that choosing pairs and scoring took."""

    ranking: Ranking
    seconds: float


def replayed(task: Task, matrix: Floats, schedule: Schedule) -> Replay:
    """Rank a task by a complete matrix, float[N, N], of which a schedule sees what it asks for."""
    place = {candidate.text: i for i, candidate in reversed([*enumerate(task.candidates)])}
    started = time.perf_counter()
    course = Course(rank_flow(task, schedule, max_logits))
    seconds = time.perf_counter() - started
    while not course.done:
        logits = np.array(
            [matrix[place[pair.first], place[pair.second]] for pair in course.request],
            dtype=np.float32,
        )
        started = time.perf_counter()
        course.reply(logits)
        seconds += time.perf_counter() - started
    return Replay(course.result, seconds)


def schedule_curves(
    tasks: Sequence[Task],
    matrices: Sequence[Floats],
    worths: Sequence[Floats] | None = None,
    *,
    budgets: Sequence[float] = BUDGETS,
    seed: int = 0,
    on_task: Callable[[], object] = lambda: None,
) -> list[Point]:
    """The curves.

    Args:
        tasks: of at least 2 candidates each.
        matrices: float[N, N] a task, complete.
        worths: float[N] a task, what each answer is worth (a judge's score, or a known utility).
        budgets: shares of the full matrix's passes.
        seed: of random lines and pairs.
        on_task: called after each task.
    """
    plans = [*_plans(budgets)]
    runs: list[list[Replay]] = [[] for _ in plans]
    fulls = []
    for task, matrix in zip(tasks, matrices, strict=True):
        fulls.append(replayed(task, matrix, Full()).ranking)
        for plan, run in zip(plans, runs, strict=True):
            passes = None
            if plan.budget is not None:
                passes = max(1, round(plan.budget * fulls[-1].passes))
            run.append(replayed(task, matrix, plan.schedule(passes, seed + len(run))))
        on_task()
    return [
        _point(plan, run, fulls, worths)
        for plan, run in zip(plans, runs, strict=True)
        if plan.budget is None or not plan.is_fixed or _is_cut(run)
    ]


def _is_cut(run: Sequence[Replay]) -> bool:
    """Whether most tasks were stopped before the schedule's own end."""
    cut = [replay.ranking.stopped_because == "max_passes" for replay in run]
    return sum(cut) > len(cut) / 2


@dataclass(frozen=True, slots=True)
class _Plan:
    """A schedule for a number of passes (None: as many as it likes) and the seed of a task."""

    name: str
    budget: float | None
    schedule: Callable[[int | None, int], Schedule]
    is_fixed: bool = False


def _plans(budgets: Sequence[float]) -> Iterator[_Plan]:
    for budget in budgets:
        yield _Plan(
            "active",
            budget,
            lambda passes, seed: Active(confidence=_NEVER_SURE, max_passes=passes, seed=seed),
        )
    yield _Plan("active, stops by itself", None, lambda _, seed: Active(seed=seed))
    for budget in budgets:
        yield _Plan("random pairs", budget, RandomPairs)
    fixed: dict[str, Callable[[int], Schedule]] = {
        "knockout": lambda _: Knockout(),
        "bubble": lambda seed: Bubble(seed=seed),
        "reference": lambda _: Reference(),
        "full": lambda _: Full(),
    }
    for name, schedule in fixed.items():
        for budget in budgets if name in ("knockout", "bubble") else ():
            yield _Plan(name, budget, partial(_truncated, schedule), is_fixed=True)
        yield _Plan(name, None, partial(_truncated, schedule), is_fixed=True)


def _truncated(make: Callable[[int], Schedule], passes: int | None, seed: int) -> Schedule:
    return make(seed) if passes is None else Truncated(make(seed), passes)


def _point(
    plan: _Plan,
    run: Sequence[Replay],
    fulls: Sequence[Ranking],
    worths: Sequence[Floats] | None,
) -> Point:
    rankings = [replay.ranking for replay in run]
    both = [*zip(rankings, fulls, strict=True)]
    worth = regret = None
    if worths is not None:
        values = np.array(
            [
                (w[ranking.order[0]], w[full.order[0]])
                for w, (ranking, full) in zip(worths, both, strict=True)
            ]
        )
        known = values[~np.isnan(values).any(axis=1)]
        if len(known):
            worth, regret = float(known[:, 0].mean()), float((known[:, 1] - known[:, 0]).mean())
    return Point(
        schedule=plan.name,
        budget=plan.budget,
        passes=float(np.mean([ranking.passes for ranking in rankings])),
        share=sum(r.passes for r in rankings) / sum(full.passes for full in fulls),
        best=float(np.mean([ranking.best.text == full.best.text for ranking, full in both])),
        top=float(np.mean([_overlap(ranking, full) for ranking, full in both])),
        worth=worth,
        regret=regret,
        seconds=float(np.mean([replay.seconds for replay in run])),
    )


def _overlap(ranking: Ranking, full: Ranking) -> float:
    """The share of the full matrix's 3 best texts that are among the ranking's 3 best."""
    best, found = (
        set([*dict.fromkeys(one.candidates[place].text for place in one.order)][:_TOP])
        for one in (full, ranking)
    )
    return len(best & found) / len(best)
