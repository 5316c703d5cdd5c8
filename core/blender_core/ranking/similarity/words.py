"""Shared words, where the texts do not say what they come to."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.ranking.similarity.jaccard import jaccard
from blender_core.ranking.similarity.result import stated_result

__all__ = ["words"]


def words(texts: Sequence[str]) -> NDArray[np.float64]:
    """`jaccard`, but 0 throughout where more than half of the texts state a result.

    There the results say who agrees (`result`), and shared words mislead: ways to a wrong result
    resemble one another, too.

    Args:
        texts: N texts, none blank.

    Returns:
        float64[N, N], 0 to 1.

    >>> words(["a b", "b c d"]).tolist()
    [[1.0, 0.25], [0.25, 1.0]]
    >>> words(["The answer is 4.", "The answer is 5."]).tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    stated = sum(stated_result(text) is not None for text in texts)
    if 2 * stated > len(texts):
        return np.zeros((len(texts), len(texts)))
    return jaccard(texts)
