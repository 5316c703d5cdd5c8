"""Rules of thumb as rankers: what a model has to beat."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import numpy as np

from blender_core.candidates import Task
from blender_core.outcomes import Ranking
from blender_core.ranking.consensus_ranker import ConsensusRanker
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.similarity.tokens import tokens

__all__ = ["BASELINES", "RuleRanker", "question_overlap"]


_LONGER_THAN_ANY = 2.0**40


class RuleRanker(Ranker):
    """Ranks by a number that a rule gives an answer.

    Args:
        rule: from question and answer to the number, higher is better.
    """

    def __init__(self, rule: Callable[[str, str], float]) -> None:
        self._rule = rule

    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:
        """Rank many tasks; the matrix holds differences."""
        del show_progress
        return [self._rank(task) for task in tasks]

    def _rank(self, task: Task) -> Ranking:
        scores = [self._rule(task.source, answer.text) for answer in task.candidates]
        order, ranks = order_and_ranks(scores)
        column = np.array(scores)
        matrix = (column[:, None] - column[None, :]).astype(np.float32)
        return Ranking(task.candidates, order, ranks, tuple(scores), matrix, passes=0)


def question_overlap(question: str, answer: str) -> float:
    """Share of the question's different words that the answer has too, 0 to 1.

    >>> question_overlap("Why is the sky blue?", "The sky scatters blue light.")
    0.6
    """
    asked = set(tokens(question))
    return len(asked & set(tokens(answer))) / len(asked) if asked else 0.0


def _longest(_question: str, answer: str) -> float:
    return float(len(answer))


def _shortest(_question: str, answer: str) -> float:
    # An answer of nothing is not a short answer.
    return -float(len(answer)) if answer.strip() else -_LONGER_THAN_ANY


BASELINES: Mapping[str, Callable[[], Ranker]] = {
    "longest": partial(RuleRanker, _longest),
    "shortest": partial(RuleRanker, _shortest),
    "question overlap": partial(RuleRanker, question_overlap),
    "consensus:jaccard": partial(ConsensusRanker, "jaccard"),
    "consensus:rouge_l": partial(ConsensusRanker, "rouge_l"),
}
"""The rules by their names in a table."""
