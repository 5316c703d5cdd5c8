"""Comparisons whose truth is known, and schedules that are played on them without a model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from blender_core.flows import Course
from blender_core.ranking.schedules import Ending, Schedule

__all__ = ["Played", "noisy", "played"]


def noisy(
    count: int, seed: int, *, spread: float = 2.0, noise: float = 1.0, bias: float = 0.5
) -> tuple[np.ndarray, np.ndarray, float]:
    """A full matrix of noisy comparisons, the utilities behind it, and the position bias."""
    rng = np.random.default_rng(seed)
    utilities = rng.normal(0.0, spread, count)
    advantage = float(rng.normal(0.0, bias))
    matrix = utilities[:, None] - utilities[None, :] + advantage
    matrix += rng.normal(0.0, noise, (count, count))
    np.fill_diagonal(matrix, 0.0)
    return matrix.astype(np.float32), utilities, advantage


@dataclass(frozen=True)
class Played:
    """A schedule's course: the matrix it asked for, its rounds, and how it ended."""

    matrix: np.ndarray
    rounds: list[list[tuple[int, int]]]
    ending: Ending

    @property
    def passes(self) -> int:
        return sum(map(len, self.rounds))

    @property
    def scores(self) -> list[float]:
        return list(self.ending.scores or [])

    @property
    def pick(self) -> int:
        return int(np.argmax(self.scores))


def played(
    schedule: Schedule, full: np.ndarray, on_round: Callable[[], object] = lambda: None
) -> Played:
    """Play a schedule on a full matrix; NaN there is a comparison that fails."""
    course = Course(schedule.rounds([1] * len(full)))
    matrix = np.full(full.shape, np.nan, np.float32)
    np.fill_diagonal(matrix, 0.0)
    rounds: list[list[tuple[int, int]]] = []
    while not course.done:
        for pair in course.request:
            assert not any(pair in earlier for earlier in rounds), "asked twice"
            matrix[pair] = full[pair]
        rounds.append(course.request)
        on_round()
        course.reply(matrix)
    return Played(matrix, rounds, course.result or Ending())
