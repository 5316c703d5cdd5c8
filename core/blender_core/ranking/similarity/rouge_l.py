"""ROUGE-L (Lin 2004): the longest common subsequence of tokens."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.ranking.similarity.overlap import numbered
from blender_core.ranking.similarity.tokens import tokens

__all__ = ["rouge_l"]


def rouge_l(texts: Sequence[str]) -> NDArray[np.float64]:
    """ROUGE-L's F1: twice the longest common subsequence, over both lengths in tokens.

    Time grows with the product of two texts' lengths (of what `ends` leaves of them), divided by
    64.

    Args:
        texts: N texts, none blank.

    Returns:
        float64[N, N], 0 to 1.

    >>> rouge_l(["a b c", "a x c"])[0, 1].round(3).item()
    0.667
    """
    from rapidfuzz.distance import LCSseq
    from rapidfuzz.process import cdist

    sequences = [ids.tolist() for ids in numbered(map(tokens, texts))]
    lengths = np.array([len(sequence) for sequence in sequences], dtype=np.float64)
    common = np.diag(lengths)
    for row, sequence in enumerate(sequences[:-1]):
        others = sequences[row + 1 :]
        found = cdist([sequence], others, scorer=LCSseq.similarity, dtype=np.int64)[0]
        common[row, row + 1 :] = common[row + 1 :, row] = found
    result: NDArray[np.float64] = 2.0 * common / (lengths[:, None] + lengths[None, :])
    return result
