"""A logistic regression on how answers are written: the floor under any model."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_core.candidates import Ranking, Task, checked_all
from blender_core.comparison.late.style import STYLE, style
from blender_core.data.records import Record
from blender_core.data.stats import LONGER
from blender_core.errors import InputError
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.ranker import Ranker

__all__ = ["StyleRanker"]

_CLIP = 4.0
_DECAY = 3e-3
_PAIRS_OF_A_RECORD = 24


class StyleRanker(Ranker):
    """Ranks by length and style alone, with weights that a logistic regression finds.

    Args:
        records: to learn from. Pairs that the longer answer wins weigh as much as those that the
            shorter one wins, in each source by itself.

    Raises:
        InputError: the records say of no pair which answer is better.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        import torch

        from blender_core.comparison.late.regression import logistic_regression

        lessons = [lesson for record in records for lesson in _lessons(record)]
        if not lessons:
            raise InputError("the records say of no pair of answers which one is better")
        first = np.stack([one.first for one in lessons]).astype(np.float64)
        second = np.stack([one.second for one in lessons]).astype(np.float64)
        both = np.concatenate([first, second])
        self._mean, self._scale = both.mean(axis=0), both.std(axis=0) + 1e-6
        self._weights: NDArray[np.float64] = logistic_regression(
            torch.from_numpy(self._standard(first) - self._standard(second)),
            torch.tensor([one.preference for one in lessons], dtype=torch.float64),
            torch.from_numpy(_balanced(lessons)),
            _DECAY,
        ).numpy()

    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:
        """Rank many tasks; the matrix holds differences of scores."""
        del show_progress
        return [self._rank(task) for task in checked_all(tasks)]

    def _rank(self, task: Task) -> Ranking:
        figures = np.stack([style(task.source, answer.text) for answer in task.candidates])
        column = self._standard(figures.astype(np.float64)) @ self._weights
        order, ranks = order_and_ranks(column.tolist())
        matrix = (column[:, None] - column[None, :]).astype(np.float32)
        return Ranking(task.candidates, order, ranks, tuple(column.tolist()), matrix, passes=0)

    def _standard(self, figures: NDArray[np.float64]) -> NDArray[np.float64]:
        result: NDArray[np.float64] = np.clip((figures - self._mean) / self._scale, -_CLIP, _CLIP)
        return result

    @property
    def weights(self) -> dict[str, float]:
        """What each figure is worth, in logits a standard deviation."""
        return dict(zip(STYLE, self._weights.tolist(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class _Lesson:
    """A decided pair.

    Attributes:
        first: style of one answer.
        second: style of the other.
        preference: how sure it is that the first is better.
        weight: how much the pair counts.
        favours: 1 where the longer answer is better, -1 where the shorter, 0 if none is longer.
        source: of the record.
    """

    first: NDArray[np.float32]
    second: NDArray[np.float32]
    preference: float
    weight: float
    favours: int
    source: str | None


def _lessons(record: Record) -> list[_Lesson]:
    """Some of a record's decided pairs."""
    preferences = record.preferences()
    count = len(preferences)
    pairs = [
        (i, j)
        for i in range(count)
        for j in range(i + 1, count)
        if not np.isnan(preferences[i, j]) and preferences[i, j] != 0.5
    ]
    pairs = pairs[:: max(1, -(-len(pairs) // _PAIRS_OF_A_RECORD))]
    texts = [answer.text for answer in record.candidates]
    question = record.to_task().source
    figures = {k: style(question, texts[k]) for pair in pairs for k in pair}
    lessons = []
    for i, j in pairs:
        longer = int(len(texts[i]) > LONGER * len(texts[j])) - int(
            len(texts[j]) > LONGER * len(texts[i])
        )
        preference = float(preferences[i, j])
        favours = longer if preference > 0.5 else -longer
        weight = len(pairs) ** -0.5
        lessons.append(_Lesson(figures[i], figures[j], preference, weight, favours, record.source))
    return lessons


def _balanced(lessons: Sequence[_Lesson]) -> NDArray[np.float64]:
    """Weights with which the longer answer wins half of the time in each source."""
    sums: dict[tuple[str | None, int], float] = {}
    for one in lessons:
        sums[one.source, one.favours] = sums.get((one.source, one.favours), 0.0) + one.weight

    def factor(one: _Lesson) -> float:
        mine, other = sums[one.source, one.favours], sums.get((one.source, -one.favours), 0.0)
        return (mine + other) / (2.0 * mine) if one.favours and other else 1.0

    return np.array([one.weight * factor(one) for one in lessons])
