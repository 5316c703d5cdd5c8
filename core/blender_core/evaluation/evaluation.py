"""From records, rankers and metrics to a report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from blender_core.candidates import Task
from blender_core.data.records import Record
from blender_core.errors import BlenderError, InputError, message_of
from blender_core.evaluation.agreement import Scored, contributions
from blender_core.evaluation.kept import (
    check_blend,
    check_numbers,
    check_ranking,
    matrix_of,
    ranking_of,
    value_of,
)
from blender_core.evaluation.known_ranker import KnownRanker
from blender_core.evaluation.report import Report
from blender_core.evaluation.selections import Selection, Table
from blender_core.evaluation.store import Store, key_of
from blender_core.evaluation.truth import Truth, truth_by, truth_of
from blender_core.evaluation.wanted import STORED, Evaluation, MetricWanted

if TYPE_CHECKING:
    from blender_core.evaluation.metrics.metric import TextPair

__all__ = ["evaluate"]

_METRIC_WINDOW = 16
_BLEND_WINDOW = 16


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    record: Record
    task: Task
    truth: Truth
    key: str
    reference: str | None

    @property
    def texts(self) -> list[str]:
        return [answer.text for answer in self.record.candidates]


def evaluate(records: Iterable[Record], wanted: Evaluation, store: Store | None = None) -> Report:
    """Evaluate.

    Args:
        records: the data; kept in memory.
        wanted: what to find out.
        store: what is known already, and takes what is computed.

    Raises:
        InputError: there are no records.
        OSError: the store cannot be written.
    """
    items = [_item(record, wanted) for record in records]
    if not items:
        raise InputError("there is no record to evaluate")
    with nullcontext(store) if store is not None else closing(Store()) as kept:
        return _Run(items, wanted, kept).report()


def _item(record: Record, wanted: Evaluation) -> _Item:
    prior = wanted.prior
    task = record.to_task(None if prior is None else prior.by)
    who = [] if prior is None else [record.models, task.kind]
    texts = [answer.text for answer in record.candidates]
    reference = record.output if record.output is not None and record.output.strip() else None
    key = key_of(record.instruction, record.input, texts, reference, *who)
    return _Item(record, task, truth_of(record, wanted.judge), key, reference)


class _Run:
    """One evaluation."""

    def __init__(self, items: Sequence[_Item], wanted: Evaluation, store: Store) -> None:
        self.items = items
        self.wanted = wanted
        self.store = store
        self.notes: list[str] = []

    def report(self) -> Report:
        told = {name: self._rankings(name) for name in self.wanted.rankers}
        rankings = {
            name: [None if one is None else _scored(one) for one in found]
            for name, found in told.items()
        }
        blends = {
            name: self._blended(name, told[one.ranker]) for name, one in self.wanted.blends.items()
        }
        unseen = self._judged(blends)
        table = Table([item.record.models for item in self.items], [i.truth for i in self.items])
        self.notes += table.notes
        table.add_judge(self.wanted.reference_models, self._judge_name())
        for metric in self.wanted.metrics:
            found, of_blends, note = self._measured(metric, blends)
            table.add_metric(metric.key, metric.title, found, note)
            for name, values in of_blends.items():
                table.add_texts(name, metric.key, values)
        for name, texts in unseen.items():
            self._add_judged(table, name, blends[name], texts)
        selections = self._selections(rankings, blends)
        ranks = {
            name: [None if one is None else one.ranks for one in found]
            for name, found in rankings.items()
        }
        return table.report(
            selections=selections,
            ranks=ranks,
            sums=self._sums(rankings),
            groups=[self._group(item) for item in self.items],
            score_names=[
                None
                if self.wanted.judge_ranker is not None
                else self.wanted.judge.score_of(item.record)
                for item in self.items
            ],
            bootstrap=self.wanted.bootstrap,
            settings=self.wanted.settings,
            with_reference=sum(item.reference is not None for item in self.items),
            notes=self.notes,
        )

    def _group(self, item: _Item) -> str | None:
        return None if self.wanted.group is None else self.wanted.group(item.record)

    def _judge_name(self) -> str | None:
        if self.wanted.judge_ranker is not None:
            return None
        names = {self.wanted.judge.score_of(item.record) for item in self.items} - {None}
        if len(names) > 1:
            self.notes.append(
                "The judges' scores have different scales "
                f"({', '.join(sorted(str(name) for name in names))}): no mean over all of them."
            )
        return names.pop() if len(names) == 1 else None

    def _key(self, name: str) -> str:
        return self.wanted.keys.get(name, name)

    def _rankings(self, name: str) -> list[Any]:
        ranker = self.wanted.rankers[name]

        def compute(items: Sequence[_Item]) -> list[Any]:
            return [value_of(one) for one in ranker.rank_many([item.task for item in items])]

        return self._all(
            f"ranker {self._key(name)}",
            name,
            self._by_record(),
            compute,
            lambda item, value: check_ranking(value, len(item.texts)),
        )

    def _blended(self, name: str, rankings: Sequence[Any]) -> list[Any]:
        from blender_core.blend import Blender

        told = self.wanted.blends[name]
        known = {
            item.task: ranking_of(item.task, value)
            for item, value in zip(self.items, rankings, strict=True)
            if value is not None
        }
        ranker = KnownRanker(self.wanted.rankers[told.ranker], known)
        blender = Blender(ranker, told.fuser, top_k=told.top_k, verify=told.verify)

        def compute(items: Sequence[_Item]) -> list[Any]:
            return [
                {"text": blend.text, "fused": blend.fused, "pick": blend.ranking.order[0]}
                for blend in blender.blend_many([item.task for item in items])
            ]

        by = f"blend {self._key(name)}"
        return self._all(
            by,
            name,
            self._by_record(),
            compute,
            lambda item, value: check_blend(value, len(item.texts)),
            _BLEND_WINDOW,
        )

    def _judged(self, blends: Mapping[str, Sequence[Any]]) -> dict[str, list[Truth | None]]:
        """Have the ranker that plays the judge compare everything.

        Returns:
            For each blend and record, what the judge says of the answers and, behind them, the
            fused text; None where none was fused. Nothing without such a judge.
        """
        if self.wanted.judge_ranker is None:
            return {}
        name, judge = self.wanted.judge_ranker

        def compute(tasks: Sequence[Task]) -> list[Any]:
            return [value_of(one) for one in judge.rank_many(tasks)]

        tasks = []
        for place, item in enumerate(self.items):
            texts = [one[place]["text"] for one in blends.values() if _is_fused(one[place])]
            task = item.task.with_candidates([*item.task.candidates, *texts])
            tasks.append((key_of(item.key, texts), task))
        by = f"judge {self._key(f'judge {name}')}"
        found = self._all(
            by,
            f"judge {name}",
            tasks,
            compute,
            lambda task, value: check_ranking(value, len(task.candidates)),
        )
        matrices = [None if value is None else matrix_of(value) for value in found]
        unseen: dict[str, list[Truth | None]] = {blend: [] for blend in blends}
        items = []
        for place, (item, matrix) in enumerate(zip(self.items, matrices, strict=True)):
            count = len(item.texts)
            asked = np.full((count, count), np.nan) if matrix is None else matrix[:count, :count]
            items.append(replace(item, truth=truth_by(asked)))
            after = count
            for blend, blended in blends.items():
                if not _is_fused(blended[place]):
                    unseen[blend].append(None)
                    continue
                chosen = [*range(count), after]
                after += 1
                part = None if matrix is None else matrix[np.ix_(chosen, chosen)]
                unseen[blend].append(None if part is None else truth_by(part))
        self.items = items
        self.notes.append(f"The judge is the ranker {name}; it agrees with itself by definition.")
        return unseen

    def _add_judged(
        self, table: Table, name: str, blended: Sequence[Any], texts: Sequence[Truth | None]
    ) -> None:
        """Add what the judge says of a blend's texts, an answer's where nothing was fused."""
        truth: list[tuple[Truth, int] | None] = []
        for item, one, fused in zip(self.items, blended, texts, strict=True):
            if one is None or (one["fused"] and fused is None):
                truth.append(None)
            else:
                truth.append((item.truth, one["pick"]) if fused is None else (fused, -1))
        table.add_judged_texts(name, truth)

    def _by_record(self) -> list[tuple[str, _Item]]:
        return [(item.key, item) for item in self.items]

    def _all(
        self,
        by: str,
        title: str,
        items: Sequence[tuple[str, Any]],
        compute: Callable[[Sequence[Any]], list[Any]],
        check: Callable[[Any, Any], object],
        window: int = 64,
    ) -> list[Any]:
        failures: list[str] = []
        bar = None if self.wanted.progress is None else self.wanted.progress(title, len(items))
        try:
            values = self.store.all(
                by,
                items,
                compute,
                check=check,
                window=window,
                failures=failures,
                progress=(lambda _: None) if bar is None else bar.update,
            )
        finally:
            if bar is not None:
                bar.close()
        if failures:
            self.notes.append(
                f"{title}: failed on {len(failures)} of {len(items)} records, the first time with: "
                f"{failures[0]}"
            )
        return values

    def _measured(
        self, metric: MetricWanted, blends: Mapping[str, Sequence[Any]]
    ) -> tuple[list[NDArray[np.float64]], dict[str, list[float]], str | None]:
        """The metric of all candidates, that of the blended texts, and why there is none."""
        nothing = [np.full(len(item.record.candidates), np.nan) for item in self.items]
        if metric.name.startswith(STORED):
            name = metric.name.removeprefix(STORED)
            found = [item.record.score(name) for item in self.items]
            known = any(not np.isnan(one).all() for one in found)
            return found, {}, None if known else f"no answer has a score {name!r}"
        if all(item.reference is None for item in self.items):
            return nothing, {}, "no record has a reference answer ('output')"
        try:
            scorer = metric.make()
        except BlenderError as error:
            return nothing, {}, f"not computed: {message_of(error)}"

        def compute(rows: Sequence[list[TextPair]]) -> list[Any]:
            scores = scorer.scores([pair for row in rows for pair in row])
            ends = np.cumsum([len(row) for row in rows])[:-1]
            return [part.tolist() for part in np.split(scores, ends)]

        def measured(title: str, texts: Sequence[Sequence[str] | None]) -> list[Any]:
            rows = [
                (key_of(list(some), item.reference), [(text, item.reference) for text in some])
                for item, some in zip(self.items, texts, strict=True)
                if some is not None and item.reference is not None
            ]
            known = iter(
                self._all(
                    f"metric {metric.stored_as}",
                    title,
                    rows,
                    compute,
                    lambda row, value: check_numbers(value, len(row)),
                    _METRIC_WINDOW,
                )
            )
            return [
                next(known) if some is not None and item.reference is not None else None
                for item, some in zip(self.items, texts, strict=True)
            ]

        found = [
            none if values is None else np.array(values, dtype=np.float64)
            for none, values in zip(
                nothing, measured(metric.title, [item.texts for item in self.items]), strict=True
            )
        ]
        of_blends = {}
        for name, blended in blends.items():
            texts = [None if one is None else [one["text"]] for one in blended]
            values = measured(f"{metric.title} of {name}", texts)
            of_blends[name] = [
                np.nan if one is None or one[0] is None else float(one[0]) for one in values
            ]
        missing = sum(item.reference is None for item in self.items)
        note = f"{missing} records have no reference answer" if missing else None
        return found, of_blends, note

    def _selections(
        self, rankings: Mapping[str, Sequence[Scored | None]], blends: Mapping[str, Sequence[Any]]
    ) -> list[Selection]:
        result = [
            Selection(
                "baseline" if name in self.wanted.baselines else "ranker",
                name,
                [None if one is None else one.pick for one in found],
            )
            for name, found in rankings.items()
        ]
        for name, found in blends.items():
            shares: list[NDArray[np.float64] | None] = []
            fused = 0
            for item, one in zip(self.items, found, strict=True):
                share = None
                if one is not None and one["fused"]:
                    fused += 1
                elif one is not None:
                    share = np.zeros(len(item.record.candidates))
                    share[one["pick"]] = 1.0
                shares.append(share)
            if fused and self.wanted.judge_ranker is None:
                self.notes.append(
                    f"{name}: {fused} of {len(found)} answers are fused texts, which the judge has "
                    "not seen; so the blend has no figures by the judge."
                )
                shares = [None] * len(shares)
            result.append(Selection("blend", name, shares))
        return result

    def _sums(
        self, rankings: Mapping[str, Sequence[Scored | None]]
    ) -> dict[str, NDArray[np.float64]]:
        result = {}
        for name, found in rankings.items():
            rows = [
                contributions(item.texts, item.truth, one) if one is not None else np.zeros(_WIDTH)
                for item, one in zip(self.items, found, strict=True)
            ]
            result[name] = np.stack(rows)
        return result


_WIDTH = 14


def _is_fused(blended: Any) -> bool:
    return blended is not None and bool(blended["fused"])


def _scored(value: Any) -> Scored:
    return Scored(np.array(value["ranks"], dtype=np.float64), matrix_of(value))
