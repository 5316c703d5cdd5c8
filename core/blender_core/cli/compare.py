"""``blended-llm compare``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from blender_core.cli import options
from blender_core.cli.options import DEFAULT_RANKER, Loading
from blender_core.cli.rank import best_of

if TYPE_CHECKING:
    from blender_core.candidates import Candidate, Task
    from blender_core.outcomes import Ranking

__all__ = ["ComparedPair", "compare"]


@dataclass(frozen=True, slots=True)
class ComparedPair:
    """How the first of two answers compares with the second.

    Attributes:
        logit: mean of both orders, > 0 where the first is better.
        probability: that the first is better: what the ranker's calibrator says, or else the
            sigmoid of the logit.
        calibrated: which of the two.
        passes: times that a model was asked.
    """

    logit: float
    probability: float
    calibrated: bool
    passes: int

    @classmethod
    def of(cls, ranking: Ranking) -> ComparedPair:
        """From the complete ranking of the two."""
        from scipy.special import expit

        logit = float(ranking.matrix[0, 1] - ranking.matrix[1, 0]) / 2.0
        calibrated = ranking.is_calibrated
        probability = ranking.probability(0, 1) if calibrated else float(expit(logit))
        return cls(logit, probability, calibrated, ranking.passes)

    @property
    def better(self) -> Literal["a", "b", "tie"]:
        """Which one is better."""
        return "tie" if self.logit == 0 else "a" if self.logit > 0 else "b"

    def winner(self, task: Task) -> Candidate | None:
        """The better answer, or None for a tie."""
        places = {"a": 0, "b": 1}
        return None if self.better == "tie" else task.candidates[places[self.better]]


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
    from blender_core.cli.work import Given, Verb, Wanted, work
    from blender_core.errors import InputError

    def load() -> Verb[ComparedPair]:
        if is_consensus(ranker):
            raise InputError(
                f"{ranker!r} asks the other answers, and two answers have no others; give a "
                "model that reads them, such as --ranker llm-blender/PairRM or its folder"
            )
        loading = Loading(device, dtype, base_model, max_batch_tokens, local_files_only, quiet)
        chosen = load_ranker(ranker, loading)
        return Verb(
            read_duel,
            lambda tasks: list(map(ComparedPair.of, chosen.rank_completely(tasks))),
            _as_json,
            _view,
            settings=(ranker,),
        )

    work(Given(file, instruction, candidate), Wanted(output, resume, force, quiet), Compared, load)


def _as_json(task: Task, comparison: ComparedPair) -> dict[str, Any]:
    winner = comparison.winner(task)
    return {
        "logit": comparison.logit,
        "probability": comparison.probability,
        "calibrated": comparison.calibrated,
        "better": comparison.better,
        "best": None if winner is None else best_of(winner),
        "passes": comparison.passes,
    }


def _view(title: str, task: Task, comparison: ComparedPair) -> Any:
    from blender_core.cli.views import comparison_view

    return comparison_view(
        title,
        task,
        comparison.better,
        comparison.logit,
        comparison.probability,
        calibrated=comparison.calibrated,
    )
