"""A ranker goes through the battery."""

from __future__ import annotations

from blender_core.errors import ModelOutputError
from blender_core.evaluation.sense.result import Outcome, Sense
from blender_core.evaluation.sense.trials import Trial, battery
from blender_core.outcomes import Ranking
from blender_core.ranking.ranker import Ranker

__all__ = ["run_sense"]


def run_sense(ranker: Ranker, *, show_progress: bool = False) -> Sense:
    """Rank all tasks of the battery, in one call, and see whether good answers come first.

    Args:
        ranker: any, also your own.
        show_progress: whether the ranker draws a bar on stderr.

    Raises:
        ModelOutputError: it gave another number of rankings than there were tasks.

    >>> from blender_core import ConsensusRanker
    >>> sense = run_sense(ConsensusRanker())
    >>> sense.share(kind="refusal", setting="alone").value  # two answers have no consensus
    0.5
    """
    trials = battery()
    rankings = ranker.rank_many([trial.task for trial in trials], show_progress=show_progress)
    if len(rankings) != len(trials):
        raise ModelOutputError(
            f"the ranker gave {len(rankings)} rankings of {len(trials)} tasks; one each is needed"
        )
    return Sense(tuple(map(_outcome, trials, rankings)))


def _outcome(trial: Trial, ranking: Ranking) -> Outcome:
    """Ties are seen by the ranks: the order always has a first one."""
    good = min(ranking.ranks[place] for place in trial.good)
    bad = min(rank for place, rank in enumerate(ranking.ranks) if place not in trial.good)
    return Outcome(trial, (good < bad) + 0.5 * (good == bad), ranking.order[0])
