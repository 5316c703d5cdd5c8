"""How alike texts are: the measures that `ConsensusRanker` takes the consensus by.

A similarity is any function from N different texts, none of them blank, to a float matrix [N, N]
(how much the row's text agrees with the column's, any finite scale, higher is more alike). A new
one is a new file here and a line in `SIMILARITIES`. Of a text of more than 20,000 characters they
read the first and the last 10,000 (`ends`; ``"result"`` of any text the last 2,000).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.errors import InputError
from blender_core.ranking.similarity.bleu import bleu
from blender_core.ranking.similarity.chrf import chrf
from blender_core.ranking.similarity.embedding import EmbeddingSimilarity
from blender_core.ranking.similarity.jaccard import jaccard
from blender_core.ranking.similarity.result import result
from blender_core.ranking.similarity.rouge_l import rouge_l
from blender_core.ranking.similarity.words import words

__all__ = [
    "SIMILARITIES",
    "EmbeddingSimilarity",
    "Similarity",
    "bleu",
    "chrf",
    "jaccard",
    "result",
    "rouge_l",
    "similarity_named",
    "words",
]

Similarity = Callable[[Sequence[str]], NDArray[np.float64]]

SIMILARITIES: dict[str, Similarity] = {
    "jaccard": jaccard,
    "rouge_l": rouge_l,
    "bleu": bleu,
    "chrf": chrf,
    "result": result,
    "words": words,
}


def similarity_named(similarity: str | Similarity) -> Similarity:
    """The similarity of that name; a function is returned as it is.

    Raises:
        InputError: no similarity has that name.
    """
    if callable(similarity):
        return similarity
    try:
        return SIMILARITIES[similarity]
    except (KeyError, TypeError):
        raise InputError(
            f"unknown similarity {similarity!r}; known: {', '.join(SIMILARITIES)}"
        ) from None
