"""ROUGE (Lin 2004) by the package rouge-score."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.comparison.worth.signs.language import script_of
from blender_core.errors import MissingExtraError
from blender_core.evaluation.metrics.metric import TextPair
from blender_core.ranking.similarity.tokens import tokens

__all__ = ["Rouge"]


class Rouge:
    """F1 of one kind of ROUGE, 0 to 100, words stemmed as LLM-Blender does.

    rouge-score knows the letters a to z and digits only; words of other scripts, and characters
    of those that write without spaces, are added to what it finds.

    Args:
        kind: ``"rouge1"``, ``"rouge2"`` or ``"rougeL"``.

    Raises:
        MissingExtraError: rouge-score is not installed.
    """

    def __init__(self, kind: str) -> None:
        try:
            from rouge_score.rouge_scorer import RougeScorer
            from rouge_score.tokenizers import DefaultTokenizer
        except ImportError as error:
            raise MissingExtraError(f"the metric {kind!r}", "eval") from error
        self._kind = kind
        self._scorer = RougeScorer([kind], tokenizer=_Remembering(DefaultTokenizer(True)))

    def scores(self, pairs: Sequence[TextPair]) -> NDArray[np.float64]:
        """Score pairs one by one."""
        found = [
            100.0 * self._scorer.score(reference, candidate)[self._kind].fmeasure
            for candidate, reference in pairs
        ]
        return np.array(found, dtype=np.float64)


class _Remembering:
    """A tokenizer that stems a reference once, however many candidates it has."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self.tokenize = lru_cache(maxsize=64)(self._tokens)

    def _tokens(self, text: str) -> list[str]:
        if not any(char.isalpha() and script_of(char) != "latin" for char in text):
            known: list[str] = self._tokenizer.tokenize(text)
            return known
        return [
            part
            for word in tokens(text)
            for part in (self._tokenizer.tokenize(word) if word.isascii() else [word])
        ]
