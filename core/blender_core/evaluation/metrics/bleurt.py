"""BLEURT (Sellam et al. 2020) and other learnt metrics: a classifier with one output.

Google's own checkpoints are TensorFlow's. Ports of them to transformers as plain BERT, such as
``Elron/bleurt-base-128`` (what LLM-Blender's tables were computed with, by its name ``bleurt``),
work as they are; ports that need code from their repository, such as those of BLEURT-20, do not,
as code from a checkpoint is never run.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.evaluation.metrics.metric import TextPair
from blender_core.evaluation.metrics.settings import ModelSettings

__all__ = ["Bleurt"]

_TOKENS_OF_A_TEXT = 128


class Bleurt:
    """The single logit of a sequence classifier that reads the reference, then the candidate.

    Args:
        settings: ``model`` is a hub id or folder.

    Raises:
        CheckpointError: there is no such model, it is broken, or has not exactly one output.
    """

    def __init__(self, settings: ModelSettings) -> None:
        from blender_core.comparison.pointwise.loading import load_scorer

        self._scorer = load_scorer(
            settings.model,
            device=settings.device,
            local_files_only=settings.local_files_only,
            format="classification",
            max_batch_tokens=settings.batch_size * _TOKENS_OF_A_TEXT,
        )

    def scores(self, pairs: Sequence[TextPair]) -> NDArray[np.float64]:
        """Score pairs in batches."""
        return self._scorer.scores([(reference, text) for text, reference in pairs]).astype(
            np.float64
        )
