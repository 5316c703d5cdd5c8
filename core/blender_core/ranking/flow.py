"""How one task is ranked: a schedule asks, a matrix grows, an aggregation scores."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from blender_core.candidates import Pair, Task
from blender_core.errors import InputError
from blender_core.flows import Course
from blender_core.outcomes import Ranking
from blender_core.ranking.aggregation import Aggregation
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.schedules import Ending, Schedule

if TYPE_CHECKING:
    from blender_core.belief.calibrator import Calibrator

__all__ = ["rank_flow"]


def rank_flow(
    task: Task,
    schedule: Schedule,
    aggregation: Aggregation,
    calibrator: Calibrator | None = None,
) -> Generator[list[Pair], NDArray[np.float32], Ranking]:
    """Rank one task's candidates.

    Yields the pairs to compare, is sent their logits, returns the ranking. A pair of texts is
    asked once however many candidates share these texts.

    Raises:
        InputError: the schedule asked for a pair twice or for one that does not exist, or the
            aggregation gave something else than one number a candidate.
    """
    texts = [candidate.text for candidate in task.candidates]
    told = list(dict.fromkeys(texts)) if getattr(schedule, "distinct", False) else texts
    matrix, ending, passes = yield from _comparisons(task.source, told, schedule)
    places = [told.index(text) for text in texts] if told is not texts else range(len(texts))
    matrix = matrix[np.ix_(places, places)]
    matrix.setflags(write=False)
    if ending.scores is None:
        scores = _scores(aggregation, matrix)
    else:
        scores = tuple(float(ending.scores[place]) for place in places)
    tiers = [0.0] * len(texts)
    if ending.tiers is not None:
        tiers = [-float(ending.tiers[place]) for place in places]
    order, ranks = order_and_ranks(tiers, scores)
    return Ranking(
        task.candidates,
        order,
        ranks,
        scores,
        matrix,
        passes,
        stopped_because=ending.because,
        goal=ending.goal,
        calibrator=calibrator,
    )


def _comparisons(
    question: str, texts: Sequence[str], schedule: Schedule
) -> Generator[list[Pair], NDArray[np.float32], tuple[NDArray[np.float32], Ending, int]]:
    """Ask what a schedule wants to know: the matrix, how it ended, and the number of passes."""
    matrix = np.full((len(texts), len(texts)), np.nan, dtype=np.float32)
    np.fill_diagonal(matrix, 0.0)
    asked: set[tuple[int, int]] = set()
    answers: dict[tuple[str, str], float] = {}
    rounds = Course(schedule.rounds([len(text) for text in texts]))
    while not rounds.done:
        asking = rounds.request
        _check(asking, asked, len(texts))
        asked.update(asking)
        unanswered = list(
            dict.fromkeys(
                (texts[first], texts[second])
                for first, second in asking
                if (texts[first], texts[second]) not in answers
            )
        )
        if unanswered:
            logits = yield [Pair(question, first, second) for first, second in unanswered]
            answers.update(zip(unanswered, logits.tolist(), strict=True))
        for first, second in asking:
            matrix[first, second] = answers[texts[first], texts[second]]
        seen = matrix.view()
        seen.setflags(write=False)
        rounds.reply(seen)
    ending = rounds.result or Ending()
    for name, given in (("tiers", ending.tiers), ("scores", ending.scores)):
        if given is not None and len(given) != len(texts):
            raise InputError(f"the schedule gave {len(given)} {name} for {len(texts)} candidates")
    return matrix, ending, len(answers)


def _scores(aggregation: Aggregation, matrix: NDArray[np.float32]) -> tuple[float, ...]:
    scores = np.asarray(aggregation(matrix), dtype=np.float64)
    if scores.shape != matrix.shape[:1] or np.isnan(scores).any():
        raise InputError(
            f"the aggregation must give one number a candidate, {len(matrix)} here; "
            f"it gave {scores!r}"
        )
    return tuple(scores.tolist())


def _check(asking: object, asked: set[tuple[int, int]], count: int) -> None:
    if not isinstance(asking, list) or not all(
        isinstance(pair, tuple) and len(pair) == 2 for pair in asking
    ):
        raise InputError(f"a schedule yields lists of index pairs, got {asking!r:.80}")
    seen = set(asked)
    for pair in asking:
        if pair in seen:
            raise InputError(f"the schedule asked for the pair {pair} twice")
        if not (0 <= pair[0] < count and 0 <= pair[1] < count and pair[0] != pair[1]):
            raise InputError(f"the schedule asked for the pair {pair} of {count} candidates")
        seen.add(pair)
