"""The tokenizer of a folder, whatever files it comes in."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from blender_core.comparison.checkpoints.clean_copy import VOCABULARIES, clean_copy
from blender_core.comparison.checkpoints.configs import transformers_config
from blender_core.comparison.checkpoints.files import read_json
from blender_core.comparison.checkpoints.sentencepiece_model import tokenizer_from_sentencepiece
from blender_core.comparison.tokenizer import read_tokenizer
from blender_core.errors import CheckpointError, describe

__all__ = ["has_vocabulary", "vocabulary_in"]


def has_vocabulary(folder: Path) -> bool:
    """Whether a tokenizer can be made of files in the folder."""
    return any((folder / name).is_file() for name in VOCABULARIES)


def vocabulary_in(folder: Path) -> Tokenizer:
    """The folder's ``tokenizer.json`` as it is, or else a tokenizer made of what there is.

    Raises:
        CheckpointError: there is none, or none that gives a fast tokenizer.
        MissingExtraError: a package for files of this kind is not installed.
    """
    if (file := folder / "tokenizer.json").is_file():
        return read_tokenizer(file)
    if (file := folder / "spm.model").is_file():
        return tokenizer_from_sentencepiece(file)
    if not has_vocabulary(folder):
        raise CheckpointError(f"{folder}: no tokenizer; expected {' or '.join(VOCABULARIES)}")
    from transformers import AutoTokenizer

    config = transformers_config(read_json(folder / "config.json"), folder)
    try:
        with clean_copy(folder, config) as copy:
            made = AutoTokenizer.from_pretrained(copy, local_files_only=True)
            tokenizer: Tokenizer = made.backend_tokenizer
    except Exception as error:  # every kind of tokenizer fails in its own way
        raise CheckpointError(
            f"{folder}: no tokenizer.json, and none could be made from the other files "
            f"({' '.join(describe(error).split())}). For sentencepiece files: "
            "pip install 'blended-llm[sentencepiece]'"
        ) from error
    return tokenizer
