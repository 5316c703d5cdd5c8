"""``blended-llm audit-ranker``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from blender_core.cli import judged, options, reports
from blender_core.cli.options import DEFAULT_RANKER, Loading

__all__ = ["audit_ranker"]


def audit_ranker(
    file: judged.File,
    ranker: options.Ranker = DEFAULT_RANKER,
    judge_score: judged.JudgeScore = None,
    limit: judged.Limit = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    base_model: options.BaseModel = None,
    max_batch_tokens: options.MaxBatchTokens = None,
    local_files_only: options.LocalFilesOnly = False,
    json_file: reports.Json = None,
    html_file: reports.Html = None,
    force: reports.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Find out about a ranker: order flips, position bias, cycles, love of length, honesty."""
    files = reports.Reports(file, json_file, html_file, force)
    from blender_core.cli.models import load_ranker

    loading = Loading(device, dtype, base_model, max_batch_tokens, local_files_only, quiet)
    chosen = load_ranker(ranker, loading)
    given = judged.read_judged(file, limit, judge_score)
    rankings, seconds = judged.rank_judged(chosen, given.tasks, quiet=quiet)
    from blender_core.evaluation.audit import audit
    from blender_core.evaluation.audit_page import audit_page, figures

    found = audit(rankings, given.truths, seconds)
    files.write(
        {"ranker": ranker, "file": str(file), **asdict(found)},
        audit_page(found, ranker),
        _view(figures(found)),
    )
    judged.tell_left_out(given.left_out, len(given.tasks))


def _view(rows: list[tuple[str, str]]) -> Any:
    from rich.table import Table

    table = Table("figure", "value", title="Audit", title_justify="left")
    for row in rows:
        table.add_row(*row)
    return table
