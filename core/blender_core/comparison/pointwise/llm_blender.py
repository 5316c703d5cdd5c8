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
from blender_core.comparison.pointwise.checkpoint import Checkpoint
from blender_core.models.building import encoder_config
from blender_core.models.files import read_json
from blender_core.models.vocabulary import has_vocabulary
from blender_core.validation import held_to

__all__ = ["base_config", "description", "tokenizer_home"]


def base_config(source: Checkpoint, weights: Mapping[str, torch.Tensor]) -> Any:
    """The base model's config, with as many token vectors as the checkpoint has."""
    base = source.base()
    return encoder_config(read_json(base / "config.json"), weights, "", base)


def tokenizer_home(source: Checkpoint) -> Path:
    """The checkpoint's folder if it has a tokenizer, else its base model's."""
    return source.folder if has_vocabulary(source.folder) else source.base()


def description(source: Checkpoint) -> Original:
    """What the ranker's own config says.

    Raises:
        CheckpointError: a key is missing or has an impossible value.
    """
    return held_to(Original, source.config, source.folder / "config.json")
