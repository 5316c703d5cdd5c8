"""From a folder to a sequence-to-sequence model and its tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from blender_core.comparison.checkpoints.building import filled_model
from blender_core.comparison.checkpoints.configs import transformers_config
from blender_core.comparison.checkpoints.descriptions import Generation
from blender_core.comparison.checkpoints.files import read_json, read_weights
from blender_core.comparison.checkpoints.vocabulary import vocabulary_in
from blender_core.comparison.tokenizer import TextTokenizer
from blender_core.errors import CheckpointError
from blender_core.fusion.prompt import REQUEST
from blender_core.validation import held_to, reason

if TYPE_CHECKING:
    import torch

__all__ = ["check_generation", "load_model", "load_tokenizer"]

_DECODING = {
    "bos_token_id", "decoder_start_token_id", "early_stopping", "encoder_no_repeat_ngram_size",
    "eos_token_id", "forced_bos_token_id", "forced_eos_token_id", "length_penalty", "max_length",
    "min_length", "no_repeat_ngram_size", "num_beams", "pad_token_id", "repetition_penalty",
}  # fmt: skip
"""Keys of a ``generation_config.json`` that are read: what tokens mean, and how beams are rated."""


def load_model(folder: Path, dtype: torch.dtype) -> Any:
    """A sequence-to-sequence model, on the CPU.

    Raises:
        CheckpointError: the folder holds none, a file is broken, or weights are missing, left
            over or of another shape.
    """
    from transformers import MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING

    config = transformers_config(read_json(folder / "config.json"), folder)
    model = filled_model(
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING, config, read_weights(folder), folder, dtype
    )
    check_generation(folder)
    if (file := folder / "generation_config.json").is_file():
        model.generation_config = _generation_config(file)
    return model


def check_generation(folder: Path) -> None:
    """Check how the folder wants texts to be generated, if it says so.

    Raises:
        CheckpointError: a key has an impossible value.
    """
    file = folder / "generation_config.json"
    if file.is_file():
        held_to(Generation, read_json(file), file)


def _generation_config(file: Path) -> Any:
    from transformers import GenerationConfig

    kept = {name: value for name, value in read_json(file).items() if name in _DECODING}
    try:
        config = GenerationConfig(**kept)
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
