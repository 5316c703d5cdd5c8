"""A logistic regression on how answers are written: the floor under any model.

Learns from records with judgements, and says how well it ranks others::

    python -m recipes.style_ranker TRAIN.jsonl TEST.jsonl
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import typer

from blender_core.candidates import Pair, Task, checked_all
from blender_core.comparison.late.regression import style_regression
from blender_core.comparison.late.style import STYLE
from blender_core.data.files import read_records
from blender_core.data.records import Record
from blender_core.data.stats import LONGER
from blender_core.errors import InputError
from blender_core.evaluation.evaluation import evaluate
from blender_core.evaluation.wanted import Evaluation
from blender_core.outcomes import Ranking
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.ranker import Ranker

__all__ = ["StyleRanker"]


class StyleRanker(Ranker):
    """Ranks by length and style alone, with weights that a logistic regression finds.

    Args:
        records: to learn from. Pairs that the longer answer wins weigh as much as those that the
            shorter one wins, in each source by itself.

    Raises:
        InputError: the records say of no pair which answer is better.
    """

    def __init__(self, records: Iterable[Record]) -> None:
        lessons = [
            lesson for place, record in enumerate(records) for lesson in _lessons(place, record)
        ]
        if not lessons:
            raise InputError("the records say of no pair of answers which one is better")
        self._style = style_regression(
            [one.pair for one in lessons],
            [one.preference for one in lessons],
            _balanced(lessons),
            [one.record for one in lessons],
        )

    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:
        """Rank many tasks; the matrix holds differences of scores."""
        del show_progress
        return [self._rank(task) for task in checked_all(tasks)]

    def _rank(self, task: Task) -> Ranking:
        column = self._style.worth(task.source, [answer.text for answer in task.candidates])
        order, ranks = order_and_ranks(column.tolist())
        matrix = (column[:, None] - column[None, :]).astype(np.float32)
        return Ranking(task.candidates, order, ranks, tuple(column.tolist()), matrix, passes=0)

    @property
    def weights(self) -> dict[str, float]:
        """What each figure is worth, in logits a standard deviation."""
        return dict(zip(STYLE, self._style.weights.tolist(), strict=True))


@dataclass(frozen=True, slots=True, eq=False)
class _Lesson:
    """A decided pair.

    Attributes:
        pair: question and answers.
        preference: how sure it is that the first is better.
        favours: 1 where the longer answer is better, -1 where the shorter, 0 if none is longer.
        source: of the record.
        record: its place.
    """

    pair: Pair
    preference: float
    favours: int
    source: str | None
    record: int


def _lessons(place: int, record: Record) -> Iterator[_Lesson]:
    """A record's decided pairs."""
    preferences = record.preferences()
    texts = [answer.text for answer in record.candidates]
    question = record.to_task().source
    for i, j in combinations(range(len(texts)), 2):
        preference = float(preferences[i, j])
        if math.isnan(preference) or preference == 0.5:
            continue
        longer = int(len(texts[i]) > LONGER * len(texts[j])) - int(
            len(texts[j]) > LONGER * len(texts[i])
        )
        favours = longer if preference > 0.5 else -longer
        pair = Pair(question, texts[i], texts[j])
        yield _Lesson(pair, preference, favours, record.source, place)


def _balanced(lessons: Sequence[_Lesson]) -> list[float]:
    """Weights with which the longer answer wins half of the time in each source."""
    counts = Counter((one.source, one.favours) for one in lessons)

    def weight(one: _Lesson) -> float:
        mine, other = counts[one.source, one.favours], counts[one.source, -one.favours]
        return (mine + other) / (2.0 * mine) if one.favours and other else 1.0

    return [weight(one) for one in lessons]


def main(train: Path, test: Path) -> None:
    """Print what the regression finds, and how far it agrees with the judge."""
    ranker = StyleRanker(read_records(train))
    report = evaluate(read_records(test), Evaluation(rankers={"style": ranker}))
    for name, weight in ranker.weights.items():
        typer.echo(f"{name}: {weight:+.3f}")
    for name, figure in report.agreement["all"]["style"].items():
        typer.echo(f"{name}: {figure.value}")


if __name__ == "__main__":
    typer.run(main)
