"""``blended-llm rank``."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from blender_core.cli import options
from blender_core.cli.members import Members, read_prior, with_prior
from blender_core.cli.options import DEFAULT_RANKER, Loading

if TYPE_CHECKING:
    from blender_core.candidates import Candidate
    from blender_core.outcomes import Ranking

__all__ = ["best_of", "rank", "ranking_json"]


def rank(
    file: options.File = None,
    instruction: options.Instruction = None,
    candidate: options.Candidates = None,
    ranker: options.Ranker = DEFAULT_RANKER,
    schedule: options.Schedule = None,
    aggregation: options.Aggregation = None,
    members: Members = None,
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
    """Rank the answers to each question, best first."""
    from blender_core.cli.messages import shows_progress
    from blender_core.cli.models import is_consensus, load_ranker
    from blender_core.cli.records import read_record
    from blender_core.cli.rows import Ranked
    from blender_core.cli.views import ranking_view
    from blender_core.cli.work import Given, Verb, Wanted, work

    def load() -> Verb[Ranking]:
        loading = Loading(device, dtype, base_model, max_batch_tokens, local_files_only, quiet)
        prior = read_prior(members, ranker)
        loaded = load_ranker(ranker, loading, schedule=schedule, aggregation=aggregation)
        chosen = with_prior(loaded, prior)
        slow = not is_consensus(ranker)
        show = slow and shows_progress(quiet=quiet)
        return Verb(
            read=read_record,
            answer=partial(chosen.rank_many, show_progress=show),
            as_json=lambda _, ranking: ranking_json(ranking, matrix=matrix),
            view=ranking_view,
            settings=(ranker, schedule, aggregation),
            prior=prior,
        )

    work(
        Given(file, instruction, candidate),
        Wanted(output, resume, force, quiet, with_input),
        Ranked,
        load,
    )


def ranking_json(ranking: Ranking, *, matrix: bool) -> dict[str, Any]:
    """A ranking as a result says it."""
    said: dict[str, Any] = {
        "order": ranking.order,
        "ranks": ranking.ranks,
        "scores": ranking.scores,
        "best": best_of(ranking.best),
        "passes": ranking.passes,
        "stopped_because": ranking.stopped_because,
        "probability_best": ranking.probability_best,
        "confidence": ranking.confidence,
        "calibrated": ranking.is_calibrated,
        "position_bias": ranking.position_bias,
    }
    if ranking.score_parts:
        said["score_parts"] = ranking.score_parts
    if matrix:
        said["matrix"] = ranking.matrix.tolist()
    return said


def best_of(candidate: Candidate) -> dict[str, Any]:
    """An answer as a result says it."""
    return {"model": candidate.source, "text": candidate.text}
