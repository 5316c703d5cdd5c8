"""What a record knows about which of its answers is better, as evaluation needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from blender_core.data.comparisons import comparisons, gpt_ranks
from blender_core.data.records import Record
from blender_core.ranking.matrix import margins

__all__ = ["Truth", "TruthOptions", "truth_by", "truth_of"]

_OF_MODELS = "model_level"
"""Scores whose names begin so are about a model as a whole, not about the answer."""


@dataclass(frozen=True, slots=True)
class TruthOptions:
    """Who is believed.

    Attributes:
        scores: names of scores. Records that have one of them are judged by it, and by nothing
            else. The others are judged by verdicts on pairs, or else by their own first score,
            those about models as a whole (``model_level...``) last.
        gaps: by a score's name, the difference that must be exceeded for one answer to count as
            better than another; 0 where nothing is said.
    """

    scores: Sequence[str] = ()
    gaps: Mapping[str, float] = field(default_factory=dict)

    def wanted_of(self, record: Record) -> str | None:
        """The score that was asked for and that the record has."""
        return next((name for name in self.scores if name in record.scores), None)

    def score_of(self, record: Record) -> str | None:
        """The name of the score that is read, None where the record has none."""
        names = sorted(record.scores, key=lambda name: name.startswith(_OF_MODELS))
        return self.wanted_of(record) or (names[0] if names else None)


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """What is known of N answers.

    Attributes:
        outcome: float64[N, N]: 1 where the row is better, -1 where the column is, 0 for a tie and
            on the diagonal, NaN where nothing is known.
        same_bad: bool[N, N]: pairs that a judge called equally bad.
        ranks: float64[N]: GPT-Rank, 1 = best, ties share the best rank; NaN for an answer that
            was compared with no other.
        scores: float64[N]: the judge's, NaN where there is none.
    """

    outcome: NDArray[np.float64]
    same_bad: NDArray[np.bool_]
    ranks: NDArray[np.float64]
    scores: NDArray[np.float64]

    @property
    def ranked(self) -> bool:
        """Whether every answer has a rank."""
        return not np.isnan(self.ranks).any()


def truth_of(record: Record, judge: TruthOptions | None = None) -> Truth:
    """What a record knows.

    Pairs are taken from ``judgements`` and ``cmp_results`` where the record has any and no score
    was asked for, else from the judge's score. The judge's ranking is GPT-Rank where all pairs
    were compared. Otherwise it is that of the judge's score, or else of the comparisons there are.

    Args:
        record: the record.
        judge: who is believed.
    """
    judge = judge or TruthOptions()
    name = judge.score_of(record)
    count = len(record.candidates)
    scores = np.full(count, np.nan) if name is None else record.score(name)
    difference = scores[:, None] - scores[None, :]
    told = np.sign(record.preferences([]).astype(np.float64) - 0.5)
    same_bad = np.zeros((count, count), dtype=bool)
    by_pairs = judge.wanted_of(record) is None and bool(record.judgements or record.cmp_results)
    if by_pairs:
        outcome = told
        for one in comparisons(record.cmp_results or {}, record.models):
            if one.verdict == "Same bad" and outcome[one.a, one.b] == 0:
                same_bad[one.a, one.b] = same_bad[one.b, one.a] = True
    else:
        gap = judge.gaps.get(name or "", 0.0)
        outcome = np.where(np.abs(difference) > gap, np.sign(difference), 0.0 * difference)
        np.fill_diagonal(outcome, 0.0)
    ranked_by = outcome
    if (not by_pairs or np.isnan(told).any()) and not np.isnan(scores).any():
        ranked_by = np.sign(difference)
    return Truth(outcome, same_bad, gpt_ranks((ranked_by + 1.0) / 2.0), scores)


def truth_by(matrix: NDArray[np.float64]) -> Truth:
    """What a ranker says that plays the judge.

    Args:
        matrix: float64[N, N], its comparisons; the mean of both orders decides.
    """
    outcome = np.sign(margins(matrix))
    nothing = np.full(len(outcome), np.nan)
    ranks = gpt_ranks((outcome + 1.0) / 2.0)
    return Truth(outcome, np.zeros(outcome.shape, dtype=bool), ranks, nothing)
