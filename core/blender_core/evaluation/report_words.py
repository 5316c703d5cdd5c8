"""What a report says, in words and rows: for its page and for a terminal."""

from __future__ import annotations

from collections.abc import Mapping

from blender_core.evaluation.figures import Figure
from blender_core.evaluation.report import Column, Report

__all__ = [
    "CORRELATION_HEAD",
    "column_title",
    "correlation_rows",
    "heading",
    "known_agreement",
    "notes",
    "number",
]

CORRELATION_HEAD = (
    "ranking by",
    "Pearson ↑",
    "Spearman ↑",
    "footrule ↓",
    "footrule / largest ↓",
    "in a record ↑",
    "records",
)


def heading(report: Report) -> str:
    """How much was evaluated."""
    return (
        f"{report.records} records, {report.with_reference} with a reference answer, "
        f"{report.ranked} ranked by a judge"
    )


def notes(report: Report) -> list[str]:
    """What a reader must know."""
    return [
        *report.notes,
        *(f"{column.title}: {column.note}" for column in report.columns if column.note),
    ]


def column_title(column: Column) -> str:
    """A column's title, with its unit and where better is."""
    return f"{column.title}{' %' if column.share else ''} {'↓' if column.lower_is_better else '↑'}"


def number(figure: Figure, column: Column | None = None) -> tuple[str, str]:
    """A figure and its interval, empty where there is none."""
    if figure.value is None:
        return "", ""
    share = column is not None and column.share
    scale, digits = (100.0, 1) if share else (1.0, 2 if column is not None else 3)
    value = f"{figure.value * scale:.{digits}f}"
    if figure.low is None or figure.high is None:
        return value, ""
    return value, f"{figure.low * scale:.{digits}f}–{figure.high * scale:.{digits}f}"


def known_agreement(report: Report) -> dict[str, Mapping[str, Mapping[str, Figure]]]:
    """The agreement of the groups that have any figure."""
    return {
        group: rankers
        for group, rankers in report.agreement.items()
        if any(one.value is not None for found in rankers.values() for one in found.values())
    }


def correlation_rows(report: Report) -> list[list[str]]:
    """Rows of `CORRELATION_HEAD`."""
    return [
        [
            name,
            *(
                number(Figure(value))[0] or "–"
                for value in (
                    found.pearson,
                    found.spearman,
                    found.footrule,
                    found.footrule_share,
                    found.pearson_in_record,
                )
            ),
            str(found.records),
        ]
        for name, found in report.correlations.items()
    ]
