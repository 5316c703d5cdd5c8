"""What an evaluation found out, as data: tables of figures, and what is missing and why."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.evaluation.figures import Figure
from blender_core.evaluation.ranks import Correlation

__all__ = ["Column", "Report", "Row"]

_CSV_HEAD = ("table", "group", "kind", "name", "figure", "value", "low", "high", "records")

_WITHOUT_TRUTH = ("flip_rate", "position_bias")
"""Figures of a ranker that need no judge."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table of selections.

    Attributes:
        key: its name in JSON and CSV.
        title: its name in a table.
        lower_is_better: whether it is.
        share: whether it is a share, shown in percent.
        note: why it is empty, or has holes.
    """

    key: str
    title: str
    lower_is_better: bool = False
    share: bool = False
    note: str | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A way to select an answer, and how good the selected ones are.

    Attributes:
        kind: ``model``, ``oracle``, ``random``, ``baseline``, ``ranker`` or ``blend``.
        name: of the model, the metric or the ranker.
        figures: by the columns' keys.
    """

    kind: str
    name: str
    figures: Mapping[str, Figure]

    @property
    def title(self) -> str:
        """What the row is called in a table."""
        return f"oracle {self.name}" if self.kind == "oracle" else self.name


@dataclass(frozen=True, slots=True, eq=False)
class Report:
    """What an evaluation found out.

    Attributes:
        settings: what it was asked for.
        records: how many records were read.
        with_reference: how many have a reference answer.
        ranked: how many have a judge's ranking of all answers.
        columns: of the table of selections.
        rows: likewise.
        correlations: how far rankings by metrics and rankers agree with GPT-Rank.
        agreement: by group and ranker, the figures of `blender_core.evaluation.agreement`.
        models: the models of the two matrices.
        beats: float64[M, M], share of the comparisons that the row's model won against the
            column's, ties half; NaN where there are none.
        rank_shares: float64[M, R], share of the model's answers that have rank 1, 2, ...
        notes: what a reader must know.
    """

    settings: Mapping[str, Any]
    records: int
    with_reference: int
    ranked: int
    columns: Sequence[Column]
    rows: Sequence[Row]
    correlations: Mapping[str, Correlation]
    agreement: Mapping[str, Mapping[str, Mapping[str, Figure]]]
    models: Sequence[str]
    beats: NDArray[np.float64]
    rank_shares: NDArray[np.float64]
    notes: Sequence[str] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether there was nothing to hold answers against, so that nothing is known of them."""
        selected = (figure for row in self.rows for figure in row.figures.values())
        agreed = (
            figure
            for rankers in self.agreement.values()
            for figures in rankers.values()
            for key, figure in figures.items()
            if key not in _WITHOUT_TRUTH
        )
        return all(figure.value is None for figure in (*selected, *agreed))

    def as_value(self) -> dict[str, Any]:
        """The report as a value of JSON; shares are 0 to 1, what is missing is NaN or null."""
        arrays = {"beats": self.beats.tolist(), "rank_shares": self.rank_shares.tolist()}
        return asdict(self) | arrays

    def as_csv(self) -> str:
        """All figures, one a line: table, group, kind, name, figure, value, low, high, records.

        A name that a spreadsheet would take for a formula has an apostrophe before it, and
        characters that steer a terminal are escapes.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(_CSV_HEAD)

        def write(head: Sequence[str], key: str, figure: Figure) -> None:
            numbers = [figure.value, figure.low, figure.high]
            writer.writerow(
                [*map(_harmless, head), key]
                + ["" if number is None else f"{number:.10g}" for number in numbers]
                + [figure.records]
            )

        for row in self.rows:
            for column in self.columns:
                figure = row.figures[column.key]
                write(["selection", "", row.kind, row.name], column.key, figure)
        for group, rankers in self.agreement.items():
            for name, figures in rankers.items():
                for key, figure in figures.items():
                    write(["agreement", group, "", name], key, figure)
        for name, found in self.correlations.items():
            for key, value in asdict(found).items():
                if key != "records":
                    figure = Figure(value, records=found.records)
                    write(["correlation", "", "", name], key, figure)
        return text.getvalue()


def _harmless(text: str) -> str:
    r"""A name for a spreadsheet and a terminal.

    >>> _harmless("=1+1"), _harmless("a\x1b")
    ("'=1+1", 'a\\x1b')
    """
    shown = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode("ascii")
        for letter in text
    )
    return f"'{shown}" if shown.startswith(("=", "+", "-", "@")) else shown
