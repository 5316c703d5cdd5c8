"""Answers read by a small language model: figures and states, in their order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.causal.model import Asked, CausalModel
from blender_core.causal.reading import Reading
from blender_core.comparison.small.figures import FIGURES, figures

__all__ = ["SmallReader"]


class SmallReader:
    """Reads answers with a causal language model, each once behind its question and once alone.

    Args:
        model: which reads.
        layers: whose vectors are kept, numbered as by `CausalModel.read`; None takes the middle
            one and the last one.

    Attributes:
        model: as given.
        layers: as given.
        width: numbers of an answer's states.
    """

    def __init__(self, model: CausalModel, layers: Sequence[int] | None = None) -> None:
        self.model = model
        self.layers = tuple(layers) if layers is not None else (model.layers // 2, model.layers)
        self.width = 2 * len(self.layers) * model.width

    def read(
        self, items: Sequence[tuple[str, str]]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Figures and states of answers.

        Args:
            items: questions, each with an answer to it.

        Returns:
            The figures, float32[n, len(FIGURES)], and the states, float32[n, width]: of each layer
            the mean over the answer's tokens, then the last one's.

        Raises:
            InputError: something is not a text.
            ModelOutputError: the model's numbers are none.
        """
        read = np.zeros((len(items), len(FIGURES)), dtype=np.float32)
        states = np.zeros((len(items), self.width), dtype=np.float32)
        bare: list[Asked] = [(None, answer) for answer in dict.fromkeys(a for _, a in items)]
        alone = {bare[place][1]: reading for place, reading in self.model.read(bare)}
        for place, reading in self.model.read(items, layers=self.layers):
            read[place] = figures(reading, alone[items[place][1]])
            states[place] = _pooled(reading)
        return read, states


def _pooled(reading: Reading) -> NDArray[np.float32]:
    """Mean and last vector of each layer; where there is no token, that of the one before."""
    own = reading.states[:, 1:] if len(reading.ids) else reading.states
    return np.stack([own.mean(1), own[:, -1]], axis=1).ravel()
