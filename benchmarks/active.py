"""The active schedule on comparisons whose truth is known.

Utilities are drawn from a normal distribution with a standard deviation of `spread`, the noise of
a comparison with 1, the position bias with 0.5. The full matrix's pick is compared with that of a
second full matrix under noise drawn anew; the active schedule's with both.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from blender_core.belief.reliability import Reliability
from blender_core.candidates import Task
from blender_core.evaluation.replay import replayed
from blender_core.evaluation.schedule_curves import schedule_curves
from blender_core.ranking.schedules import Active, Full

BUDGETS = {8: 0.40, 16: 0.25, 32: 0.15}
SPREADS = (3.0, 1.5, 0.75)
BIAS = 0.5


@dataclass(frozen=True)
class World:
    """One drawn task: its utilities, its bias, two matrices of the same truth."""

    utilities: NDArray[np.float64]
    bias: float
    matrix: NDArray[np.float32]
    again: NDArray[np.float32]


def worlds(count: int, spread: float, number: int, seed: int) -> Iterator[World]:
    """Draw tasks of so many candidates."""
    rng = np.random.default_rng([seed, count, round(100 * spread)])
    for _ in range(number):
        utilities = rng.normal(0.0, spread, count)
        bias = float(rng.normal(0.0, BIAS))
        clean = utilities[:, None] - utilities[None, :] + bias
        first, second = clean + rng.normal(0.0, 1.0, (2, count, count))
        for matrix in (first, second):
            np.fill_diagonal(matrix, 0.0)
        yield World(utilities, bias, first.astype(np.float32), second.astype(np.float32))


def main(
    trials: Annotated[int, typer.Option(min=10, help="Tasks of each kind.")] = 3000,
    curve_trials: Annotated[int, typer.Option(min=0, help="Tasks of each curve.")] = 200,
    confidence: Annotated[float, typer.Option(help="At which it stops.")] = 0.95,
    seed: Annotated[int, typer.Option(min=0)] = 0,
) -> None:
    """Agreement, calibration, coverage of the bias, time, and regret against passes."""
    console = Console(width=140)
    table = Table(
        "N",
        "spread",
        "of the passes",
        "used",
        "active = full",
        "active = full drawn anew",
        "full = full drawn anew",
        "active = truth",
        "full = truth",
        "ECE of P(best)",
        "bias in its interval",
        "ms a task",
        title="The pick",
    )
    for spread in SPREADS:
        for count, share in BUDGETS.items():
            table.add_row(*_row(count, spread, share, trials, confidence, seed))
    console.print(table)
    for spread in SPREADS:
        for count in BUDGETS if curve_trials else ():
            console.print(_curves(count, spread, curve_trials, seed))


def _row(
    count: int, spread: float, share: float, trials: int, confidence: float, seed: int
) -> list[str]:
    task = Task("", [str(number) for number in range(count)])
    passes = int(share * count * (count - 1))
    schedule = Active(confidence=confidence, max_passes=passes)
    hits = np.zeros(5)
    told, right = [], []
    used = covered = seconds = 0.0
    for world in worlds(count, spread, trials, seed):
        full = replayed(task, world.matrix, Full()).ranking.order[0]
        anew = replayed(task, world.again, Full()).ranking.order[0]
        truth = int(world.utilities.argmax())
        replay = replayed(task, world.matrix, schedule)
        ranking, pick = replay.ranking, replay.ranking.order[0]
        hits += [pick == full, pick == anew, full == anew, pick == truth, full == truth]
        told.append(ranking.probability_best[pick])
        right.append(pick == truth)
        low, high = ranking.position_bias_interval()
        covered += low <= world.bias <= high
        used += ranking.passes
        seconds += replay.seconds
    return [
        f"{count}",
        f"{spread}",
        f"{share:.0%}",
        f"{used / trials / (count * (count - 1)):.1%}",
        *(f"{hit / trials:.3f}" for hit in hits),
        f"{Reliability.of(told, right).ece:.3f}",
        f"{covered / trials:.1%}",
        f"{1000 * seconds / trials:.2f}",
    ]


def _curves(count: int, spread: float, trials: int, seed: int) -> Table:
    drawn = [*worlds(count, spread, trials, seed + 1)]
    tasks = [Task("", [str(number) for number in range(count)])] * trials
    started = time.perf_counter()
    points = schedule_curves(tasks, [w.matrix for w in drawn], [w.utilities for w in drawn])
    table = Table(
        "schedule",
        "passes",
        "share",
        "= full",
        "of its top 3",
        "regret",
        title=f"N = {count}, spread {spread}: utility lost by the pick "
        f"({time.perf_counter() - started:.0f} s)",
    )
    best = float(np.mean([world.utilities.max() for world in drawn]))
    for point in sorted(points, key=lambda point: point.share):
        table.add_row(
            point.schedule,
            f"{point.passes:.1f}",
            f"{point.share:.1%}",
            f"{point.best:.3f}",
            f"{point.top:.3f}",
            f"{best - (point.worth or 0.0):.4f}",
        )
    return table
