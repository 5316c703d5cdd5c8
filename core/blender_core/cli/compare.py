"""``blended-llm compare``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from blender_core.cli import options
from blender_core.cli.options import DEFAULT_RANKER, Loading
from blender_core.cli.rank import best_of

if TYPE_CHECKING:
    from blender_core.outcomes import Ranking

__all__ = ["compare"]


def compare(
    file: options.File = None,
    instruction: options.Instruction = None,
    candidate: options.Candidates = None,
    ranker: options.Ranker = DEFAULT_RANKER,
    device: options.Device = None,
    dtype: options.Dtype = None,
    base_model: options.BaseModel = None,
    max_batch_tokens: options.MaxBatchTokens = None,
    local_files_only: options.LocalFilesOnly = False,
    output: options.Output = None,
    resume: options.Resume = False,
    force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Say which of two answers is better, and how surely.

    Records have exactly two candidates, or the answers as "a" and "b".
    """
    from blender_core.cli.models import is_consensus, load_ranker
    from blender_core.cli.records import read_duel
    from blender_core.cli.rows import Compared
    from blender_core.cli.views import comparison_view
    from blender_core.cli.work import Given, Verb, Wanted, work
    from blender_core.errors import InputError

    def load() -> Verb[dict[str, Any]]:
        if is_consensus(ranker):
            raise InputError(
                f"{ranker!r} asks the other answers, and two answers have no others; give a "
                "model that reads them, such as --ranker llm-blender/PairRM or its folder"
            )
        loading = Loading(device, dtype, base_model, max_batch_tokens, local_files_only, quiet)
        chosen = load_ranker(ranker, loading)
        return Verb(
            read_duel,
            lambda tasks: list(map(_compared, chosen.rank_completely(tasks))),
            lambda _, told: told,
            comparison_view,
            settings=(ranker,),
        )

    work(Given(file, instruction, candidate), Wanted(output, resume, force, quiet), Compared, load)


def _compared(ranking: Ranking) -> dict[str, Any]:
    """What a complete ranking says of its two answers.

    The logit is the mean of both orders, > 0 where the first is better. The probability that it is
    comes from the ranker's calibrator or, without one, is the sigmoid of the logit.
    """
    from scipy.special import expit

    logit = float(ranking.matrix[0, 1] - ranking.matrix[1, 0]) / 2.0
    calibrated = ranking.is_calibrated
    better = "tie" if logit == 0 else "a" if logit > 0 else "b"
    return {
        "logit": logit,
        "probability": ranking.probability(0, 1) if calibrated else float(expit(logit)),
        "calibrated": calibrated,
        "better": better,
        "best": None if better == "tie" else best_of(ranking.candidates["ab".index(better)]),
        "passes": ranking.passes,
    }
