"""Schedules compared, as an HTML page, and the rows of its tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from blender_core.evaluation.line_plot import Line, line_plot
from blender_core.evaluation.misses import Miss
from blender_core.evaluation.page import page, table, text
from blender_core.evaluation.schedule_curves import Point

__all__ = ["CURVE_HEAD", "MISS_HEAD", "curve_row", "miss_row", "schedule_page"]

CURVE_HEAD = (
    "schedule",
    "budget",
    "passes",
    "of the full matrix",
    "picks as it does",
    "of its 3 best",
    "judge's score",
    "less than its pick",
    "ms choosing",
)
MISS_HEAD = ("kept", "tasks with more", "the best is missed", "judge's score lost")


def curve_row(point: Point) -> list[str]:
    """A point as a row of `CURVE_HEAD`."""
    return [
        point.schedule,
        "–" if point.budget is None else f"{point.budget:.0%}",
        f"{point.passes:.1f}",
        f"{point.share:.1%}",
        f"{point.best:.3f}",
        f"{point.top:.3f}",
        _number(point.worth),
        _number(point.regret),
        f"{1000 * point.seconds:.2f}",
    ]


def miss_row(miss: Miss) -> list[str]:
    """A shortlist's length as a row of `MISS_HEAD`."""
    return [str(miss.keep), str(miss.tasks), f"{miss.missed:.1%}", _number(miss.worth_lost)]


def schedule_page(
    points: Sequence[Point], missed: Sequence[Miss], ranker: str, shortlist: str, records: int
) -> str:
    """The page.

    Args:
        points: of all schedules.
        missed: of shortlists.
        ranker: its name, any text.
        shortlist: the name of the ranker that makes them, any text.
        records: how many tasks there were.
    """
    shortlists = ""
    if missed:
        shortlists = f"<h2>Shortlists by {text(shortlist)}</h2>" + table(
            MISS_HEAD, [_cells(miss_row(miss)) for miss in missed]
        )
    return page(
        f"Schedules of {ranker}",
        [
            f"<p>{records} records, against the full matrices of the same ranker.</p>",
            _plot("Picks as the full matrix does", "share of records", points, lambda p: p.best),
            _plot("Of the full matrix's 3 best", "share", points, lambda p: p.top),
            _plot("Judge's score of the pick", "score", points, lambda p: p.worth),
            table(CURVE_HEAD, [_cells(curve_row(point)) for point in points]),
            shortlists,
        ],
    )


def _plot(
    title: str, y_title: str, points: Sequence[Point], figure: Callable[[Point], float | None]
) -> str:
    lines = []
    for name in dict.fromkeys(point.schedule for point in points):
        chosen = [
            (point.share, value)
            for point in points
            if point.schedule == name and (value := figure(point)) is not None
        ]
        if chosen:
            xs, ys = zip(*sorted(chosen), strict=True)
            lines.append(Line(name, xs, ys))
    plot = line_plot(title, "passes, of the full matrix's", y_title, lines)
    return f"<h2>{text(title)}</h2>{plot}" if plot else ""


def _cells(row: Sequence[str]) -> list[str]:
    return [f"<td>{text(cell)}</td>" for cell in row]


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
