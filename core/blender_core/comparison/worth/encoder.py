"""The encoder of a worth comparator by itself: it is one of sentences, as it comes."""

from __future__ import annotations

from typing import Any

from blender_core.comparison.loading import SHIPPED
from blender_core.comparison.sentence_encoder import SentenceEncoder
from blender_core.comparison.worth.checkpoint import read_worth

__all__ = ["shipped_sentence_encoder"]


def shipped_sentence_encoder(**options: Any) -> SentenceEncoder:
    """all-MiniLM-L6-v2, out of the shipped ranker: 256 tokens, vectors of 384 numbers.

    Args:
        **options: `device`, `dtype` and `max_batch_tokens` of a `SentenceEncoder`.

    Raises:
        CheckpointError: a file of the package is broken.
    """
    model, reader = read_worth(SHIPPED)
    return SentenceEncoder(model.encoder, reader.tokenizer, **options)
