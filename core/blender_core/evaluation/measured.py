"""The fourth stage of an evaluation: what the metrics say of answers and of blends' texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from blender_core.errors import BlenderError, message_of
from blender_core.evaluation.blended import Blended
from blender_core.evaluation.columns import Filled
from blender_core.evaluation.items import Item
from blender_core.evaluation.kept import check_numbers
from blender_core.evaluation.report import Column
from blender_core.evaluation.store import Found, Store, key_of
from blender_core.evaluation.wanted import STORED, Evaluation, MetricWanted

if TYPE_CHECKING:
    from blender_core.evaluation.metrics.metric import Metric, TextPair

__all__ = ["Measured", "measure"]

_WINDOW = 16
Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """What they say.

    Attributes:
        columns: one a metric, of the answers.
        texts: by blend and a column's key, one number an item, NaN where there is none.
        notes: what a reader must know.
    """

    columns: Sequence[Filled]
    texts: Mapping[tuple[str, str], Sequence[float]]
    notes: Sequence[str]


def measure(items: Sequence[Item], blended: Blended, wanted: Evaluation, store: Store) -> Measured:
    """Have all metrics measure everything that they can."""
    found = [_measured(metric, items, blended, store) for metric in wanted.metrics]
    return Measured(
        [column for one in found for column in one.columns],
        {key: values for one in found for key, values in one.texts.items()},
        [note for one in found for note in one.notes],
    )


def _measured(
    metric: MetricWanted, items: Sequence[Item], blended: Blended, store: Store
) -> Measured:
    if metric.name.startswith(STORED):
        name = metric.name.removeprefix(STORED)
        scores = [item.record.score(name) for item in items]
        known = any(not np.isnan(one).all() for one in scores)
        return _column(metric, scores, None if known else f"no answer has a score {name!r}")
    nothing = [np.full(len(item.texts), np.nan) for item in items]
    missing = sum(item.reference is None for item in items)
    if missing == len(items):
        return _column(metric, nothing, "no record has a reference answer ('output')")
    try:
        scorer = metric.make()
    except BlenderError as error:
        return _column(metric, nothing, f"not computed: {message_of(error)}")
    by = f"metric {metric.stored_as}"
    answers = _scores(scorer, by, metric.title, items, [item.texts for item in items], store)
    notes = [*answers.notes]
    texts = {}
    for name, written in blended.texts.items():
        rows = [None if one is None else [one.text] for one in written]
        found = _scores(scorer, by, f"{metric.title} of {name}", items, rows, store)
        texts[name, metric.key] = [np.nan if one is None else float(one[0]) for one in found.values]
        notes += found.notes
    values = [
        none if one is None else one for none, one in zip(nothing, answers.values, strict=True)
    ]
    note = f"{missing} records have no reference answer" if missing else None
    return Measured(_column(metric, values, note).columns, texts, notes)


def _column(metric: MetricWanted, values: Sequence[Numbers], note: str | None) -> Measured:
    return Measured([Filled(Column(metric.key, metric.title, note=note), values)], {}, [])


def _scores(
    scorer: Metric,
    by: str,
    title: str,
    items: Sequence[Item],
    texts: Sequence[Sequence[str] | None],
    store: Store,
) -> Found[Numbers]:
    """The metric of each item's texts; None where there are none, or no reference."""
    rows: dict[int, tuple[str, list[TextPair]]] = {}
    for place, (item, some) in enumerate(zip(items, texts, strict=True)):
        if some is not None and item.reference is not None:
            pairs = [(text, item.reference) for text in some]
            rows[place] = key_of(list(some), item.reference), pairs

    def compute(part: Sequence[list[TextPair]]) -> Iterable[list[float]]:
        scores = scorer.scores([pair for row in part for pair in row])
        ends = np.cumsum([len(row) for row in part])[:-1]
        return [numbers.tolist() for numbers in np.split(scores, ends)]

    found = store.all(
        by,
        title,
        list(rows.values()),
        compute,
        lambda row, value: check_numbers(value, len(row)),
        _WINDOW,
    )
    values: list[Numbers | None] = [None] * len(items)
    for place, value in zip(rows, found.values, strict=True):
        values[place] = None if value is None else np.array(value, dtype=np.float64)
    return Found(values, found.notes)
