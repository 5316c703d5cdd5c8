"""``blended-llm audit-ranker``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blender_core.cli import judged, options, reports
from blender_core.cli.messages import shows_progress
from blender_core.cli.options import DEFAULT_RANKER, Loading
from blender_core.errors import InputError

if TYPE_CHECKING:
    from blender_core.ranking.ranker import Ranker

__all__ = ["audit_ranker"]

Records = Annotated[
    Path | None,
    typer.Argument(
        help="Records: .jsonl, .jsonl.gz, .parquet or a saved dataset; none with --sense."
    ),
]
Sense = Annotated[
    bool,
    typer.Option(
        "--sense",
        help="In place of records, tasks of the package's own: good answers against spoilt ones.",
        rich_help_panel="What is measured",
    ),
]


def audit_ranker(
    file: Records = None,
    ranker: options.Ranker = DEFAULT_RANKER,
    sense: Sense = False,
    judge_score: judged.JudgeScore = None,
    limit: judged.Limit = None,
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
    """Find out about a ranker: order flips, position bias, love of length, honesty, sense."""
    files = reports.Reports(file, json_file, html_file, plot, force)
    loading = Loading(device, dtype, base_model, max_batch_tokens, local_files_only, quiet)
    if sense:
        if file is not None or judge_score or limit is not None:
            raise InputError("--sense brings its own tasks: leave out FILE and what is about it")
        if plot is not None:
            raise InputError("--sense makes tables and no plot: leave out --plot")
        _sense(ranker, loading, files)
    elif file is None:
        raise InputError("nothing to measure on: give FILE, or --sense for the package's own tasks")
    else:
        _records(file, ranker, loading, files, judge_score, limit)


def _sense(name: str, loading: Loading, files: reports.Reports) -> None:
    from blender_core.cli.sense_view import sense_view
    from blender_core.evaluation.sense import run_sense
    from blender_core.evaluation.sense.page import sense_page

    found = run_sense(_loaded(name, loading), show_progress=shows_progress(quiet=loading.quiet))
    told = {"ranker": name, **found.as_value()}
    files.write(told, sense_view(found), lambda: sense_page(found, name))


def _records(
    file: Path,
    name: str,
    loading: Loading,
    files: reports.Reports,
    judge_score: list[str] | None,
    limit: int | None,
) -> None:
    chosen = _loaded(name, loading)
    given = judged.read_judged(file, limit, judge_score)
    rankings, seconds = judged.rank_judged(chosen, given.tasks, quiet=loading.quiet)
    from blender_core.evaluation.audit import audit
    from blender_core.evaluation.audit_page import audit_page, figures, plots

    found = audit(rankings, given.truths, seconds)
    files.write(
        {"ranker": name, "file": str(file), **asdict(found)},
        _view(figures(found)),
        lambda: audit_page(found, name),
        plots(found),
    )
    judged.tell_left_out(given.left_out, len(given.tasks))


def _loaded(name: str, loading: Loading) -> Ranker:
    from blender_core.cli.models import load_ranker

    return load_ranker(name, loading)


def _view(rows: list[tuple[str, str]]) -> Any:
    from rich.table import Table

    table = Table("figure", "value", title="Audit", title_justify="left")
    for row in rows:
        table.add_row(*row)
    return table
