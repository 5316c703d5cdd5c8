"""Schedules compared, as an HTML page, its rows and its plots."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from blender_core.evaluation.misses import Miss
from blender_core.evaluation.page import page
from blender_core.evaluation.plots import Line, LinePlot, Plot
from blender_core.evaluation.schedule_curves import Point

__all__ = ["CURVE_HEAD", "MISS_HEAD", "curve_row", "miss_row", "plots", "schedule_page"]

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
    return page(
        "schedules",
        ranker=ranker,
        records=records,
        shortlist=shortlist,
        plots=plots(points),
        curve_head=CURVE_HEAD,
        curves=map(curve_row, points),
        miss_head=MISS_HEAD,
        misses=[miss_row(miss) for miss in missed],
    )


def plots(points: Sequence[Point]) -> list[Plot]:
    """Three figures of the picks over the passes; those that nothing is known of are left out."""
    drawn = [
        _plot("Picks as the full matrix does", "share of records", points, lambda p: p.best),
        _plot("Of the full matrix's 3 best", "share", points, lambda p: p.top),
        _plot("Judge's score of the pick", "score", points, lambda p: p.worth),
    ]
    return [plot for plot in drawn if plot.lines]


def _plot(
    title: str, y_title: str, points: Sequence[Point], figure: Callable[[Point], float | None]
) -> LinePlot:
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
    return LinePlot(title, "passes, of the full matrix's", y_title, lines)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
