"""A report as one HTML page."""

from __future__ import annotations

from collections.abc import Callable

from blender_core.evaluation.agreement import AGREEMENT
from blender_core.evaluation.figures import NOTHING, Figure
from blender_core.evaluation.page import page, table, text, visible
from blender_core.evaluation.report import Column, Report
from blender_core.evaluation.svg import heat_map, rank_distribution

__all__ = ["as_html", "heading", "number"]


def as_html(report: Report) -> str:
    """The page, as text to be written in UTF-8."""
    return page(
        "Evaluation",
        [
            f"<p>{text(heading(report))}. Small: 95 % intervals from a bootstrap over records.</p>",
            _notes(report),
            _selections(report),
            _agreement(report),
            _correlations(report),
            _plots(report),
            _settings(report),
        ],
    )


def heading(report: Report) -> str:
    """How much was evaluated, in words."""
    return (
        f"{report.records} records, {report.with_reference} with a reference answer, "
        f"{report.ranked} ranked by a judge"
    )


def number(figure: Figure, column: Column | None = None) -> tuple[str, str]:
    """A figure and its interval as text, empty where there is none."""
    if figure.value is None:
        return "", ""
    share = column is not None and column.share
    scale, digits = (100.0, 1) if share else (1.0, 2 if column is not None else 3)
    value = f"{figure.value * scale:.{digits}f}"
    if figure.low is None or figure.high is None:
        return value, ""
    return value, f"{figure.low * scale:.{digits}f}–{figure.high * scale:.{digits}f}"


def _cell(figure: Figure, column: Column | None, *, best: bool) -> str:
    value, interval = number(figure, column)
    small = f" <small>{interval}</small>" if interval else ""
    return f"<td{' class=best' if best else ''}>{value or '–'}{small}</td>"


def _notes(report: Report) -> str:
    notes = [*report.notes]
    notes += [f"{column.title}: {column.note}" for column in report.columns if column.note]
    if not notes:
        return ""
    return f'<ul class="notes">{"".join(f"<li>{text(note)}</li>" for note in notes)}</ul>'


def _selections(report: Report) -> str:
    arrows = [
        f"{text(column.title)}{' %' if column.share else ''} "
        f"{'↓' if column.lower_is_better else '↑'}"
        for column in report.columns
    ]
    best = {}
    for column in report.columns:
        pick: Callable[..., float] = min if column.lower_is_better else max
        values = [
            value
            for row in report.rows
            if row.kind != "oracle"
            and (value := row.figures.get(column.key, NOTHING).value) is not None
        ]
        best[column.key] = pick(values) if values else None
    lines = []
    for row in report.rows:
        cells = [f"<td>{text(row.title)}</td><td class=name>{text(row.kind)}</td>"]
        for column in report.columns:
            figure = row.figures.get(column.key, NOTHING)
            top = row.kind != "oracle" and figure.value is not None
            cells.append(_cell(figure, column, best=top and figure.value == best[column.key]))
        lines.append(cells)
    head = ["selection", "kind", *arrows]
    return f"<h2>Selections</h2>{table(head, lines)}" if report.columns else ""


def _agreement(report: Report) -> str:
    parts = []
    for group, rankers in report.agreement.items():
        if not any(one.value is not None for found in rankers.values() for one in found.values()):
            continue
        lines = [
            [
                f"<td>{text(name)}</td>",
                *(_cell(figures.get(key, NOTHING), None, best=False) for key in AGREEMENT),
            ]
            for name, figures in rankers.items()
        ]
        rows = table(["ranker", *map(text, AGREEMENT.values())], lines)
        parts.append(f"<h3>{text(group)}</h3>{rows}")
    return f"<h2>Agreement with the judge</h2>{''.join(parts)}" if parts else ""


def _correlations(report: Report) -> str:
    if not report.correlations:
        return ""
    lines = [
        [
            f"<td>{text(name)}</td>",
            *(
                f"<td>{'–' if value is None else f'{value:.3f}'}</td>"
                for value in (
                    found.pearson,
                    found.spearman,
                    found.footrule,
                    found.footrule_share,
                    found.pearson_in_record,
                )
            ),
            f"<td>{found.records}</td>",
        ]
        for name, found in report.correlations.items()
    ]
    head = ["ranking by", "Pearson ↑", "Spearman ↑", "footrule ↓", "footrule / largest ↓"]
    head += ["Pearson in a record ↑", "records"]
    return f"<h2>Correlation with GPT-Rank</h2>{table(head, lines)}"


def _plots(report: Report) -> str:
    if not report.ranked or not report.models:
        return ""
    names = [visible(name) for name in report.models]
    return (
        "<h2>Who beats whom</h2><p>Percent of the judged comparisons that the row won against the "
        f'column; a tie is half a win.</p><div class="wide">{heat_map(names, report.beats)}</div>'
        f'<h2>Ranks</h2><div class="wide">{rank_distribution(names, report.rank_shares)}</div>'
    )


def _settings(report: Report) -> str:
    lines = [
        [f"<td>{text(key)}</td>", f"<td class=name>{text(value)}</td>"]
        for key, value in report.settings.items()
    ]
    return f"<h2>Settings</h2>{table(['setting', 'value'], lines)}" if lines else ""
