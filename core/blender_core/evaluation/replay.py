"""Ranking by a complete matrix in place of a model, so that all schedules see the same answers."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.candidates import Task
from blender_core.flows import Course
from blender_core.outcomes import Ranking
from blender_core.ranking.aggregation import max_logits
from blender_core.ranking.flow import rank_flow
from blender_core.ranking.schedules import Schedule

__all__ = ["Replay", "replayed"]


@dataclass(frozen=True, slots=True)
class Replay:
    """A ranking, and the seconds that choosing pairs and scoring took."""

    ranking: Ranking
    seconds: float


def replayed(task: Task, matrix: NDArray[np.floating[Any]], schedule: Schedule) -> Replay:
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
