"""JointRanker: what several rankers say, added up."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from blender_core.candidates import Task, checked_all
from blender_core.errors import InputError
from blender_core.outcomes import Ranking
from blender_core.progress import bars_drawn
from blender_core.ranking.aggregation import max_logits
from blender_core.ranking.consensus_ranker import ConsensusRanker
from blender_core.ranking.matrix import completed, order_and_ranks
from blender_core.ranking.pair_ranker import PairRanker
from blender_core.ranking.ranker import Duel, Ranker

if TYPE_CHECKING:
    from blender_core.belief.calibrator import Calibrator

__all__ = ["JointRanker"]

Logits = tuple[float, float]
"""Of a duel: challenger shown first, challenger shown second."""

_RESULT_WEIGHT = 9.9
_WORDS_WEIGHT = 4.3
"""How many logits full agreement is worth beside the shipped ranker; docs/pairranker-mini.md."""

_DOUBT = 0.5
"""Of what few agree on: of three answers, an agreement of two weighs 4/5 of what it would."""


class JointRanker(Ranker):
    """Ranks by the weighted sum of what other rankers say.

    The default joins the shipped `PairRanker`, which reads each answer with the question, with the
    consensus between the answers, of which a pair alone knows nothing: whether they come to the
    same result, or, where most state none, how many words they share. Texts that answer nothing
    have no part in it (`ConsensusRanker`).

    The matrix is the weighted sum of the rankers' matrices, and a score is the mean logit by
    which an answer beats the others (`max_logits`).

    Args:
        parts: rankers and their weights; None is the default above, with weights learnt from
            answers that the shipped ranker was not trained on.
        calibrator: what makes probabilities of the sums; None with the default parts takes the
            one that comes with them.

    Raises:
        InputError: there is no part, or a weight is no finite number.

    >>> ranker = JointRanker([(ConsensusRanker("result"), 2.0), (ConsensusRanker(), 1.0)])
    >>> ranker.rank("2 + 2?", ["Answer: 5", "The answer is 4.", "I say: answer is 4"]).order
    (1, 2, 0)
    """

    def __init__(
        self,
        parts: Sequence[tuple[Ranker, float]] | None = None,
        *,
        calibrator: Calibrator | None = None,
    ) -> None:
        if parts is None:
            parts = _with_consensus(PairRanker())
            calibrator = calibrator or _shipped_calibrator()
        self.calibrator = calibrator
        self.parts = [_part(part) for part in parts]
        if not self.parts:
            raise InputError("a JointRanker needs at least one ranker")

    @classmethod
    def with_consensus(cls, ranker: PairRanker) -> JointRanker:
        """The default, around a shipped `PairRanker` that was loaded already."""
        return cls(_with_consensus(ranker), calibrator=_shipped_calibrator())

    @property
    def waits(self) -> bool:
        """Whether one of its rankers waits for a network."""
        return any(ranker.waits for ranker, _ in self.parts)

    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:
        """Rank many tasks.

        Args:
            tasks: each may have its own number of candidates.
            show_progress: whether the rankers draw bars on stderr.

        Raises:
            InputError: a task is none.
            ModelOutputError: one of the rankers gave something that is no number.
        """
        asked = list(checked_all(tasks))
        with bars_drawn(show_progress):
            return self._joined([ranker.rank_many(asked) for ranker, _ in self.parts])

    async def arank_many(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Like `rank_many`, without blocking the event loop; the rankers work side by side."""
        asked = list(checked_all(tasks))
        return self._joined(
            await asyncio.gather(*(ranker.arank_many(asked) for ranker, _ in self.parts))
        )

    def rank_completely(self, tasks: Iterable[Task]) -> list[Ranking]:
        """The sum of the rankers' complete rankings."""
        asked = list(checked_all(tasks))
        return self._joined([ranker.rank_completely(asked) for ranker, _ in self.parts])

    async def arank_completely(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Like `rank_completely`, without blocking the event loop."""
        asked = list(checked_all(tasks))
        return self._joined(
            await asyncio.gather(*(ranker.arank_completely(asked) for ranker, _ in self.parts))
        )

    def duel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        """The weighted sums of the rankers' duels."""
        return self._summed([ranker.duel_many(duels) for ranker, _ in self.parts])

    async def aduel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        """Like `duel_many`, without blocking the event loop."""
        return self._summed(
            await asyncio.gather(*(ranker.aduel_many(duels) for ranker, _ in self.parts))
        )

    def _joined(self, by_ranker: Sequence[Sequence[Ranking]]) -> list[Ranking]:
        return [self._sum(rankings) for rankings in zip(*by_ranker, strict=True)]

    def _sum(self, rankings: Sequence[Ranking]) -> Ranking:
        total: NDArray[np.float64] = np.zeros(rankings[0].matrix.shape)
        for (_, weight), ranking in zip(self.parts, rankings, strict=True):
            total += weight * completed(ranking.matrix)
        scores = max_logits(total.astype(np.float32)).tolist()
        # What one of them did not ask was not measured, though its sum can be guessed.
        holes = np.isnan([ranking.matrix for ranking in rankings]).any(axis=0)
        matrix = np.where(holes, np.nan, total).astype(np.float32)
        matrix.setflags(write=False)
        left_out = frozenset[int]().union(*(ranking.left_out for ranking in rankings))
        behind = [-float(place in left_out) for place in range(len(matrix))]
        order, ranks = order_and_ranks(behind, scores)
        passes = sum(ranking.passes for ranking in rankings)
        # The first one that had a choice says what was looked for, and why it asked no more.
        chose = next((one for one in rankings if one.stopped_because != "done"), rankings[0])
        return Ranking(
            rankings[0].candidates,
            order,
            ranks,
            tuple(scores),
            matrix,
            passes,
            stopped_because=chose.stopped_because,
            goal=chose.goal,
            calibrator=self.calibrator,
            left_out=left_out,
        )

    def _summed(self, by_ranker: Sequence[Sequence[Logits]]) -> list[Logits]:
        weights = [weight for _, weight in self.parts]
        return [
            (
                math.fsum(w * first for w, (first, _) in zip(weights, duel, strict=True)),
                math.fsum(w * second for w, (_, second) in zip(weights, duel, strict=True)),
            )
            for duel in zip(*by_ranker, strict=True)
        ]


def _with_consensus(ranker: Ranker) -> list[tuple[Ranker, float]]:
    return [
        (ranker, 1.0),
        (ConsensusRanker("result", doubt=_DOUBT), _RESULT_WEIGHT),
        (ConsensusRanker("words", doubt=_DOUBT), _WORDS_WEIGHT),
    ]


def _shipped_calibrator() -> Calibrator | None:
    from blender_core.belief.calibrator import Calibrator
    from blender_core.comparison.loading import SHIPPED

    return Calibrator.load(SHIPPED.with_name("joint-ranker"))


def _part(part: object) -> tuple[Ranker, float]:
    match part:
        case (Ranker() as ranker, int() | float() as weight) if math.isfinite(weight):
            return ranker, float(weight)
    raise InputError(f"a part is a ranker and its weight, a finite number; got {part!r:.80}")
