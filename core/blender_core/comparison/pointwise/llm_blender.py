"""What LLM-Blender's own pointwise checkpoints have in common.

Their ``config.json`` is the ranker's and names a base model for the encoder's config (and for the
tokenizer, where none is in the folder).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from blender_core.comparison.checkpoints.descriptions import Original
from blender_core.comparison.pointwise.checkpoint import Checkpoint, config_in, has_tokenizer
from blender_core.validation import held_to

__all__ = ["description", "encoder_config", "tokenizer_home"]

_EMBEDDINGS = ("word_embeddings.weight", "embed_tokens.weight", "shared.weight")


def encoder_config(source: Checkpoint, weights: Mapping[str, torch.Tensor]) -> Any:
    """The base model's config, with as many token vectors as the checkpoint has."""
    config = config_in(source.base())
    for name, tensor in weights.items():
        if name.endswith(_EMBEDDINGS):
            config.vocab_size = tensor.shape[0]
    return config


def tokenizer_home(source: Checkpoint) -> Path:
    """The checkpoint's folder if it has a tokenizer, else its base model's."""
    return source.folder if has_tokenizer(source.folder) else source.base()


def description(source: Checkpoint) -> Original:
    """What the ranker's own config says.

    Raises:
        CheckpointError: a key is missing or has an impossible value.
    """
    return held_to(Original, source.config, source.folder / "config.json")
