"""The tokenizer of a folder, whatever files it comes in."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from blender_core.errors import CheckpointError
from blender_core.models.clean_copy import VOCABULARIES, clean_copy
from blender_core.models.configs import transformers_config
from blender_core.models.files import read_json, refuse_pointer
from blender_core.models.sentencepiece_model import tokenizer_from_sentencepiece
from blender_core.models.tokenizer import read_tokenizer, sound

__all__ = ["has_vocabulary", "vocabulary_file", "vocabulary_in"]


_WHOLE = {"tokenizer.json": read_tokenizer, "spm.model": tokenizer_from_sentencepiece}
"""Files that are a tokenizer each, the first one before the second."""


def has_vocabulary(folder: Path) -> bool:
    """Whether a tokenizer can be made of files in the folder."""
    return any((folder / name).is_file() for name in VOCABULARIES)


def vocabulary_file(folder: Path) -> Path:
    """What `vocabulary_in` reads, for messages: a file, or the folder where it takes several."""
    files = (folder / name for name in _WHOLE)
    return next((file for file in files if file.is_file()), folder)


def vocabulary_in(folder: Path) -> Tokenizer:
    """The folder's ``tokenizer.json`` as it is, or else a tokenizer made of what there is.

    Raises:
        CheckpointError: there is none, or none that gives a fast tokenizer.
        MissingExtraError: a package for files of this kind is not installed.
    """
    file = vocabulary_file(folder)
    for one in [file] if file != folder else [folder / name for name in VOCABULARIES]:
        refuse_pointer(one)
    if file != folder:
        return _WHOLE[file.name](file)
    if not has_vocabulary(folder):
        raise CheckpointError(f"{folder}: no tokenizer; expected {' or '.join(VOCABULARIES)}")
    from blender_core.models.transformers_parts import AutoTokenizer

    config = transformers_config(read_json(folder / "config.json"), folder)
    failed = (
        f"{folder}: no tokenizer.json, and none could be made from the other files (of which those "
        "of sentencepiece need: pip install 'blended-llm[sentencepiece]')"
    )
    with sound(failed), clean_copy(folder, config) as copy:
        made = AutoTokenizer.from_pretrained(copy, local_files_only=True)
        tokenizer: Tokenizer = made.backend_tokenizer
    return tokenizer
