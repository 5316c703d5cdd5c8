"""``blended-llm blend``."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blender_core.cli import options
from blender_core.cli.members import Members, read_prior, with_prior
from blender_core.cli.options import DEFAULT_RANKER, Loading
from blender_core.cli.rank import ranking_json

if TYPE_CHECKING:
    from blender_core.outcomes import Blend

__all__ = ["blend"]

_WINDOW = 16  # writing takes long, and a window is what an interruption costs


def blend(
    file: options.File = None,
    instruction: options.Instruction = None,
    candidate: options.Candidates = None,
    ranker: options.Ranker = DEFAULT_RANKER,
    fuser: Annotated[
        str | None,
        typer.Option(
            help="Hub id or folder of a sequence-to-sequence fuser; without one the best answer "
            "is taken as it is.",
            rich_help_panel="Models",
        ),
    ] = None,
    top_k: options.TopK = 3,
    no_verify: options.NoVerify = False,
    schedule: options.Schedule = None,
    aggregation: options.Aggregation = None,
    members: Members = None,
    max_new_tokens: options.MaxNewTokens = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    base_model: options.BaseModel = None,
    max_batch_tokens: options.MaxBatchTokens = None,
    local_files_only: options.LocalFilesOnly = False,
    output: options.Output = None,
    with_input: options.WithInput = None,
    resume: options.Resume = False,
    force: options.Force = False,
    matrix: options.Matrix = False,
    quiet: options.Quiet = False,
) -> None:
    """Rank the answers, fuse the best, and keep the fused text if it is better."""
    from blender_core.blend import Blender
    from blender_core.cli.messages import shows_progress
    from blender_core.cli.models import is_consensus, load_fuser, load_ranker
    from blender_core.cli.records import read_record
    from blender_core.cli.rows import Blended
    from blender_core.cli.views import blend_view
    from blender_core.cli.work import Given, Verb, Wanted, work

    def load() -> Verb[Blend]:
        loading = Loading(device, dtype, base_model, max_batch_tokens, local_files_only, quiet)
        prior = read_prior(members, ranker)
        loaded = load_ranker(ranker, loading, schedule=schedule, aggregation=aggregation)
        chosen = with_prior(loaded, prior)
        writer = None if fuser is None else load_fuser(fuser, loading, max_new_tokens)
        blender = Blender(chosen, writer, top_k=top_k, verify=not no_verify)
        slow = not is_consensus(ranker)
        show = slow and shows_progress(quiet=quiet)
        return Verb(
            read=read_record,
            answer=partial(blender.blend_many, show_progress=show),
            as_json=lambda _, blended: _as_json(blended, matrix=matrix),
            view=blend_view,
            settings=(ranker, fuser, top_k, no_verify, schedule, aggregation, max_new_tokens),
            window=_WINDOW,
            prior=prior,
        )

    work(
        Given(file, instruction, candidate),
        Wanted(output, resume, force, quiet, with_input),
        Blended,
        load,
    )


def _as_json(blended: Blend, *, matrix: bool) -> dict[str, Any]:
    return {
        "text": blended.text,
        "fused": blended.fused,
        "sources": blended.sources,
        "verdict": asdict(blended.verdict),
        **ranking_json(blended.ranking, matrix=matrix),
    }
