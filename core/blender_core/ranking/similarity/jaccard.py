"""Jaccard index of token sets."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.ranking.similarity.overlap import numbered, overlaps
from blender_core.ranking.similarity.tokens import tokens

__all__ = ["jaccard"]


def jaccard(texts: Sequence[str]) -> NDArray[np.float64]:
    """Share of the tokens of two texts that both have.

    Args:
        texts: N texts, none blank.

    Returns:
        float64[N, N], 0 to 1.

    >>> jaccard(["a b", "b c d"]).tolist()
    [[1.0, 0.25], [0.25, 1.0]]
    """
    common = overlaps([np.unique(ids) for ids in numbered(map(tokens, texts))])
    sizes = np.diag(common)
    result: NDArray[np.float64] = common / (sizes[:, None] + sizes[None, :] - common)
    return result
