"""What each schedule finds for how many passes: its picks against those of the full matrix.

No model is asked: complete matrices are, in place of one, so that all schedules see the same
answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.candidates import Task
from blender_core.evaluation.replay import Replay, replayed
from blender_core.evaluation.rivals import RandomPairs, Truncated
from blender_core.outcomes import Ranking
from blender_core.ranking.schedules import (
    Active,
    Bubble,
    Full,
    Knockout,
    Reference,
    Schedule,
)

__all__ = ["BUDGETS", "Point", "schedule_curves"]

BUDGETS = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0)
"""Shares of the passes of the full matrix."""

AnyFloats = NDArray[np.floating[Any]]
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


def schedule_curves(
    tasks: Sequence[Task],
    matrices: Sequence[AnyFloats],
    worths: Sequence[AnyFloats] | None = None,
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
    worths: Sequence[AnyFloats] | None,
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
