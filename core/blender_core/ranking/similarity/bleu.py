"""BLEU of single sentences (Papineni et al. 2002), as sacrebleu computes it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.errors import MissingExtraError
from blender_core.ranking.similarity.ends import ends
from blender_core.ranking.similarity.overlap import longer, numbered, overlaps, symmetric

__all__ = ["bleu"]

_ORDER = 4


def bleu(texts: Sequence[str]) -> NDArray[np.float64]:
    """Sentence BLEU (13a tokens, effective order, exponential smoothing), both directions' mean.

    Its tokens are separated by spaces: for scripts that have none, use ``"chrf"``.

    Args:
        texts: N texts, none blank.

    Returns:
        float64[N, N], 0 to 1.

    Raises:
        MissingExtraError: sacrebleu is not installed.
    """
    try:
        from sacrebleu.metrics.bleu import BLEU
        from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
    except ImportError as error:
        raise MissingExtraError("the similarity 'bleu'", "eval") from error
    tokenizer = Tokenizer13a()
    items = numbered(tokenizer(ends(text).rstrip()).split() for text in texts)
    grams, matches = items, [overlaps(items)]
    for order in range(2, _ORDER + 1):
        grams = longer(grams, items, order)
        matches.append(overlaps(grams))
    correct = np.stack(matches, axis=-1)
    directed = np.array(
        [
            [
                BLEU.compute_bleu(
                    correct=correct[row, column].tolist(),
                    total=[max(0, len(hypothesis) - n) for n in range(_ORDER)],
                    sys_len=len(hypothesis),
                    ref_len=len(reference),
                    smooth_method="exp",
                    effective_order=True,
                ).score
                for column, reference in enumerate(items)
            ]
            for row, hypothesis in enumerate(items)
        ]
    )
    # An exact match comes out a rounding error above 100.
    return np.minimum(symmetric(directed) / 100.0, 1.0)
