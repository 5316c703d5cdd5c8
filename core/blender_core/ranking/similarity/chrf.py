"""chrF (Popović 2015): F-score of character n-grams; good for any script."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.ranking.similarity.ends import ends
from blender_core.ranking.similarity.overlap import longer, numbered, overlaps, symmetric

__all__ = ["chrf"]

_ORDER = 6
_BETA = 2.0


def chrf(texts: Sequence[str]) -> NDArray[np.float64]:
    """chrF2 of single texts (1- to 6-grams without white space), both directions' mean.

    Gives sacrebleu's numbers, for all pairs at once and without needing it.

    Args:
        texts: N texts, none blank.

    Returns:
        float64[N, N], 0 to 1.

    >>> chrf(["same", "same", "zzz"]).round(3).tolist()
    [[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    items = numbered("".join(ends(text).split()) for text in texts)
    precision = np.zeros((len(items), len(items)))
    orders = np.zeros_like(precision)
    grams = items
    for order in range(1, _ORDER + 1):
        if order > 1:
            grams = longer(grams, items, order)
        sizes = np.array([len(gram) for gram in grams], dtype=np.float64)
        # Only orders that both texts are long enough for count.
        orders += (sizes[:, None] > 0) & (sizes[None, :] > 0)
        precision += overlaps(grams) / np.maximum(sizes, 1.0)[:, None]
    precision /= orders
    recall = precision.T
    weight = _BETA**2
    denominator = weight * precision + recall
    score = (1.0 + weight) * precision * recall / np.where(denominator == 0.0, 1.0, denominator)
    return symmetric(score)
