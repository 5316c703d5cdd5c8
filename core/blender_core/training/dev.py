"""Figures of a pairwise ranker on judged pairs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blender_core.data.files import read_records
from blender_core.data.records import Record
from blender_core.errors import InputError
from blender_core.training.config import RankerConfig
from blender_core.training.pairs import JudgedPair, judged_pairs, longer, preferences_of, quality

__all__ = ["DevPairs", "figures", "records_of"]


def records_of(files: Sequence[Path]) -> list[Record]:
    """The records of files, one after the other."""
    return list(chain.from_iterable(read_records(file) for file in files))


class DevPairs:
    """Pairs to measure on, and the quality of their records' answers.

    Raises:
        InputError: nothing is known of the records, or not what `config.best` needs.
    """

    def __init__(self, config: RankerConfig) -> None:
        records = records_of(config.dev)
        # The same pairs whatever is learnt from, so that figures of trainings compare.
        generator = torch.Generator().manual_seed(0)
        every = config.model_copy(
            update={
                "sampling": "every",
                "max_pairs_per_record": None,
                "loss": "soft",
                "label_weights": {},
            }
        )
        pairs = judged_pairs(records, every, generator)
        if config.max_dev_pairs is not None:
            order = torch.randperm(len(pairs), generator=generator)[: config.max_dev_pairs]
            pairs = [pairs[place] for place in order.tolist()]
        if config.dev and all(pair.preference == 0.5 for pair in pairs):
            raise InputError(
                f"{', '.join(map(str, config.dev))}: in none of the {len(records)} records is it "
                "known which of two answers is better"
            )
        self.pairs = pairs
        self.qualities = [quality(preferences_of(record, config)) for record in records]
        if pairs and config.best not in self.figures(*np.zeros((2, len(pairs)))):
            raise InputError(
                f"{', '.join(map(str, config.dev))}: cannot tell 'best: {config.best}', as all "
                "pairs whose lengths differ have the same side, longer or shorter, as winner"
            )

    def figures(
        self, logits: NDArray[np.floating[Any]], swapped: NDArray[np.floating[Any]]
    ) -> dict[str, float]:
        """See `figures`; without pairs there are none."""
        return figures(self.pairs, logits, swapped, self.qualities)


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
