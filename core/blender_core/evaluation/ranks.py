"""Ranks of scores, and how far two rankings agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_core.ranking.matrix import order_and_ranks

__all__ = ["Correlation", "by_chance", "correlation", "kendall_tau", "ranks_of"]


def ranks_of(scores: Sequence[float] | NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks of N scores, 1 = the highest, ties share the best rank; all NaN if a score is NaN."""
    values = np.asarray(scores, dtype=np.float64)
    if np.isnan(values).any():
        return np.full(len(values), np.nan)
    return np.array(order_and_ranks(values.tolist())[1], dtype=np.float64)


def kendall_tau(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Kendall's tau-b (1945) of two sequences of N numbers; NaN where one of them is constant."""
    upper = np.triu_indices(len(a), 1)
    first = np.sign(a[:, None] - a[None, :])[upper]
    second = np.sign(b[:, None] - b[None, :])[upper]
    size = float(np.sqrt(np.abs(first).sum() * np.abs(second).sum()))
    return float((first * second).sum()) / size if size else float("nan")


@dataclass(frozen=True, slots=True)
class Correlation:
    """How far rankings agree with GPT-Rank, as table 3 of the LLM-Blender paper has it.

    Attributes:
        pearson: Pearson's correlation of the two ranks, -1 to 1.
        spearman: Spearman's, that is Pearson's of the ranks of these ranks.
        footrule: mean over records of the sum over answers of |rank - GPT-Rank|, 0 where all
            agree. It grows with the square of the number of answers.
        footrule_share: mean over records of that sum over floor(N² / 2), the largest one that two
            rankings without ties can have.
        pearson_in_record: mean over records of Pearson's correlation of the two ranks.
        records: how many there were.
    """

    pearson: float | None
    spearman: float | None
    footrule: float | None
    footrule_share: float | None
    pearson_in_record: float | None
    records: int


def correlation(
    models: Sequence[Sequence[str | None]],
    ranks: Sequence[NDArray[np.float64] | None],
    truth: Sequence[NDArray[np.float64]],
) -> Correlation:
    """Correlate rankings with those of a judge.

    Pearson's and Spearman's are LLM-Blender's: for each model, over the records, of the rank that
    its answer has; then the mean over the models (weighted by nothing, models of constant rank
    left out). This asks whether it is known *when* a model does well. `pearson_in_record` asks
    whether it is known which answer to *a* question is good.

    Args:
        models: a record's models, one an answer.
        ranks: a record's ranks, float64[N], or None where there are none.
        truth: a record's ranks by the judge. Records with a NaN in either are left out.
    """
    by_model: dict[str, list[tuple[float, float]]] = {}
    footrules, shares, within = [], [], []
    for names, found, wanted in zip(models, ranks, truth, strict=True):
        if found is None or len(wanted) < 2 or np.isnan(found).any() or np.isnan(wanted).any():
            continue
        distance = float(np.abs(found - wanted).sum())
        footrules.append(distance)
        shares.append(distance / (len(wanted) ** 2 // 2))
        within.append(_pearson(found, wanted))
        for name, one, other in zip(names, found.tolist(), wanted.tolist(), strict=True):
            if name is not None:
                by_model.setdefault(name, []).append((one, other))
    columns = [np.array(pairs).T for pairs in by_model.values()]
    return Correlation(
        pearson=_mean([_pearson(one, other) for one, other in columns]),
        spearman=_mean([_pearson(_mid_ranks(one), _mid_ranks(other)) for one, other in columns]),
        footrule=_mean(footrules),
        footrule_share=_mean(shares),
        pearson_in_record=_mean(within),
        records=len(footrules),
    )


def by_chance(truth: Sequence[NDArray[np.float64]]) -> Correlation:
    """What random rankings without ties have, on average over all of them."""
    footrules, shares = [], []
    for ranks in truth:
        count = len(ranks)
        if count < 2 or np.isnan(ranks).any():
            continue
        any_rank = np.arange(1, count + 1)
        footrules.append(float(np.abs(any_rank[:, None] - ranks[None, :]).sum()) / count)
        shares.append(footrules[-1] / (count**2 // 2))
    if not footrules:
        return Correlation(None, None, None, None, None, 0)
    mean, share = float(np.mean(footrules)), float(np.mean(shares))
    return Correlation(0.0, 0.0, mean, share, 0.0, len(footrules))


def _mean(values: Sequence[float]) -> float | None:
    known = [value for value in values if not np.isnan(value)]
    return float(np.mean(known)) if known else None


def _pearson(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Pearson's correlation, NaN where one of the two is constant."""
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / size if size else float("nan")


def _mid_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from the lowest on, ties share their mean rank."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    result: NDArray[np.float64] = (ends - (counts - 1) / 2.0)[place]
    return result
