"""What a metric is: a number for an answer, by a reference answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Metric", "TextPair"]

TextPair = tuple[str, str]
"""A candidate and its reference."""


class Metric(Protocol):
    """Scores candidates by references; higher is better."""

    def scores(self, pairs: Sequence[TextPair]) -> NDArray[np.float64]:
        """Score (candidate, reference) pairs, neither reference blank: float64[n].

        A result does not depend on the other pairs. NaN means that the metric has no opinion.
        """
