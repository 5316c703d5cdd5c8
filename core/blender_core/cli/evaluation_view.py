"""What an evaluation's report looks like on a terminal. Names go in as plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from blender_core.cli.messages import one_line
from blender_core.evaluation.agreement import AGREEMENT
from blender_core.evaluation.figures import NOTHING, Figure
from blender_core.evaluation.report import Column, Report
from blender_core.evaluation.report_words import (
    CORRELATION_HEAD,
    column_title,
    correlation_rows,
    heading,
    known_agreement,
    notes,
    number,
)

__all__ = ["report_view"]

_INTERVAL = 11  # letters of "0.123–0.456"


def report_view(report: Report) -> RenderableType:
    """All tables, and what a reader must know."""
    parts: list[RenderableType] = [Text(heading(report), style="bold")]
    shown = [column for column in report.columns if _is_filled(report, column.key)]
    if shown:
        parts.append(_selections(report, shown))
    parts += [_agreement(*group) for group in known_agreement(report).items()]
    if report.correlations:
        parts.append(_correlations(report))
    parts += [Text(f"note: {one_line(note)}", style="yellow") for note in notes(report)]
    return Group(*parts)


def _is_filled(report: Report, key: str) -> bool:
    return any(row.figures[key].value is not None for row in report.rows)


def _selections(report: Report, columns: Sequence[Column]) -> Table:
    table = Table(title="Selections", title_justify="left")
    table.add_column("selection", overflow="fold")
    for column in columns:
        table.add_column(_plain(column_title(column)), justify="right")
    kind = report.rows[0].kind
    for row in report.rows:
        if row.kind != kind:
            table.add_section()
            kind = row.kind
        table.add_row(
            _plain(row.title),
            *(number(row.figures[one.key], one)[0] or "–" for one in columns),
        )
    return table


def _agreement(group: str, rankers: Mapping[str, Mapping[str, Figure]]) -> Table:
    table = Table(title=_plain(f"Agreement with the judge: {group}"), title_justify="left")
    table.add_column("ranker", overflow="fold")
    keys = [
        key
        for key in AGREEMENT
        if any(_says_something(key, found.get(key, NOTHING)) for found in rankers.values())
    ]
    for key in keys:
        table.add_column(AGREEMENT[key], justify="right", min_width=_INTERVAL)
    for name, figures in rankers.items():
        table.add_row(_plain(name), *(_with_interval(figures.get(key, NOTHING)) for key in keys))
    return table


def _says_something(key: str, figure: Figure) -> bool:
    """Rankers that score answers one by one know no order: a column of zeros says nothing."""
    if key in ("flip_rate", "position_bias"):
        return bool(figure.value)
    return figure.value is not None


def _with_interval(figure: Figure) -> Text:
    value, interval = number(figure)
    return Text.assemble(value or "–", (f"\n{interval}" if interval else "", "dim"))


def _correlations(report: Report) -> Table:
    table = Table(title="Correlation with GPT-Rank", title_justify="left")
    for place, title in enumerate(CORRELATION_HEAD):
        table.add_column(title, justify="right" if place else "left", overflow="fold")
    for row in correlation_rows(report):
        table.add_row(*map(_plain, row))
    return table


def _plain(text: str) -> Text:
    return Text(one_line(text))
