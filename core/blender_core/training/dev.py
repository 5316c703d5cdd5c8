"""Figures of a pairwise ranker on judged pairs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.training.pairs import JudgedPair, longer

__all__ = ["figures"]


def figures(
    pairs: Sequence[JudgedPair],
    logits: NDArray[np.floating[Any]],
    swapped: NDArray[np.floating[Any]],
    qualities: Sequence[NDArray[np.float64]],
) -> dict[str, float]:
    """How well logits agree with judgements.

    Args:
        pairs: with preferences; pairs that tie count for `loss` alone.
        logits: float[len(pairs)], of the pairs as they stand.
        swapped: float[len(pairs)], of the pairs with the second answer shown first.
        qualities: by record, how good each answer is, NaN where it is not known.

    Returns:
        `accuracy`: share of the pairs whose better answer has the better mean of both orders;
        an undecided pair counts half. `balanced_accuracy`: mean of that over the pairs where the
        longer and where the shorter answer is better (lengths more than 5 % apart); always taking
        the longer one has 0.5. `pick`: mean quality of each record's best answer by the mean
        logit over its pairs. `loss`: cross-entropy of that logit with the preference. `flips`:
        share of the pairs whose winner depends on the order. `position_bias`: mean
        |l(a, b) + l(b, a)| by mean |l|. What cannot be told is left out.
    """
    logit = (logits - swapped).astype(np.float64) / 2.0
    preference = np.array([pair.preference for pair in pairs])
    result: dict[str, float] = {}
    decided = preference != 0.5
    right = 0.5 + 0.5 * np.sign(logit) * np.sign(preference - 0.5)
    if decided.any():
        result["accuracy"] = float(right[decided].mean())
        length = np.array([longer(pair.pair) for pair in pairs]) * np.sign(preference - 0.5)
        sides = [right[length == side].mean() for side in (1, -1) if (length == side).any()]
        if len(sides) == 2:
            result["balanced_accuracy"] = float(np.mean(sides))
    if picks := list(_picks(pairs, logit, qualities)):
        result["pick"] = float(np.mean(picks))
    result["loss"] = float((np.logaddexp(0.0, logit) - preference * logit).mean())
    result["flips"] = float((logits * swapped > 0.0).mean())
    size = (np.abs(logits).mean() + np.abs(swapped).mean()) / 2.0
    result["position_bias"] = float(np.abs(logits + swapped).mean() / size) if size > 0 else 0.0
    return result


def _picks(
    pairs: Sequence[JudgedPair],
    logit: NDArray[np.float64],
    qualities: Sequence[NDArray[np.float64]],
) -> list[float]:
    """Quality of the best answer of each record by the logits of its pairs."""
    points: dict[int, dict[int, list[float]]] = {}
    for pair, value in zip(pairs, logit.tolist(), strict=True):
        of_record = points.setdefault(pair.record, {})
        for index, sign in zip(pair.indices, (1.0, -1.0), strict=True):
            of_record.setdefault(index, []).append(sign * value)
    return [
        float(qualities[record][max(scores, key=lambda k: float(np.mean(scores[k])))])
        for record, scores in points.items()
    ]
