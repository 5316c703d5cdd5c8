"""How far a ranking agrees with a judge: what each record adds to each figure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_core.data.stats import LONGER
from blender_core.evaluation.figures import Bootstrap, Figure, Ratio
from blender_core.evaluation.ranks import kendall_tau
from blender_core.evaluation.truth import Truth
from blender_core.outcomes import Ranking
from blender_core.ranking.matrix import margins

__all__ = ["AGREEMENT", "SUMS", "Scored", "agreement", "contributions", "expected"]

AGREEMENT: Mapping[str, str] = {
    "accuracy": "pairs",
    "balanced_accuracy": "length-balanced",
    "kendall_tau": "Kendall τ",
    "judge_score": "judge's score of the pick",
    "flip_rate": "order flips",
    "position_bias": "position bias",
}
"""The figures, and their titles."""

SUMS = 14
"""How many numbers a record adds to: above and below the line, by turns."""


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """A ranking of one record, as far as it is needed here.

    Attributes:
        ranks: float64[N], 1 = best, ties share the best rank.
        matrix: float64[N, N], the logit of (row shown first, column shown second), NaN where the
            pair was not asked.
    """

    ranks: NDArray[np.float64]
    matrix: NDArray[np.float64]

    @classmethod
    def of(cls, ranking: Ranking) -> Scored:
        """From a ranking."""
        return cls(np.array(ranking.ranks, dtype=np.float64), ranking.matrix.astype(np.float64))

    @property
    def pick(self) -> NDArray[np.float64]:
        """How much of the pick each answer is, float64[N] with the sum 1.

        Answers that share the first place have equal parts in it: which of them comes first in
        the data must not matter, as models there are often sorted by strength.
        """
        first = (self.ranks == self.ranks.min()).astype(np.float64)
        shares: NDArray[np.float64] = first / first.sum()
        return shares


def contributions(texts: Sequence[str], truth: Truth, ranking: Scored) -> NDArray[np.float64]:
    """What one record adds to the sums of `agreement`, float64[14]: above and below, by turns.

    Pairs on which the judge sees a tie are left out. A pair on which the ranking is undecided
    counts half. Where the two were not compared directly, their ranks decide.
    """
    sums = np.zeros((SUMS // 2, 2))
    by_rank = ranking.ranks[None, :] - ranking.ranks[:, None]
    margin = margins(ranking.matrix)
    points = (np.sign(np.where(np.isnan(margin), by_rank, margin)) + 1.0) / 2.0
    lengths = np.array([len(text) for text in texts], dtype=np.float64)
    row, column = lengths[:, None], lengths[None, :]
    apart = np.maximum(row, column) > LONGER * np.minimum(row, column)
    won = truth.outcome > 0  # the row is better: every decided pair once
    if won.any():
        sums[0] = points[won].mean(), 1.0
    for place, chosen in ((1, won & apart & (row > column)), (2, won & apart & (row < column))):
        sums[place] = points[chosen].sum(), chosen.sum()
    tau = kendall_tau(-ranking.ranks, -truth.ranks) if truth.ranked else np.nan
    score = expected(ranking.pick, truth.scores)
    for place, value in ((3, tau), (4, score)):
        if not np.isnan(value):
            sums[place] = value, 1.0
    upper = np.triu_indices(len(texts), 1)
    forth, back = ranking.matrix[upper], ranking.matrix.T[upper]
    both = ~np.isnan(forth) & ~np.isnan(back)
    forth, back = forth[both], back[both]
    # Whoever is shown first wins both times, or loses both: the winner depends on the order.
    sums[5] = (forth * back > 0).sum(), len(forth)
    sums[6] = np.abs(forth + back).sum(), (np.abs(forth) + np.abs(back)).sum() / 2.0
    result: NDArray[np.float64] = sums.reshape(-1)
    return result


def expected(shares: NDArray[np.float64], values: NDArray[np.float64]) -> float:
    """The mean of N values by their shares; NaN where a value with a share is."""
    used = shares > 0
    return float(shares[used] @ values[used])


def agreement(sums: NDArray[np.float64], bootstrap: Bootstrap) -> dict[str, Figure]:
    """The figures.

    Args:
        sums: float64[records, 14], the contributions.
        bootstrap: for the intervals.

    Returns:
        ``accuracy``: mean over records of the share of decided pairs that the ranking gets right.
        ``balanced_accuracy``: mean of two shares, that over all pairs where the longer answer is
        better and that over those where the shorter one is, lengths (in characters) differing by
        more than 5 %; always taking the longer one gives 0.5.
        ``kendall_tau``: mean over records of tau-b with the judge's ranking.
        ``judge_score``: the judge's mean score of the answer ranked first.
        ``flip_rate``: share of the pairs asked in both orders whose winner depends on the order.
        ``position_bias``: mean |l(a,b) + l(b,a)| over mean |l|, 0 where the order is no matter.
    """
    ratios = [Ratio(sums[:, place], sums[:, place + 1]) for place in range(0, sums.shape[1], 2)]
    return {
        "accuracy": bootstrap.figure(ratios[0]),
        "balanced_accuracy": bootstrap.figure(ratios[1], ratios[2]),
        "kendall_tau": bootstrap.figure(ratios[3]),
        "judge_score": bootstrap.figure(ratios[4]),
        "flip_rate": bootstrap.figure(ratios[5]),
        "position_bias": bootstrap.figure(ratios[6]),
    }
