"""From a folder to a sequence-to-sequence model and its tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from blender_core.errors import CheckpointError
from blender_core.fusion.prompt import REQUEST
from blender_core.models.building import filled_model
from blender_core.models.configs import transformers_config
from blender_core.models.descriptions import Generation
from blender_core.models.files import read_json, read_weights
from blender_core.models.tokenizer import TextTokenizer
from blender_core.models.vocabulary import vocabulary_in
from blender_core.validation import held_to, reason

if TYPE_CHECKING:
    import torch

__all__ = ["generation_config", "load_model", "load_tokenizer"]


def load_model(folder: Path, dtype: torch.dtype) -> Any:
    """A sequence-to-sequence model, on the CPU.

    Raises:
        CheckpointError: the folder holds none, a file is broken, or weights are missing, left
            over or of another shape.
    """
    from blender_core.models.transformers_parts import (
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
    )

    config = transformers_config(read_json(folder / "config.json"), folder)
    model = filled_model(
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING, config, read_weights(folder), folder, dtype
    )
    if (file := folder / "generation_config.json").is_file():
        model.generation_config = generation_config(file)
    return model


def generation_config(file: Path) -> Any:
    """How the checkpoint wants texts to be written, for transformers; other keys are not read.

    Raises:
        CheckpointError: a key has an impossible value.
    """
    from blender_core.models.transformers_parts import GenerationConfig

    told = held_to(Generation, read_json(file), file)
    try:
        config = GenerationConfig(**told.model_dump(exclude_unset=True))
        config.validate(strict=True)
    except Exception as error:  # it checks its values in many ways
        raise CheckpointError(f"{file}: {reason(error)}") from error
    return config


def load_tokenizer(folder: Path) -> TextTokenizer:
    """The tokenizer, from ``tokenizer.json`` or else converted from what there is.

    Raises:
        CheckpointError: there is none, or it is broken.
    """
    tokenizer = TextTokenizer(vocabulary_in(folder))
    if (folder / "tokenizer.json").is_file():
        return tokenizer
    # transformers makes a tokenizer without vocabulary out of missing or broken files.
    added = tokenizer.full.get_added_tokens_decoder()
    if any(token_id in added for token_id in tokenizer.encode([REQUEST])[0]):
        raise CheckpointError(
            f"{folder}: no tokenizer.json, and the one made from the other files does not know "
            "the words of the prompt. For sentencepiece files: "
            "pip install 'blended-llm[sentencepiece]'"
        )
    return tokenizer
