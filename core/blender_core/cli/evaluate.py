"""``blended-llm evaluate``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blender_core.cli import judged, options, reports
from blender_core.cli.evaluation_models import Models, read_gap, read_metric
from blender_core.cli.evaluation_outputs import Kept
from blender_core.cli.members import Members, read_prior
from blender_core.cli.messages import FAILED, INTERRUPTED, say, shows_progress
from blender_core.cli.options import DEFAULT_RANKER, Loading
from blender_core.errors import InputError
from blender_core.progress import bars_drawn

if TYPE_CHECKING:
    from blender_core.data.records import Record
    from blender_core.evaluation.wanted import MetricWanted

__all__ = ["evaluate"]

_MEASURES = "What is measured"
_RESULTS = "Results"
_DEFAULT_METRICS = ("rouge2", "rougeL", "bleu", "chrf")


def evaluate(
    file: judged.File,
    ranker: Annotated[
        list[str] | None,
        typer.Option(help="As of 'rank'; give one --ranker each.", rich_help_panel="Models"),
    ] = None,
    fuser: Annotated[
        str | None,
        typer.Option(
            help="Hub id or folder of a fuser: adds a blend for each --ranker.",
            rich_help_panel="Models",
        ),
    ] = None,
    top_k: options.TopK = 3,
    no_verify: options.NoVerify = False,
    max_new_tokens: options.MaxNewTokens = None,
    schedule: options.Schedule = None,
    aggregation: options.Aggregation = None,
    members: Members = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    base_model: options.BaseModel = None,
    max_batch_tokens: options.MaxBatchTokens = None,
    local_files_only: options.LocalFilesOnly = False,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            help="NAME or NAME=MODEL; give one --metric each. bertscore, bartscore, "
            "bartscore_precision, bartscore_f, bleurt (these take a hub id or folder as MODEL), "
            "rouge1, rouge2, rougeL, bleu, chrf, stored:SCORE (a score that the answers have). "
            "Default: rouge2, rougeL, bleu, chrf where there are reference answers.",
            rich_help_panel=_MEASURES,
        ),
    ] = None,
    batch_size: Annotated[
        int,
        typer.Option(min=1, help="Texts of one pass of a metric.", rich_help_panel=_MEASURES),
    ] = 16,
    bertscore_layer: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Whose vectors BERTScore compares; default: what bert-score recommends.",
            rich_help_panel=_MEASURES,
        ),
    ] = None,
    reference_model: Annotated[
        list[str] | None,
        typer.Option(
            help="A model that picks are compared with; give one --reference-model each.",
            rich_help_panel=_MEASURES,
        ),
    ] = None,
    judge: Annotated[
        str | None,
        typer.Option(
            help="A ranker (as of --ranker) that judges all answers and fused texts, in place of "
            "the records' verdicts and scores.",
            rich_help_panel=_MEASURES,
        ),
    ] = None,
    judge_score: judged.JudgeScore = None,
    gap: Annotated[
        list[str] | None,
        typer.Option(
            help="SCORE=NUMBER: answers whose judge's scores differ by this or less tie.",
            rich_help_panel=_MEASURES,
        ),
    ] = None,
    group_by: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD",
            help="Also by group: any field of the records, such as source, task or subset; 'id' "
            "is what stands before the first '-' of an id.",
            rich_help_panel=_MEASURES,
        ),
    ] = None,
    baselines: Annotated[
        bool,
        typer.Option(
            help="Add longest, shortest, question overlap and consensus.",
            rich_help_panel=_MEASURES,
        ),
    ] = True,
    same_models: Annotated[
        bool,
        typer.Option(
            "--same-models",
            help="Leave out records whose answers are not one each of the first one's models.",
            rich_help_panel=_MEASURES,
        ),
    ] = False,
    limit: judged.Limit = None,
    resamples: Annotated[
        int,
        typer.Option(
            min=0, help="Draws of the bootstrap; 0: no intervals.", rich_help_panel=_MEASURES
        ),
    ] = 1000,
    seed: Annotated[
        int, typer.Option(min=0, help="Of the bootstrap.", rich_help_panel=_MEASURES)
    ] = 0,
    json_file: reports.Json = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", help="Write the figures.", rich_help_panel=_RESULTS)
    ] = None,
    html_file: reports.Html = None,
    plot: reports.PlotFile = None,
    cache: Annotated[
        Path | None,
        typer.Option(
            help="Keep what is computed here. Default: FILE's name with '.evaluation.partial', "
            "in this folder, until the end.",
            rich_help_panel=_RESULTS,
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Go on where an earlier run was stopped.", rich_help_panel=_RESULTS
        ),
    ] = False,
    force: reports.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Measure rankers, fusers and single models on records with references or judgements."""
    kept = Kept(file, cache, resume, force)
    files = reports.Reports(file, json_file, html_file, plot, force, csv=csv_file, kept=cache)
    loading = Loading(device, dtype, base_model, max_batch_tokens, local_files_only, quiet)
    metrics = [
        read_metric(one, batch_size, bertscore_layer, loading) for one in metric or _DEFAULT_METRICS
    ]
    gaps = dict(map(read_gap, gap or ()))

    from blender_core.evaluation.evaluation import evaluate as measured
    from blender_core.evaluation.figures import Bootstrap
    from blender_core.evaluation.truth import TruthOptions
    from blender_core.evaluation.wanted import Evaluation

    if any(one.settings is not None for one in metrics):
        from blender_core.cli.models import show_bars

        show_bars(loading)
    records, faults = judged.read_all(file, limit, same_models=same_models)
    judged.check_scores(records, [*(judge_score or ()), *gaps])
    if metric is None and all(record.output is None for record in records):
        metrics = []
    wanted = Evaluation(
        metrics=metrics,
        reference_models=reference_model or (),
        judge=TruthOptions(judge_score or (), gaps),
        group=None if group_by is None else _grouping(group_by, records),
        bootstrap=Bootstrap(resamples, seed),
    )
    names = list(dict.fromkeys(ranker or ([] if fuser is None else [DEFAULT_RANKER])))
    prior = read_prior(members, *names)
    models = Models(loading, schedule, aggregation, baselines, prior)
    models.add_rankers(wanted, names, judge)
    if fuser is not None:
        models.add_blends(wanted, names, fuser, (top_k, not no_verify, max_new_tokens))
    wanted.settings = {
        "file": str(file),
        "rankers": names,
        "fuser": fuser,
        **({} if members is None else {"members": str(members)}),
        "metrics": [_told(one) for one in metrics],
        "reference_models": reference_model or [],
        "judge": judge,
        "judge_scores": judge_score or [],
        "gaps": gaps,
        "resamples": resamples,
        "seed": seed,
        "left_out": faults,
    }
    with kept.store() as store:
        if store.found:
            say(f"going on with {store.found} results of an earlier run")
        try:
            with bars_drawn(shows_progress(quiet=quiet)):
                report = measured(records, wanted, store)
        except KeyboardInterrupt:
            say(kept.farewell(store))
            raise typer.Exit(INTERRUPTED) from None
        except OSError as error:
            say(kept.farewell(store))
            raise error from None
    from blender_core.cli.evaluation_view import report_view
    from blender_core.evaluation import html

    files.write(
        report.as_value(),
        report_view(report),
        lambda: html.as_html(report),
        html.plots(report),
        report.as_csv,
    )
    kept.done()
    judged.tell_left_out(faults, len(records))
    if report.is_empty:
        say(
            f"{file}: nothing could be measured, as the records have neither references "
            "('output') nor judgements or scores of their answers"
        )
        raise typer.Exit(FAILED)


def _told(metric: MetricWanted) -> str:
    return metric.name if metric.settings is None else f"{metric.name}={metric.settings.model}"


def _grouping(field: str, records: Sequence[Record]) -> Callable[[Record], str]:
    """From a record to what a field of it says.

    Raises:
        InputError: no record has such a field.
    """

    def name(record: Record) -> str | None:
        kind = record.kind(field)
        return kind.partition("-")[0] if field == "id" and kind else kind

    if all(name(record) is None for record in records):
        known = {
            key for one in records for key in (*one.model_fields_set, *(one.model_extra or ()))
        }
        named = sorted(key for key in known if any(one.kind(key) for one in records))
        raise InputError(
            f"no record has a field {field!r} to group by; there are: {_listed(named)}"
        )
    return lambda record: name(record) or f"no {field}"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
