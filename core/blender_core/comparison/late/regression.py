"""Logistic regression on pairs: which differences between two answers make one the better."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from blender_core.belief.goal import Floats
from blender_core.candidates import Pair
from blender_core.comparison.late.style import STYLE_CLIP, style

__all__ = ["StyleWeights", "logistic_regression", "style_regression"]

_ITERATIONS = 200
_DECAY = 3e-3
_PAIRS_OF_A_RECORD = 24
"""The 66 pairs of twelve answers are not 66 independent ones."""


def logistic_regression(
    differences: Floats, preferences: Floats, weights: Floats, decay: float
) -> Floats:
    """Coefficients such that ``sigmoid(differences @ coefficients)`` fits the preferences.

    There is no intercept: two answers that differ in nothing are equally good, and swapping them
    flips the sign.

    Args:
        differences: float64[pairs, figures], first answer minus second.
        preferences: float64[pairs], how sure it is that the first is better, 0 to 1.
        weights: float64[pairs], how much each pair counts.
        decay: of the coefficients' squares, beside the mean loss.

    Returns:
        float64[figures].
    """
    share = weights / weights.sum()

    def loss(found: Floats) -> tuple[float, Floats]:
        logits = differences @ found
        cost = share @ (np.logaddexp(0.0, logits) - preferences * logits) + decay * found @ found
        slope = differences.T @ (share * (expit(logits) - preferences)) + 2.0 * decay * found
        return float(cost), slope

    start = np.zeros(differences.shape[1])
    result = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _ITERATIONS})
    return np.asarray(result.x, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class StyleWeights:
    """What each figure of `STYLE` is worth.

    Attributes:
        mean: float64[len(STYLE)], of the answers learnt from.
        scale: float64[len(STYLE)], their standard deviations.
        weights: float64[len(STYLE)], logits a standard deviation.
    """

    mean: Floats
    scale: Floats
    weights: Floats

    def standard(self, figures: NDArray[np.float32]) -> Floats:
        """Figures in standard deviations, cut at `STYLE_CLIP`."""
        result: Floats = np.clip((figures - self.mean) / self.scale, -STYLE_CLIP, STYLE_CLIP)
        return result

    def worth(self, question: str, answers: Sequence[str]) -> Floats:
        """How good answers are by their style, float64[len(answers)]."""
        figures = np.stack([style(question, answer) for answer in answers])
        result: Floats = self.standard(figures) @ self.weights
        return result


def style_regression(
    pairs: Sequence[Pair],
    preferences: Sequence[float],
    weights: Sequence[float],
    records: Sequence[int],
) -> StyleWeights:
    """How style goes with preference.

    Args:
        pairs: of answers, at least one.
        preferences: of each pair, how sure it is that the first is better, 0 to 1.
        weights: how much each pair counts.
        records: which record each is from: of one record some pairs are taken, which count less
            the more they are.
    """
    number = Counter(records)
    step = {record: -(-count // _PAIRS_OF_A_RECORD) for record, count in number.items()}
    seen: Counter[int] = Counter()
    chosen = []
    for place, record in enumerate(records):
        if seen[record] % step[record] == 0:
            chosen.append(place)
        seen[record] += 1
    taken = Counter(records[place] for place in chosen)
    share = [weights[place] / taken[records[place]] ** 0.5 for place in chosen]

    figures: dict[tuple[str, str], NDArray[np.float32]] = {}
    for place in chosen:
        for answer in (pairs[place].first, pairs[place].second):
            if (item := (pairs[place].instruction, answer)) not in figures:
                figures[item] = style(*item)
    every = np.stack(list(figures.values())).astype(np.float64)
    deviation = every.std(axis=0)
    # A figure in which no answers differ teaches nothing, and must not run wild on others.
    scale = np.where(deviation > 1e-6, deviation, 1.0)
    found = StyleWeights(every.mean(axis=0), scale, np.zeros(every.shape[1]))
    first, second = (
        found.standard(
            np.stack([figures[pairs[k].instruction, getattr(pairs[k], side)] for k in chosen])
        )
        for side in ("first", "second")
    )
    coefficients = logistic_regression(
        first - second, np.array([preferences[k] for k in chosen]), np.array(share), _DECAY
    )
    return StyleWeights(found.mean, found.scale, coefficients)
