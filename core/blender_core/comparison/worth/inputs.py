"""From readings of a question and an answer to what the head is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blender_core.comparison.late.style import STYLE, style
from blender_core.comparison.worth.reading import TextReading
from blender_core.comparison.worth.signs import SIGNS, signs

__all__ = ["FIGURES", "VECTORS", "WorthInputs", "figures", "nearness"]

_NEARNESS = (
    "question near the opening",
    "question near the ending",
    "opening near the ending",
    "coherence of the opening",
    "coherence of the ending",
)

FIGURES: Sequence[str] = (*STYLE, *SIGNS, *_NEARNESS)
"""What the figures of an answer are called."""

VECTORS = 6
"""Vectors of the encoder's size that the head is given of an answer."""


@dataclass(frozen=True, slots=True, eq=False)
class WorthInputs:
    """Some answers, as the head is given them.

    Attributes:
        figures: float32[n, len(FIGURES)].
        vectors: float32[n, VECTORS * hidden].
        grams: three bags of rows each, as (rows, offsets): of the opening, the ending and of
            pairs of tokens.
    """

    figures: Tensor
    vectors: Tensor
    grams: tuple[tuple[Tensor, Tensor], ...]

    @classmethod
    def of(
        cls,
        figures: Sequence[NDArray[np.float32]],
        questions: Sequence[TextReading],
        answers: Sequence[TextReading],
    ) -> WorthInputs:
        """Put together what was computed and read of each answer; the three go side by side."""
        told, vectors = [], []
        for some, question, answer in zip(figures, questions, answers, strict=True):
            told.append(np.concatenate([some, nearness(question, answer)]))
            vectors.append(_vectors(question, answer))
        bags = tuple(_bag([answer.grams[kind] for answer in answers]) for kind in range(3))
        return cls(torch.from_numpy(np.stack(told)), torch.from_numpy(np.stack(vectors)), bags)

    def thinned(self, share: float) -> WorthInputs:
        """The same with this share of the grams, by torch's chance."""
        return WorthInputs(
            self.figures, self.vectors, tuple(_thinned(bag, share) for bag in self.grams)
        )


def figures(question: str, answer: str) -> NDArray[np.float32]:
    """Figures of style and signs, which need no encoder, float32[len(STYLE) + len(SIGNS)]."""
    return np.concatenate([style(question, answer), signs(question, answer)])


def nearness(question: TextReading, answer: TextReading) -> NDArray[np.float32]:
    """How near question and answer are as the encoder sees them, float32[5]."""
    asked = _middle(question)
    return np.array(
        [
            asked @ answer.opening,
            asked @ answer.ending,
            answer.opening @ answer.ending,
            *answer.coherence,
        ],
        dtype=np.float32,
    )


def _vectors(question: TextReading, answer: TextReading) -> NDArray[np.float32]:
    asked = _middle(question)
    parts = (
        asked,
        answer.opening,
        answer.ending,
        answer.last,
        asked * answer.opening,
        asked * answer.ending,
    )
    # Entries of a vector of length 1 are small: about 1 each is what layers are made for.
    scaled: NDArray[np.float32] = np.concatenate(parts) * np.float32(len(asked) ** 0.5)
    return scaled


def _middle(reading: TextReading) -> NDArray[np.float32]:
    total = reading.opening + reading.ending
    middle: NDArray[np.float32] = total / max(float(np.linalg.norm(total)), 1e-6)
    return middle


def _bag(rows: Sequence[NDArray[np.int64]]) -> tuple[Tensor, Tensor]:
    offsets = np.cumsum([0, *map(len, rows[:-1])])
    return torch.from_numpy(np.concatenate(rows)), torch.from_numpy(offsets.astype(np.int64))


def _thinned(bag: tuple[Tensor, Tensor], share: float) -> tuple[Tensor, Tensor]:
    rows, offsets = bag
    kept = torch.rand(len(rows)) < share
    before = torch.cat([torch.zeros(1, dtype=torch.int64), kept.cumsum(0)])
    return rows[kept], before[offsets]
