"""Shared words, where the texts do not say what they come to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.ranking.similarity.jaccard import jaccard
from blender_core.ranking.similarity.result import stated_result
from blender_core.ranking.similarity.tokens import tokens

__all__ = ["words"]

_HALF = 8.0
"""Words of a text whose shared words count half."""


def words(texts: Sequence[str]) -> NDArray[np.float64]:
    """`jaccard`, less of short texts, and 0 throughout where most texts state a result.

    There the results say who agrees (`result`), and shared words mislead: ways to a wrong result
    resemble one another, too. So do short texts, which share how a sentence is made.

    Args:
        texts: N texts, none blank.

    Returns:
        float64[N, N], 0 to 1; what two texts share counts L / (L + 8), L being the words of the
        shorter one.

    >>> words(["a b c d e f g h", "a b c d i j k l"]).round(3).tolist()
    [[0.5, 0.167], [0.167, 0.5]]
    >>> words(["The answer is 4.", "The answer is 5."]).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    if 2 * sum(stated_result(text) is not None for text in texts) > len(texts):
        return np.zeros((len(texts), len(texts)))
    lengths = np.array([len(tokens(text)) for text in texts], dtype=np.float64)
    shorter = np.minimum(lengths[:, None], lengths[None, :])
    shared: NDArray[np.float64] = jaccard(texts) * shorter / (shorter + _HALF)
    return shared
