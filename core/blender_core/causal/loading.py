"""From the name of a causal language model to the model and its prompt."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import torch

from blender_core.causal.gguf import converted
from blender_core.causal.prompt import Limits, Prompt
from blender_core.causal.smollm2 import SMOLLM2, smollm2_file
from blender_core.errors import CheckpointError
from blender_core.models.building import filled_model
from blender_core.models.chat_template import chat_template
from blender_core.models.configs import CAUSAL_ARCHITECTURES, transformers_config
from blender_core.models.files import read_json, read_weights, resolve
from blender_core.models.vocabulary import vocabulary_in

__all__ = ["load"]

_BUFFER = ".rotary_emb.inv_freq"
"""Older programs saved it though it follows from the config."""

_NO_LIMIT = 1_000_000
"""Positions of a model whose config speaks of none."""


def load(
    model: str | PathLike[str], *, dtype: torch.dtype, limits: Limits, **access: Any
) -> tuple[Any, Prompt]:
    """Load a model, on the CPU; see `CausalModel.from_pretrained` for names and errors.

    Args:
        model: hub id, folder, GGUF file, or ``"smollm2"``.
        dtype: precision of the model.
        limits: of texts.
        access: how a hub is reached, as of `resolve`.

    Returns:
        transformers' model, in evaluation mode, and how texts become token ids.
    """
    folder = _folder(model, access)
    config = _config(folder)
    weights = {
        name: weight for name, weight in read_weights(folder).items() if not name.endswith(_BUFFER)
    }
    from blender_core.models.transformers_parts import MODEL_FOR_CAUSAL_LM_MAPPING

    network = filled_model(MODEL_FOR_CAUSAL_LM_MAPPING, config, weights, folder, dtype)
    tokenizer = vocabulary_in(folder)
    known = network.get_input_embeddings().weight.shape[0]
    if (largest := max(tokenizer.get_vocab().values(), default=0)) >= known:
        raise CheckpointError(
            f"{folder}: the tokenizer has ids up to {largest}, but the model knows {known} tokens"
        )
    ends = config.eos_token_id if isinstance(config.eos_token_id, list) else [config.eos_token_id]
    prompt = Prompt(
        tokenizer,
        chat_template(folder),
        end=ends[0] if ends else None,
        limits=limits,
        positions=getattr(config, "max_position_embeddings", None) or _NO_LIMIT,
        where=folder,
    )
    return network, prompt


def _folder(model: str | PathLike[str], access: dict[str, Any]) -> Path:
    """Where the model's files are."""
    if model == SMOLLM2:
        return converted(smollm2_file())
    file = Path(str(model)).expanduser()
    if file.suffix == ".gguf" and file.is_file():
        return converted(file)
    return resolve(model, **access)


def _config(folder: Path) -> Any:
    content = read_json(folder / "config.json")
    kind = content.get("model_type")
    if not isinstance(kind, str) or kind not in CAUSAL_ARCHITECTURES:
        raise CheckpointError(
            f"{folder / 'config.json'}: 'model_type' is {kind!r:.80}, none of the causal language "
            "models that are read (CAUSAL_ARCHITECTURES in blender_core.models.configs)"
        )
    return transformers_config(content, folder)
