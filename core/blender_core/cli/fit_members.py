"""``blended-llm fit-members``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blender_core.cli import judged, options, reports
from blender_core.cli.options import DEFAULT_RANKER, Loading
from blender_core.errors import InputError
from blender_core.writing import check_target

if TYPE_CHECKING:
    from blender_core.belief.member_prior import MemberPrior

__all__ = ["fit_members"]

_KINDS = 6
"""A wider table would not fit a terminal."""


def fit_members(
    file: judged.File,
    output: Annotated[
        Path, typer.Option(help="The file for what is known, for --members.", show_default=False)
    ],
    by: Annotated[
        str | None,
        typer.Option(
            help="A field of records, such as 'task', that says what kind of question they are: "
            "members get a strength for each kind, too."
        ),
    ] = None,
    ranker: options.Ranker = DEFAULT_RANKER,
    judge: Annotated[
        str | None,
        typer.Option(
            help="A ranker (as of --ranker) that judges the answers, in place of the records' "
            "verdicts and scores."
        ),
    ] = None,
    judge_score: judged.JudgeScore = None,
    limit: judged.Limit = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the division into five folds.")] = 0,
    device: options.Device = None,
    dtype: options.Dtype = None,
    base_model: options.BaseModel = None,
    max_batch_tokens: options.MaxBatchTokens = None,
    local_files_only: options.LocalFilesOnly = False,
    force: reports.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Learn from judged answers how strong each model is, and what that counts beside a ranker."""
    check_target(output, source=file, overwrite=force, streams=False)
    import numpy as np

    from blender_core.cli.models import load_ranker
    from blender_core.evaluation.member_fitting import fit_members as fitted
    from blender_core.evaluation.truth import truth_by

    loading = Loading(device, dtype, base_model, max_batch_tokens, local_files_only, quiet)
    given = judged.read_judged(file, limit, judge_score, by=by)
    if by is not None and all(task.kind is None for task in given.tasks):
        raise InputError(f"{file}: no record says in a field {by!r} what kind of question it is")
    chosen = load_ranker(ranker, loading)
    truths = given.truths
    if judge is not None:
        verdicts, _ = judged.rank_judged(load_ranker(judge, loading), given.tasks, quiet=quiet)
        truths = [truth_by(verdict.matrix.astype(np.float64)) for verdict in verdicts]
    rankings, _ = judged.rank_judged(chosen, given.tasks, quiet=quiet)
    prior = fitted(given.tasks, truths, rankings, beside=ranker, by=by, seed=seed)
    prior.save(output)
    reports.show(_view(prior))
    judged.tell_left_out(given.left_out, len(given.tasks))


def _view(prior: MemberPrior) -> Any:
    from rich.table import Table

    from blender_core.cli.messages import one_line
    from blender_core.cli.views import plain

    caption = (
        f"A sum counts a strength {prior.weight:.3g} times and a logit of the ranker "
        f"{prior.ranker_weight:.3g} times."
    )
    if prior.by is not None:
        caption += (
            f" Strengths in {len(prior.kinds)} kinds of question lie about "
            f"{prior.kind_spread:.2g} around these."
        )
    table = Table(title="Members", title_justify="left", caption=caption, caption_justify="left")
    table.add_column("member", overflow="fold")
    for name in ("strength", "95 % interval", "comparisons"):
        table.add_column(name, justify="right")
    shown = prior.kinds[:_KINDS]
    for kind in shown:
        table.add_column(plain(one_line(kind)), justify="right", overflow="fold")
    for one in prior.standings():
        low, high = one.strength - 1.96 * one.error, one.strength + 1.96 * one.error
        table.add_row(
            plain(one_line(one.member)),
            f"{one.strength:+.2f}",
            f"{low:+.2f} to {high:+.2f}",
            f"{one.comparisons:.0f}",
            *(f"{prior.strength(one.member, kind):+.2f}" for kind in shown),
        )
    return table
