"""BLEU (Papineni et al. 2002) and chrF (Popović 2015) of single texts, by sacrebleu."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.errors import MissingExtraError
from blender_core.evaluation.metrics.metric import TextPair
from blender_core.ranking.similarity.tokens import spaced

__all__ = ["Sacre"]


class Sacre:
    """One of sacrebleu's sentence scores, 0 to 100, with its default settings.

    BLEU is that of ``sacrebleu.sentence_bleu``: 13a tokens, exponential smoothing, n-gram orders
    that a short text has not are left out. Characters of scripts without spaces between words are
    tokens of their own.

    Args:
        kind: ``"bleu"`` or ``"chrf"``.

    Raises:
        MissingExtraError: sacrebleu is not installed.
    """

    def __init__(self, kind: str) -> None:
        try:
            from sacrebleu.metrics.bleu import BLEU
            from sacrebleu.metrics.chrf import CHRF
        except ImportError as error:
            raise MissingExtraError(f"the metric {kind!r}", "eval") from error
        self._scorer: Any = BLEU(effective_order=True) if kind == "bleu" else CHRF()

    def scores(self, pairs: Sequence[TextPair]) -> NDArray[np.float64]:
        """Score pairs one by one."""
        found = [
            self._scorer.sentence_score(spaced(candidate), [spaced(reference)]).score
            for candidate, reference in pairs
        ]
        return np.array(found, dtype=np.float64)
