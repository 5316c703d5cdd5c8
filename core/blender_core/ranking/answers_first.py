"""AnswersFirst: answers before texts that answer nothing."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from blender_core.candidates import Task, checked
from blender_core.comparison.nonanswers import surely_nothing
from blender_core.outcomes import Ranking
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.ranker import Ranker

__all__ = ["AnswersFirst"]


class AnswersFirst(Ranker):
    """Puts answers before texts that answer nothing (`surely_nothing`), and knows nothing else.

    A part of a `JointRanker`, for where a refusal is never what is wanted: several query engines
    of which some find nothing.

    >>> AnswersFirst().rank("Which port?", ["I don't know.", "Port 8443.", "It is 443."]).ranks
    (3, 1, 1)
    """

    def rank_many(
        self,
        tasks: Iterable[Task],
        *,
        show_progress: bool = False,  # noqa: ARG002 - there is nothing to wait for
    ) -> list[Ranking]:
        """Score answers 1 and others 0; the matrix holds differences."""
        return [_ranking(checked(task)) for task in tasks]


def _ranking(task: Task) -> Ranking:
    scores = [0.0 if surely_nothing(each.text) else 1.0 for each in task.candidates]
    order, ranks = order_and_ranks(scores)
    column = np.array(scores, dtype=np.float32)
    matrix = column[:, None] - column[None, :]
    matrix.setflags(write=False)
    return Ranking(task.candidates, order, ranks, tuple(scores), matrix, passes=0)
