"""``blended-llm bench-schedules``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blender_core.cli import judged, options, reports
from blender_core.cli.messages import shows_progress
from blender_core.cli.options import Loading
from blender_core.errors import InputError
from blender_core.progress import bars_drawn, progress_bar

if TYPE_CHECKING:
    from blender_core.evaluation.misses import Miss
    from blender_core.evaluation.schedule_curves import Point

__all__ = ["bench_schedules"]

_LEAST = 3


def bench_schedules(
    file: judged.File,
    ranker: options.Ranker = "mini",
    shortlist: Annotated[
        str,
        typer.Option(help="A cheap ranker, as of --ranker, whose shortlists are measured too."),
    ] = "consensus:words",
    judge_score: judged.JudgeScore = None,
    limit: judged.Limit = None,
    seed: Annotated[int, typer.Option(min=0, help="Of random lines and pairs.")] = 0,
    device: options.Device = None,
    dtype: options.Dtype = None,
    base_model: options.BaseModel = None,
    max_batch_tokens: options.MaxBatchTokens = None,
    local_files_only: options.LocalFilesOnly = False,
    json_file: reports.Json = None,
    html_file: reports.Html = None,
    plot: reports.PlotFile = None,
    force: reports.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure what each schedule finds for how many passes, against a ranker's full matrices."""
    files = reports.Reports(file, json_file, html_file, plot, force)
    from blender_core.cli.models import is_pairwise, load_ranker

    loading = Loading(device, dtype, base_model, max_batch_tokens, local_files_only, quiet)
    if not is_pairwise(ranker, loading):
        raise InputError(f"{ranker!r} has no schedule: only a pairwise ranker has one")
    chosen = load_ranker(ranker, loading)
    cheap = load_ranker(shortlist, loading)
    given = judged.read_judged(file, limit, judge_score, at_least=_LEAST)
    rankings, _ = judged.rank_judged(chosen, given.tasks, quiet=quiet)
    from blender_core.evaluation.misses import misses
    from blender_core.evaluation.schedule_curves import schedule_curves
    from blender_core.evaluation.schedule_page import plots, schedule_page

    worths = [truth.scores for truth in given.truths]
    drawn = bars_drawn(shows_progress(quiet=quiet))
    with drawn, progress_bar(total=len(rankings), unit="record") as bar:
        points = schedule_curves(
            given.tasks,
            [ranking.matrix for ranking in rankings],
            worths,
            seed=seed,
            on_task=bar.update,
        )
    missed = misses(cheap.rank_many(given.tasks), rankings, worths)
    files.write(
        {
            "ranker": ranker,
            "file": str(file),
            "records": len(rankings),
            "schedules": [asdict(point) for point in points],
            "shortlist": shortlist,
            "misses": [asdict(miss) for miss in missed],
        },
        _view(points, missed, shortlist),
        lambda: schedule_page(points, missed, ranker, shortlist, len(rankings)),
        plots(points),
    )
    judged.tell_left_out(given.left_out, len(given.tasks))


def _view(points: Sequence[Point], missed: Sequence[Miss], shortlist: str) -> Any:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from blender_core.evaluation.schedule_page import CURVE_HEAD, MISS_HEAD, curve_row, miss_row

    curves = Table(title="Schedules", title_justify="left")
    for place, title in enumerate(CURVE_HEAD):
        curves.add_column(title, justify="right" if place else "left")
    for point in points:
        curves.add_row(*curve_row(point))
    if not missed:
        return curves
    lost = Table(title=Text(f"Shortlists by {shortlist}"), title_justify="left")
    for title in MISS_HEAD:
        lost.add_column(title, justify="right")
    for miss in missed:
        lost.add_row(*miss_row(miss))
    return Group(curves, lost)
