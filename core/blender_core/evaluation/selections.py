"""The paper's table 2: ways to select an answer, by what metrics and a judge say of it.

A way to select gives each answer of a record a share of the pick, so a model, an oracle, a
random draw and a ranker are all the same to the table: a random draw has equal shares, and its
figures are exact means instead of one throw of the dice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.evaluation.agreement import expected
from blender_core.evaluation.figures import Bootstrap, Figure, Ratio
from blender_core.evaluation.groups import by_group
from blender_core.evaluation.ranks import Correlation, correlation, ranks_of
from blender_core.evaluation.report import Column, Report, Row
from blender_core.evaluation.standings import beats, rank_shares
from blender_core.evaluation.truth import Truth

__all__ = ["Selection", "Table"]

FIRST = "first"

_MOST_MODELS = 100
"""Models that have rows, and a place in the plots."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Selection:
    """A way to select.

    Attributes:
        kind: what kind of row it is; see `Row`.
        name: of the row.
        shares: for each record, float64[N] with the sum 1, or None where nothing is selected.
    """

    kind: str
    name: str
    shares: Sequence[Numbers | None]


class Table:
    """Numbers of all answers, column by column, and the rows that select among them.

    Args:
        models: each record's models, one an answer.
        truth: what each record knows of its answers.
    """

    def __init__(self, models: Sequence[Sequence[str | None]], truth: Sequence[Truth]) -> None:
        answers = Counter(name for names in models for name in names if name is not None)
        known = {name for name, _ in answers.most_common(_MOST_MODELS)}
        self.notes: list[str] = []
        """What a reader must know."""
        if len(answers) > len(known):
            self.notes.append(
                f"Of {len(answers)} models, the {len(known)} with the most answers have rows."
            )
        self._named = models
        # The others are answers of nobody in particular: random draws and oracles have them.
        self._models = [[name if name in known else None for name in names] for names in models]
        self._truth = truth
        self._columns: list[Column] = []
        self._values: dict[str, Sequence[Numbers]] = {}
        self._metrics: list[str] = []
        self._of_texts: dict[tuple[str, str], Sequence[float]] = {}

    def add_judge(self, references: Sequence[str], score: str | None) -> None:
        """Add the columns that a judge's verdicts give.

        GPT-Rank is the mean rank of the pick, ``top3`` the share of picks with rank 3 or better,
        ``first`` a model's share of the first places (those who share one have equal parts in it).

        A reference model has two columns, as there are two published definitions. ``at_least`` is
        the share of picks that the judge did not call worse than that model's answer (table 2 of
        the paper). ``points`` counts 1 for a win, a half for a tie and 0 where both are bad (the
        authors' later correction). An answer against itself is a tie that is not bad.

        Args:
            references: names of models.
            score: the name of the judge's score, None where there is none for all records.
        """
        none = "no record has comparisons or scores by a judge"
        ranked = [truth.ranks for truth in self._truth]
        note = None if any(truth.ranked for truth in self._truth) else none
        self._add(Column("gpt_rank", "GPT-Rank", lower_is_better=True, note=note), ranked)
        self._add(
            Column("top3", "top 3", share=True, note=note),
            [np.where(np.isnan(ranks), np.nan, ranks <= 3) for ranks in ranked],
        )
        self._add(
            Column(FIRST, "first places", share=True, note=note),
            [
                np.where(np.isnan(ranks), np.nan, (ranks == 1) / max(1, int((ranks == 1).sum())))
                for ranks in ranked
            ],
        )
        if score is not None:
            self._add(Column("judge_score", score), [truth.scores for truth in self._truth])
        for reference in references:
            pairs = [
                _against(reference, *both) for both in zip(self._named, self._truth, strict=True)
            ]
            known = any(not np.isnan(at_least).all() for at_least, _ in pairs)
            missing = None if known else f"no record has one answer of {reference!r} that is judged"
            self._add(
                Column(f"at_least:{reference}", f"≥ {reference}", share=True, note=missing),
                [at_least for at_least, _ in pairs],
            )
            self._add(
                Column(f"points:{reference}", f"points vs {reference}", share=True, note=missing),
                [points for _, points in pairs],
            )

    def add_metric(self, key: str, title: str, values: Sequence[Numbers], note: str | None) -> None:
        """Add a metric: for each record float64[N], NaN where it is not known."""
        self._add(Column(key, title, note=note), values)
        self._metrics.append(key)

    def add_texts(self, row: str, key: str, values: Sequence[float]) -> None:
        """Add a metric of texts that are none of the answers, one a record, for that row."""
        self._of_texts[row, key] = values

    def add_judged_texts(self, row: str, truth: Sequence[tuple[Truth, int] | None]) -> None:
        """Add what a judge says of texts of which some are none of the answers.

        Args:
            row: the name of their row.
            truth: for each record, what the judge knows and the text's place in it; the answers
                have the places that they have in the record.
        """
        ranks = [np.nan if one is None else float(one[0].ranks[one[1]]) for one in truth]
        self._of_texts[row, "gpt_rank"] = ranks
        self._of_texts[row, "top3"] = [
            np.nan if np.isnan(rank) else float(rank <= 3) for rank in ranks
        ]
        for column in self._columns:
            kind, _, reference = column.key.partition(":")
            if kind not in ("at_least", "points"):
                continue
            self._of_texts[row, column.key] = [
                np.nan
                if one is None
                else float(_against(reference, models, one[0])[kind == "points"][one[1]])
                for models, one in zip(self._named, truth, strict=True)
            ]

    def _add(self, column: Column, values: Sequence[Numbers]) -> None:
        self._columns.append(column)
        self._values[column.key] = values

    def report(
        self,
        *,
        selections: Sequence[Selection],
        ranks: Mapping[str, Sequence[Numbers | None]],
        sums: Mapping[str, Numbers],
        groups: Sequence[str | None],
        score_names: Sequence[str | None],
        bootstrap: Bootstrap,
        settings: Mapping[str, Any],
        with_reference: int,
        notes: Sequence[str],
    ) -> Report:
        """Everything together.

        Args:
            selections: the rows besides models, oracles and random.
            ranks: by ranker, each record's ranks.
            sums: by ranker, each record's contributions to `agreement`.
            groups: each record's group.
            score_names: the name of each record's judge's score.
            bootstrap: for the intervals.
            settings: passed on.
            with_reference: likewise.
            notes: likewise.
        """
        rows = [
            Row(one.kind, one.name, self._figures(one, bootstrap))
            for one in [*self._of_models(), *self._oracles(), self._random(), *selections]
        ]
        models = [row.name for row in rows if row.kind == "model"]
        return Report(
            settings=settings,
            records=len(self._truth),
            with_reference=with_reference,
            ranked=sum(truth.ranked for truth in self._truth),
            columns=self._columns,
            rows=rows,
            correlations=self._correlations(ranks),
            agreement=by_group(sums, groups, score_names, self._named, self._truth, bootstrap),
            models=models,
            beats=beats(models, self._models, self._truth),
            rank_shares=rank_shares(models, self._models, self._truth),
            notes=notes,
        )

    def _figures(self, selection: Selection, bootstrap: Bootstrap) -> dict[str, Figure]:
        return {
            column.key: bootstrap.figure(Ratio.mean(self._picked(selection, column.key)))
            for column in self._columns
            if column.key != FIRST or selection.kind == "model"
        }

    def _picked(self, selection: Selection, key: str) -> Sequence[float]:
        """What the selected answers are worth, one number a record."""
        texts = self._of_texts.get((selection.name, key))
        if texts is not None and selection.kind == "blend":
            return texts
        return [
            np.nan if share is None else expected(share, values)
            for share, values in zip(selection.shares, self._values[key], strict=True)
        ]

    def _of_models(self) -> list[Selection]:
        """A row for each model, the best ranked first."""
        names = dict.fromkeys(name for names in self._models for name in names if name is not None)
        rows = [
            Selection("model", name, [_shares_of(name, models) for models in self._models])
            for name in names
        ]

        def place(row: Selection) -> tuple[float, str]:
            mean = Ratio.mean(self._picked(row, "gpt_rank")).value
            return (np.inf if np.isnan(mean) else mean, row.name)

        return sorted(rows, key=place)

    def _oracles(self) -> list[Selection]:
        """Rows that pick the best answer by what a column says."""
        return [
            Selection(
                "oracle",
                column.title,
                [
                    _best_of(-values if column.lower_is_better else values)
                    for values in self._values[column.key]
                ],
            )
            for column in self._columns
            if column.key in ("gpt_rank", "judge_score", *self._metrics)
            and any(not np.isnan(values).any() for values in self._values[column.key])
        ]

    def _random(self) -> Selection:
        shares = [np.full(len(models), 1.0 / len(models)) for models in self._models]
        return Selection("random", "random", shares)

    def _correlations(
        self, ranks: Mapping[str, Sequence[Numbers | None]]
    ) -> dict[str, Correlation]:
        wanted = [truth.ranks for truth in self._truth]
        if not any(truth.ranked for truth in self._truth):
            return {}
        found = {"random": _of_chance(wanted)}
        titles = {column.key: column.title for column in self._columns}
        for key in self._metrics:
            by_metric = [ranks_of(values) for values in self._values[key]]
            found[titles[key]] = correlation(self._models, by_metric, wanted)
        for name, of_ranker in ranks.items():
            found[name] = correlation(self._models, of_ranker, wanted)
        return {name: one for name, one in found.items() if one.records}


def _against(reference: str, models: Sequence[str | None], truth: Truth) -> tuple[Numbers, Numbers]:
    """Both definitions of "not worse than the reference", float64[N], NaN where unknown."""
    places = [place for place, name in enumerate(models) if name == reference]
    if len(places) != 1:
        nothing = np.full(len(truth.ranks), np.nan)
        return nothing, nothing
    outcome = truth.outcome[:, places[0]]
    tie = np.where(truth.same_bad[:, places[0]], 0.0, 0.5)
    unknown = np.isnan(outcome)
    at_least = np.where(unknown, np.nan, outcome >= 0)
    points = np.where(unknown, np.nan, np.where(outcome == 0, tie, outcome > 0))
    return at_least, points


def _shares_of(model: str, models: Sequence[str | None]) -> Numbers | None:
    mine = np.array([name == model for name in models], dtype=np.float64)
    return mine / mine.sum() if mine.any() else None


def _best_of(values: Numbers) -> Numbers | None:
    if np.isnan(values).any():
        return None
    best = (values == values.max()).astype(np.float64)
    shares: Numbers = best / best.sum()
    return shares


def _of_chance(truth: Sequence[Numbers]) -> Correlation:
    """What random rankings without ties have, on average over all of them."""
    footrules, shares = [], []
    for ranks in truth:
        count = len(ranks)
        if count < 2 or np.isnan(ranks).any():
            continue
        any_rank = np.arange(1, count + 1)
        footrules.append(float(np.abs(any_rank[:, None] - ranks[None, :]).sum()) / count)
        shares.append(footrules[-1] / (count**2 // 2))
    if not footrules:
        return Correlation(None, None, None, None, None, 0)
    mean, share = float(np.mean(footrules)), float(np.mean(shares))
    return Correlation(0.0, 0.0, mean, share, 0.0, len(footrules))
