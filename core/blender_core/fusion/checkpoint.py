"""From a folder to a sequence-to-sequence model and its tokenizer."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from blender_core.comparison.checkpoints.configs import transformers_config
from blender_core.comparison.checkpoints.descriptions import Generation
from blender_core.comparison.checkpoints.files import (
    check_report,
    dtype_option,
    read_json,
    read_weights,
)
from blender_core.comparison.tokenizer import TextTokenizer
from blender_core.errors import CheckpointError
from blender_core.fusion.prompt import REQUEST
from blender_core.validation import held_to, reason

if TYPE_CHECKING:
    import torch

__all__ = ["check_generation", "load_model", "load_tokenizer"]


def load_model(folder: Path, dtype: torch.dtype) -> Any:
    """A sequence-to-sequence model, on the CPU.

    Raises:
        CheckpointError: the folder holds none, a file is broken, or weights are missing, left
            over or of another shape.
    """
    from transformers import AutoModelForSeq2SeqLM

    config = transformers_config(read_json(folder / "config.json"), folder)
    check_generation(folder)
    try:
        model, report = AutoModelForSeq2SeqLM.from_pretrained(
            folder,
            config=config,
            local_files_only=True,
            trust_remote_code=False,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # reported below, in words
            **dtype_option(dtype),
        )
    except Exception as error:  # transformers, torch and safetensors raise all kinds for bad files
        read_weights(folder)  # names the file, if it is the weights
        raise CheckpointError(
            f"{folder}: not a readable sequence-to-sequence checkpoint: {reason(error)}"
        ) from error
    check_report(folder, report)
    return model


def check_generation(folder: Path) -> None:
    """Check how the folder wants texts to be generated, if it says so.

    Raises:
        CheckpointError: a key has an impossible value.
    """
    file = folder / "generation_config.json"
    if file.is_file():
        held_to(Generation, read_json(file), file)


def load_tokenizer(folder: Path) -> TextTokenizer:
    """The tokenizer, from ``tokenizer.json`` or else converted from what there is.

    Raises:
        CheckpointError: there is none, or it is broken.
    """
    if (file := folder / "tokenizer.json").is_file():
        return TextTokenizer.from_file(file)
    from transformers import AutoTokenizer

    advice = "For a spiece.model: pip install 'blended-llm[sentencepiece]'"
    try:
        converted = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        tokenizer = TextTokenizer(converted.backend_tokenizer)
    except Exception as error:  # as above, and for a missing converter of spiece.model
        raise CheckpointError(
            f"{folder}: no tokenizer.json, and none could be made from the other files "
            f"({reason(error)}). {advice}"
        ) from error
    # transformers 5 makes a tokenizer without vocabulary out of missing or broken files.
    added = tokenizer.full.get_added_tokens_decoder()
    if any(token_id in added for token_id in tokenizer.encode([REQUEST])[0]):
        raise CheckpointError(
            f"{folder}: no tokenizer.json, and the one made from the other files does not know "
            f"the words of the prompt. {advice}"
        )
    return tokenizer
