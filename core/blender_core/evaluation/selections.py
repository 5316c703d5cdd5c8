"""The paper's table 2: ways to select an answer, by what metrics and a judge say of it.

A way to select gives each answer of a record a share of the pick, so a model, an oracle, a
random draw and a ranker are all the same to the table: a random draw has equal shares, and its
figures are exact means instead of one throw of the dice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_core.evaluation.agreement import expected
from blender_core.evaluation.columns import FIRST, Filled
from blender_core.evaluation.figures import NOTHING, Bootstrap, Figure, Ratio
from blender_core.evaluation.report import Row

__all__ = ["MOST_MODELS", "Selection", "Table", "with_rows"]

MOST_MODELS = 100
"""Models that have rows, and a place in the plots."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
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


def with_rows(models: Sequence[Sequence[str | None]]) -> list[list[str | None]]:
    """Each record's models without those that have no row: too many others have more answers.

    Answers of these are of nobody in particular; random draws and oracles have them.
    """
    answers = Counter(name for names in models for name in names if name is not None)
    known = {name for name, _ in answers.most_common(MOST_MODELS)}
    return [[name if name in known else None for name in names] for names in models]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Numbers of all answers, column by column, and the rows that select among them.

    Attributes:
        models: each record's models, one an answer; None has no row.
        columns: numbers by the judge, then by metrics.
        oracles: keys of columns by which an oracle picks.
        texts: by blend and a column's key, numbers of texts of which some are none of the answers,
            one a record.
    """

    models: Sequence[Sequence[str | None]]
    columns: Sequence[Filled]
    oracles: Sequence[str]
    texts: Mapping[tuple[str, str], Sequence[float]]

    def rows(self, selections: Sequence[Selection], bootstrap: Bootstrap) -> list[Row]:
        """Models, oracles, a random draw, and then the selections."""
        shares = [np.full(len(models), 1.0 / len(models)) for models in self.models]
        random = Selection("random", "random", shares)
        return [
            Row(one.kind, one.name, self._figures(one, bootstrap))
            for one in [*self._of_models(), *self._of_oracles(), random, *selections]
        ]

    def _figures(self, selection: Selection, bootstrap: Bootstrap) -> dict[str, Figure]:
        return {
            one.column.key: NOTHING
            if one.column.key == FIRST and selection.kind != "model"
            else bootstrap.figure(Ratio.mean(self._picked(selection, one)))
            for one in self.columns
        }

    def _picked(self, selection: Selection, filled: Filled) -> Sequence[float]:
        """What the selected answers are worth, one number a record."""
        texts = self.texts.get((selection.name, filled.column.key))
        if texts is not None and selection.kind == "blend":
            return texts
        return [
            np.nan if share is None else expected(share, values)
            for share, values in zip(selection.shares, filled.values, strict=True)
        ]

    def _of_models(self) -> list[Selection]:
        """A row for each model, the best ranked first."""
        names = dict.fromkeys(name for names in self.models for name in names if name is not None)
        rows = [
            Selection("model", name, [_shares_of(name, models) for models in self.models])
            for name in names
        ]
        [ranks] = [one for one in self.columns if one.column.key == "gpt_rank"]

        def place(row: Selection) -> tuple[float, str]:
            mean = Ratio.mean(self._picked(row, ranks)).value
            return (np.inf if np.isnan(mean) else mean, row.name)

        return sorted(rows, key=place)

    def _of_oracles(self) -> list[Selection]:
        """Rows that pick the best answer by what a column says."""
        return [
            Selection(
                "oracle",
                one.column.title,
                [
                    _best_of(-values if one.column.lower_is_better else values)
                    for values in one.values
                ],
            )
            for one in self.columns
            if one.column.key in self.oracles
            and any(not np.isnan(values).any() for values in one.values)
        ]


def _shares_of(model: str, models: Sequence[str | None]) -> Numbers | None:
    mine = np.array([name == model for name in models], dtype=np.float64)
    return mine / mine.sum() if mine.any() else None


def _best_of(values: Numbers) -> Numbers | None:
    if np.isnan(values).any():
        return None
    best = (values == values.max()).astype(np.float64)
    shares: Numbers = best / best.sum()
    return shares
