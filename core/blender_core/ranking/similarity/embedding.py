"""Similarity by sentence embeddings of the caller's choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blender_core.errors import InputError, ModelOutputError, message_of

__all__ = ["EmbeddingSimilarity"]


class EmbeddingSimilarity:
    """Cosine of sentence embeddings.

    Args:
        embed: from a list of N texts to their vectors, float[N, D]; for example the ``encode``
            of a sentence-transformers model.

    Raises:
        InputError: `embed` is no function.

    >>> similarity = EmbeddingSimilarity(lambda texts: [[len(text), 0.0] for text in texts])
    >>> similarity(["a", "bb"]).tolist()
    [[1.0, 1.0], [1.0, 1.0]]
    """

    def __init__(self, embed: Callable[[Sequence[str]], ArrayLike]) -> None:
        if not callable(embed):
            raise InputError(
                f"'embed' must be a function from texts to vectors, got {type(embed).__name__}"
            )
        self._embed = embed

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Cosines of N texts, float64[N, N]; a vector of zeros is like nothing, cosine 0.

        Raises:
            ModelOutputError: the vectors have the wrong shape or hold NaN or infinity.
        """
        try:
            vectors = np.asarray(self._embed(list(texts)), dtype=np.float64)
        except ValueError as error:
            raise ModelOutputError(
                f"the embeddings are no table of numbers: {message_of(error)}"
            ) from error
        if vectors.ndim != 2 or len(vectors) != len(texts):
            raise ModelOutputError(
                f"{len(texts)} texts were embedded as shape {vectors.shape}, "
                f"expected ({len(texts)}, dimensions)"
            )
        if not np.isfinite(vectors).all():
            bad = int((~np.isfinite(vectors).all(axis=1)).sum())
            raise ModelOutputError(f"{bad} of {len(texts)} embeddings hold NaN or infinity")
        # Scaled first, so that the norm can neither overflow nor vanish.
        largest = np.abs(vectors).max(axis=1, initial=0.0)[:, None]
        vectors = vectors / np.where(largest == 0.0, 1.0, largest)
        norms = np.linalg.norm(vectors, axis=1)[:, None]
        vectors = vectors / np.where(norms == 0.0, 1.0, norms)
        cosines: NDArray[np.float64] = np.clip(vectors @ vectors.T, -1.0, 1.0)
        return cosines
