"""A report as one HTML page, and its plots."""

from __future__ import annotations

from blender_core.evaluation import report_words as words
from blender_core.evaluation.agreement import AGREEMENT
from blender_core.evaluation.figures import NOTHING
from blender_core.evaluation.page import page
from blender_core.evaluation.plots import HeatMap, Plot, RankBars
from blender_core.evaluation.report import Column, Report

__all__ = ["as_html", "plots"]


def as_html(report: Report) -> str:
    """The page, as text to be written in UTF-8."""
    return page(
        "evaluation",
        report=report,
        words=words,
        best={column.key: _best(report, column) for column in report.columns},
        figures=AGREEMENT,
        nothing=NOTHING,
        plots=plots(report),
    )


def plots(report: Report) -> list[Plot]:
    """Who beats whom, and who has which rank; nothing without a judge."""
    if not report.ranked or not report.models:
        return []
    return [
        HeatMap(report.models, report.beats),
        RankBars(report.models, report.rank_shares),
    ]


def _best(report: Report, column: Column) -> float | None:
    """The best value of a column, oracles left out."""
    found = [row.figures[column.key].value for row in report.rows if row.kind != "oracle"]
    known = [value for value in found if value is not None]
    if not known:
        return None
    return min(known) if column.lower_is_better else max(known)
