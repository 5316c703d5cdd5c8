"""What a ranker's comparisons give away about it: order, length, transitivity, cost, honesty."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from blender_core.belief.calibrator import Calibrator
from blender_core.belief.goal import Floats
from blender_core.belief.reliability import Reliability, equal_parts
from blender_core.evaluation.labelled import labelled
from blender_core.evaluation.truth import Truth
from blender_core.outcomes import Ranking
from blender_core.ranking.matrix import margins

__all__ = ["Audit", "LengthBin", "audit"]


_BINS = 8
_TRIPLES = 20_000
"""Looked at in one record at most, drawn by chance."""


@dataclass(frozen=True, slots=True)
class LengthBin:
    """Pairs in which one answer is about so many times as long as the other.

    Attributes:
        ratio: mean length of the longer answer over that of the shorter one.
        prefers_longer: share of the pairs that the longer answer wins.
        position_bias: mean of (l(a,b) + l(b,a)) / 2 over mean |l|: > 0 where being shown first is
            an advantage.
        flips: share of the pairs whose winner depends on the order.
        count: pairs.
    """

    ratio: float
    prefers_longer: float
    position_bias: float
    flips: float
    count: int


@dataclass(frozen=True, slots=True)
class Audit:
    """The figures; None where there was nothing to measure it on.

    Attributes:
        records: how many were ranked.
        pairs: unordered pairs that were asked in both orders.
        flips: share of them whose winner depends on the order.
        position_bias: mean of (l(a,b) + l(b,a)) / 2 over mean |l|; > 0: being shown first helps.
        prefers_longer: share of pairs of different lengths that the longer answer wins.
        by_length: the same by ratio of lengths, ascending.
        cycles: share of triples in which A beats B, B beats C and C beats A; of comparisons by
            chance it is 1/4.
        passes: mean model passes a pair.
        seconds: mean time a pair.
        characters: mean length of the answers of a pair, together.
        accuracy: share of the labelled pairs that the ranker gets right.
        accuracy_longer: of those in which the longer answer is better.
        accuracy_shorter: of those in which the shorter answer is better.
        reliability: how its probabilities hold on them.
        calibrated: whether these probabilities were fitted to labels.
    """

    records: int
    pairs: int
    flips: float | None
    position_bias: float | None
    prefers_longer: float | None
    cycles: float | None
    passes: float | None
    seconds: float | None
    characters: float | None
    accuracy: float | None
    accuracy_longer: float | None
    accuracy_shorter: float | None
    reliability: Reliability | None
    calibrated: bool
    by_length: tuple[LengthBin, ...] = field(repr=False, default=())


def audit(rankings: Sequence[Ranking], truths: Sequence[Truth], seconds: float) -> Audit:
    """Measure.

    Args:
        rankings: complete ones.
        truths: of the same tasks, what is known of which answer is better.
        seconds: how long the ranking of all took.
    """
    texts = [_Texts.of(ranking) for ranking in rankings]
    pairs = _Pairs.of(texts)
    known = labelled(rankings, truths)
    calibrator = rankings[0].calibrator if rankings else None
    told = (calibrator or Calibrator(1.0)).probability(known.margins)
    right = np.where(known.margins == 0, 0.5, (known.margins > 0) == known.wins)
    longer_is_better = (known.longer > 0) == known.wins
    apart = known.longer != 0
    count = len(pairs.forth)
    return Audit(
        records=len(rankings),
        pairs=count,
        flips=_mean(pairs.flips),
        position_bias=_over(pairs.advantage, pairs.size),
        prefers_longer=_mean(pairs.longer_wins[pairs.ratio > 1.0]),
        cycles=_cycles(texts),
        passes=sum(ranking.passes for ranking in rankings) / count if count else None,
        seconds=seconds / count if count else None,
        characters=_mean(pairs.characters),
        accuracy=_mean(right),
        accuracy_longer=_mean(right[apart & longer_is_better]),
        accuracy_shorter=_mean(right[apart & ~longer_is_better]),
        reliability=Reliability.of(told, known.wins) if len(told) else None,
        calibrated=calibrator is not None,
        by_length=pairs.by_length(),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Texts:
    """The different texts of a task: float64[N, N], and their lengths, float64[N]."""

    matrix: Floats
    lengths: Floats

    @classmethod
    def of(cls, ranking: Ranking) -> _Texts:
        texts = [candidate.text for candidate in ranking.candidates]
        first = [place for place, text in enumerate(texts) if texts.index(text) == place]
        lengths = np.array([float(len(texts[place])) for place in first])
        return cls(ranking.matrix[np.ix_(first, first)].astype(np.float64), lengths)


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """All unordered pairs that were asked in both orders, float64[n] each."""

    forth: Floats
    back: Floats
    ratio: Floats
    first_is_longer: Floats
    characters: Floats

    @classmethod
    def of(cls, tasks: Sequence[_Texts]) -> _Pairs:
        columns: list[list[Floats]] = [[] for _ in range(5)]
        for task in tasks:
            i, j = np.triu_indices(len(task.lengths), 1)
            forth, back = task.matrix[i, j], task.matrix[j, i]
            first, second = task.lengths[i], task.lengths[j]
            parts = (
                forth,
                back,
                (np.maximum(first, second) + 1.0) / (np.minimum(first, second) + 1.0),
                (first > second).astype(np.float64),
                first + second,
            )
            asked = ~np.isnan(forth + back)
            for column, part in zip(columns, parts, strict=True):
                column.append(part[asked])
        return cls(*(np.concatenate(column) if column else np.empty(0) for column in columns))

    @property
    def flips(self) -> Floats:
        """1 where whoever is shown first wins both times, or loses both."""
        return (self.forth * self.back > 0).astype(float)

    @property
    def advantage(self) -> Floats:
        """What the answer shown first gains by it, in logits."""
        return (self.forth + self.back) / 2.0

    @property
    def size(self) -> Floats:
        """Mean |logit| of both orders."""
        return (np.abs(self.forth) + np.abs(self.back)) / 2.0

    @property
    def longer_wins(self) -> Floats:
        """1 where the longer answer has the better of both orders, 0.5 where neither has."""
        lead = np.sign(self.forth - self.back) * (2.0 * self.first_is_longer - 1.0)
        return (lead + 1.0) / 2.0

    def by_length(self) -> tuple[LengthBin, ...]:
        """Bins of about equal size by ratio of lengths, where these differ."""
        apart = np.flatnonzero(self.ratio > 1.0)
        parts = [apart[part] for part in equal_parts(self.ratio[apart], _BINS)]
        return tuple(
            LengthBin(
                ratio=float(self.ratio[part].mean()),
                prefers_longer=float(self.longer_wins[part].mean()),
                position_bias=_over(self.advantage[part], self.size[part]) or 0.0,
                flips=float(self.flips[part].mean()),
                count=len(part),
            )
            for part in parts
        )


def _cycles(tasks: Sequence[_Texts]) -> float | None:
    """The share of triples that go round in a circle, over all tasks."""
    rng = np.random.default_rng(0)
    found = seen = 0
    for task in tasks:
        margin = margins(task.matrix)
        triples = _triples(len(margin), rng)
        a, b, c = triples.T
        turns = np.sign(margin[a, b]) + np.sign(margin[b, c]) + np.sign(margin[c, a])
        found += int((np.abs(turns) == 3).sum())
        seen += int((~np.isnan(turns)).sum())
    return found / seen if seen else None


def _triples(count: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """intp[n, 3]: all triples, or where these are many some of them by chance."""
    if math.comb(count, 3) <= _TRIPLES:
        return np.array([*combinations(range(count), 3)], dtype=np.intp).reshape(-1, 3)
    drawn = np.sort(rng.integers(count, size=(_TRIPLES, 3)), axis=1)
    return drawn[(np.diff(drawn, axis=1) > 0).all(axis=1)]


def _mean(values: Floats) -> float | None:
    return float(values.mean()) if len(values) else None


def _over(above: Floats, below: Floats) -> float | None:
    """A ratio of sums."""
    total = float(below.sum())
    return float(above.sum()) / total if total else (0.0 if len(above) else None)
