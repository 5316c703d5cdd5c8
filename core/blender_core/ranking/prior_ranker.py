"""PriorRanker: what a ranker says of the answers, and what is known of who wrote them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from os import PathLike

import numpy as np

from blender_core.belief.calibrator import Calibrator
from blender_core.belief.member_prior import MemberPrior
from blender_core.candidates import Task, checked_all
from blender_core.errors import InputError
from blender_core.outcomes import Ranking
from blender_core.ranking.aggregation import max_logits
from blender_core.ranking.joint_ranker import JointRanker
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.ranker import Duel, Ranker

__all__ = ["MemberRanker", "PriorRanker"]


class MemberRanker(Ranker):
    """Ranks answers by who wrote them alone, and reads none.

    The matrix holds differences of strengths, in logits. An answer without a source, or from
    somebody unknown, is of average strength. A text that several members wrote is as strong as
    the strongest of them. A duel ends in a draw: a new text has no author whose record could speak
    for it, and that of the incumbent's is not held against it.

    Args:
        prior: what is known of the members.
        names: by a candidate's source, the member that it is, where the two differ.

    >>> prior = MemberPrior.fit([("a", "b", 1.0), ("a", "b", 1.0)])
    >>> MemberRanker(prior).rank("Why?", {"b": "So.", "c": "Because.", "a": "Well."}).order
    (2, 1, 0)
    """

    def __init__(self, prior: MemberPrior, names: Mapping[str, str] | None = None) -> None:
        self.prior = prior
        self.names = dict(names or {})

    @property
    def waits(self) -> bool:
        """Never for a network."""
        return False

    def rank_many(
        self,
        tasks: Iterable[Task],
        *,
        show_progress: bool = False,  # noqa: ARG002 - there is nothing to wait for
    ) -> list[Ranking]:
        """Rank many tasks, each by the strengths in its kind of question.

        Raises:
            InputError: a task is none.
        """
        return [self._rank(task) for task in checked_all(tasks)]

    async def arank_many(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Like `rank_many`."""
        return self.rank_many(tasks)

    def duel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        """Draws, all of them."""
        return [(0.0, 0.0)] * len(duels)

    async def aduel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        """Draws, all of them."""
        return self.duel_many(duels)

    def _rank(self, task: Task) -> Ranking:
        strongest: dict[str, float] = {}
        for answer in task.candidates:
            name = self.names.get(answer.source or "", answer.source)
            strength = self.prior.strength(name, task.kind)
            strongest[answer.text] = max(strength, strongest.get(answer.text, strength))
        scores = [strongest[answer.text] for answer in task.candidates]
        order, ranks = order_and_ranks(scores)
        column = np.array(scores)
        matrix = (column[:, None] - column[None, :]).astype(np.float32)
        matrix.setflags(write=False)
        return Ranking(task.candidates, order, ranks, tuple(scores), matrix, passes=0)


class PriorRanker(JointRanker):
    """Adds to what a ranker says of the answers what is known of the members that wrote them.

    A logit of the matrix is ``prior.ranker_weight`` times the ranker's, plus ``prior.weight`` times
    the difference of the two members' strengths; of what `MemberRanker` says of sources and duels,
    the same holds here. Where the weights were fitted (`prior.beside`) these sums are logits of the
    labels, and probabilities are calibrated without more ado.

    Args:
        ranker: reads the answers; the one that the prior's weights were fitted for.
        prior: what is known of the members, or the path of its file.
        names: by a candidate's source, the member that it is, where the two differ.

    Raises:
        InputError: the ranker or the prior is none.
        CheckpointError: the file is not there, or broken.

    >>> from blender_core import ConsensusRanker
    >>> prior = MemberPrior.fit([("a", "b", 1.0), ("a", "b", 1.0)])
    >>> ranking = PriorRanker(ConsensusRanker(), prior).rank("1 + 1?", {"b": "2", "a": "It is 2"})
    >>> ranking.best.source, sorted(ranking.score_parts)
    ('a', ['members', 'text'])
    """

    def __init__(
        self,
        ranker: Ranker,
        prior: MemberPrior | str | PathLike[str],
        names: Mapping[str, str] | None = None,
    ) -> None:
        if not isinstance(ranker, Ranker):
            raise InputError(f"'ranker' must be a Ranker, got {type(ranker).__name__}")
        self.prior = MemberPrior.of(prior)
        members = MemberRanker(self.prior, names)
        super().__init__(
            [(ranker, self.prior.ranker_weight), (members, self.prior.weight)],
            calibrator=None if self.prior.beside is None else Calibrator(1.0),
        )

    def _sum(self, rankings: Sequence[Ranking]) -> Ranking:
        parts = {
            name: tuple((weight * max_logits(ranking.matrix)).tolist())
            for name, (_, weight), ranking in zip(
                ("text", "members"), self.parts, rankings, strict=True
            )
        }
        return replace(super()._sum(rankings), score_parts=parts)
