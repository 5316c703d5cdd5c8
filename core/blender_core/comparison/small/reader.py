"""Answers read by a small language model: figures, in their order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.causal.model import Asked, CausalModel
from blender_core.comparison.small.figures import FIGURES, figures

__all__ = ["SmallReader"]


class SmallReader:
    """Reads answers with a causal language model, each once behind its question and once alone.

    Args:
        model: which reads.
    """

    def __init__(self, model: CausalModel) -> None:
        self.model = model

    def read(self, items: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Figures of answers, float32[n, len(FIGURES)].

        Args:
            items: questions, each with an answer to it.

        Raises:
            InputError: something is not a text.
            ModelOutputError: the model's numbers are none.
        """
        read = np.zeros((len(items), len(FIGURES)), dtype=np.float32)
        bare: list[Asked] = [(None, answer) for answer in dict.fromkeys(a for _, a in items)]
        alone = {bare[place][1]: reading for place, reading in self.model.read(bare)}
        for place, reading in self.model.read(items):
            read[place] = figures(reading, alone[items[place][1]])
        return read
