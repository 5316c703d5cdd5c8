"""What every format needs of a checkpoint: config, tokenizer, a transformers model, limits."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken
from torch import nn

from blender_core.errors import InputError
from blender_core.models.building import filled_model
from blender_core.models.chat_template import tokenizer_settings
from blender_core.models.configs import transformers_config
from blender_core.models.files import read_json
from blender_core.models.tokenizer import TextTokenizer
from blender_core.models.vocabulary import vocabulary_file, vocabulary_in

__all__ = [
    "Checkpoint",
    "config_in",
    "inner",
    "model_of",
    "row_limit",
    "tokenizer_in",
]

_BUFFERS = (".position_ids", ".rotary_emb.inv_freq")
"""Older programs saved these though they follow from the config."""

_NO_LIMIT = 1_000_000
_DEFAULT_ROW = 2048


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A folder's content, and how the caller wants it loaded.

    Attributes:
        folder: of the checkpoint.
        config: its config.json as it is.
        weights: all of its tensors.
        base: gives the folder of the model that the checkpoint names for config and tokenizer.
        device: where to compute.
        dtype: precision of the model.
        max_batch_tokens: tokens, padding included, of one forward pass.
        max_length: tokens of a row as asked for, or None.
    """

    folder: Path
    config: Mapping[str, Any]
    weights: Mapping[str, torch.Tensor]
    base: Callable[[], Path]
    device: torch.device
    dtype: torch.dtype
    max_batch_tokens: int
    max_length: int | None


def config_in(folder: Path) -> Any:
    """The transformers config of a folder.

    Raises:
        CheckpointError: transformers cannot read it or does not know the model.
    """
    return transformers_config(read_json(folder / "config.json"), folder)


def tokenizer_in(folder: Path, markers: tuple[str, ...] = ()) -> TextTokenizer:
    """The tokenizer of a folder; markers it lacks are added behind its last id.

    Raises:
        CheckpointError: there is none, or none that gives a fast tokenizer.
    """
    full = vocabulary_in(folder)
    missing = [name for name in markers if full.token_to_id(name) is None]
    full.add_tokens([AddedToken(name, normalized=True) for name in missing])
    return TextTokenizer(full, markers, vocabulary_file(folder))


def inner(weights: Mapping[str, torch.Tensor], prefix: str) -> dict[str, torch.Tensor]:
    """The tensors whose names start with the prefix, under the rest of their names."""
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in weights.items()
        if name.startswith(prefix)
    }


def model_of(
    kinds: Mapping[type, Any], config: Any, weights: Mapping[str, torch.Tensor], source: Checkpoint
) -> Any:
    """Build a transformers model and fill it with exactly these weights, ready to compute.

    Args:
        kinds: transformers' mapping from configs to models.
        config: of the model.
        weights: by the model's own names.
        source: the checkpoint, for device, precision and messages.

    Raises:
        CheckpointError: there is no such model, or weights are missing, left over or of another
            shape; some are named.
    """
    weights = {name: w for name, w in weights.items() if not name.endswith(_BUFFERS)}
    return filled_model(kinds, config, weights, source.folder, source.dtype).to(source.device)


def row_limit(source: Checkpoint, tokenizer_folder: Path, model: nn.Module) -> int:
    """Tokens a row may have: what was asked for, else what tokenizer and model are made for.

    Raises:
        InputError: more was asked for than the model has positions.
    """
    positions = min(
        (
            module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
            for name, module in model.named_modules()
            if name.endswith("position_embeddings") and isinstance(module, nn.Embedding)
        ),
        default=_NO_LIMIT,
    )
    if source.max_length is not None:
        if source.max_length > positions:
            raise InputError(
                f"max_length is {source.max_length}, but the model has {positions} positions"
            )
        return source.max_length
    known = (
        tokenizer_settings(tokenizer_folder).model_max_length,
        getattr(model.config, "max_position_embeddings", None),
        positions,
    )
    usable = [n for n in known if isinstance(n, (int, float)) and 0 < n < _NO_LIMIT]
    return int(min(usable, default=_DEFAULT_ROW))
