"""``blended-llm calibrate``."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blender_core.cli import judged, options, reports
from blender_core.cli.options import DEFAULT_RANKER, Loading
from blender_core.errors import InputError
from blender_core.writing import check_target

if TYPE_CHECKING:
    from blender_core.belief.calibrator import Calibrator

__all__ = ["calibrate"]


def calibrate(
    file: judged.File,
    output: Annotated[
        Path,
        typer.Option(
            help="The folder for calibration.json; a ranker's own folder, if it is to be loaded "
            "with it.",
            show_default=False,
        ),
    ],
    ranker: options.Ranker = DEFAULT_RANKER,
    isotonic: Annotated[
        bool, typer.Option("--isotonic", help="Correct by an isotonic regression too.")
    ] = False,
    judge_score: judged.JudgeScore = None,
    limit: judged.Limit = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the division into halves.")] = 0,
    device: options.Device = None,
    dtype: options.Dtype = None,
    base_model: options.BaseModel = None,
    max_batch_tokens: options.MaxBatchTokens = None,
    local_files_only: options.LocalFilesOnly = False,
    html_file: reports.Html = None,
    plot: reports.PlotFile = None,
    force: reports.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Fit a ranker's probabilities to judged answers: one half fits, the other one measures."""
    from blender_core.belief.calibrator import CALIBRATION_FILE, Calibrator
    from blender_core.cli.models import load_ranker
    from blender_core.evaluation.labelled import labelled

    if not output.is_dir():
        raise InputError(f"{output}: there is no such folder")
    check_target(output / CALIBRATION_FILE, source=file, overwrite=force, streams=False)
    files = reports.Reports(file, None, html_file, plot, force)
    loading = Loading(device, dtype, base_model, max_batch_tokens, local_files_only, quiet)
    chosen = load_ranker(ranker, loading)
    given = judged.read_judged(file, limit, judge_score)
    rankings, _ = judged.rank_judged(chosen, given.tasks, quiet=quiet)
    pairs = labelled(rankings, given.truths)
    calibrator = Calibrator.fit(
        pairs.margins, pairs.wins, groups=pairs.groups.tolist(), isotonic=isotonic, seed=seed
    )
    calibrator.save(output)
    from blender_core.evaluation.calibration_page import calibration_page, calibration_plot

    files.write(
        asdict(calibrator),
        _told(calibrator),
        lambda: calibration_page(calibrator, ranker),
        [calibration_plot(calibrator)],
    )
    judged.tell_left_out(given.left_out, len(given.tasks))


def _told(calibrator: Calibrator) -> str:
    before, after = calibrator.before, calibrator.after
    if before is None or after is None:
        return ""
    least = math.ceil(1e4 * min(calibrator.abstain_below(0.9), 1.0)) / 1e4  # not less than it is
    return (
        f"temperature {calibrator.temperature:.3f}\n"
        f"on {after.count} held-out pairs: ECE {before.ece:.3f} -> {after.ece:.3f}, "
        f"Brier {before.brier:.3f} -> {after.brier:.3f}\n"
        f"decide no pair below {least:.4f}: then at most 10 % of pairs by chance, one of a "
        "question, are decided wrongly"
    )
