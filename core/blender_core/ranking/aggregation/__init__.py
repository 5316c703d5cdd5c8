"""From a comparison matrix, with or without holes, to one score a candidate.

An aggregation is any function from a float matrix [N, N] (logit of row shown first against
column shown second, NaN = not asked, diagonal ignored) to N scores, higher is better. A new one
is a new file here and a line in `AGGREGATIONS`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from blender_core.errors import InputError
from blender_core.ranking.aggregation.bradley_terry import bradley_terry
from blender_core.ranking.aggregation.copeland import copeland
from blender_core.ranking.aggregation.max_logits import max_logits
from blender_core.ranking.aggregation.max_wins import max_wins

__all__ = [
    "AGGREGATIONS",
    "Aggregation",
    "aggregation_named",
    "bradley_terry",
    "copeland",
    "max_logits",
    "max_wins",
]

Aggregation = Callable[[NDArray[np.float32]], NDArray[np.float64]]

AGGREGATIONS: dict[str, Aggregation] = {
    "max_logits": max_logits,
    "max_wins": max_wins,
    "bradley_terry": bradley_terry,
    "copeland": copeland,
}


def aggregation_named(aggregation: str | Aggregation) -> Aggregation:
    """The aggregation of that name; a function is returned as it is.

    Raises:
        InputError: no aggregation has that name.
    """
    if callable(aggregation):
        return aggregation
    try:
        return AGGREGATIONS[aggregation]
    except (KeyError, TypeError):
        raise InputError(
            f"unknown aggregation {aggregation!r}; known: {', '.join(AGGREGATIONS)}"
        ) from None
