"""A checkpoint's folder for other libraries to read: nothing in it chooses code or names a hub.

Some libraries take a folder and read by themselves what lies in it: configs, code, adapters that
name a base model to download. They are given a copy that has only what we read, too.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from blender_core.models.files import read_json, weight_files

__all__ = ["VOCABULARIES", "clean_copy", "link"]

VOCABULARIES = (
    "tokenizer.json", "spm.model", "tokenizer.model", "spiece.model", "sentencepiece.bpe.model",
    "source.spm", "target.spm", "vocab.json", "vocab.txt", "merges.txt",
)  # fmt: skip
"""Files of which tokenizers are made."""

_TOKENIZER_KEYS = {
    "add_bos_token", "add_eos_token", "add_prefix_space", "additional_special_tokens", "bos_token",
    "cls_token", "do_lower_case", "eos_token", "extra_ids", "keep_accents", "legacy", "mask_token",
    "model_max_length", "pad_token", "sep_token", "source_lang", "split_by_punct",
    "strip_accents", "target_lang", "tokenize_chinese_chars", "tokenizer_class", "unk_token",
    "vocab_type",
}  # fmt: skip
"""Keys of a ``tokenizer_config.json`` by which text becomes other ids."""


@contextmanager
def clean_copy(folder: Path, config: Any, *, weights: bool = False) -> Iterator[Path]:
    """A folder with a checked config, the tokenizer's files and, if asked for, the weights.

    Args:
        folder: of the checkpoint.
        config: its config as `transformers_config` gives it; None where it has none.
        weights: whether to link them into the copy.
    """
    with TemporaryDirectory(prefix="blended-llm-") as name:
        copy = Path(name)
        if config is not None:
            (copy / "config.json").write_text(json.dumps(config.to_diff_dict()), encoding="utf-8")
        if (file := folder / "tokenizer_config.json").is_file():
            kept = {k: v for k, v in read_json(file).items() if k in _TOKENIZER_KEYS}
            (copy / file.name).write_text(json.dumps(kept), encoding="utf-8")
        for file in (folder / name for name in VOCABULARIES):
            if file.is_file():
                shutil.copyfile(file, copy / file.name)
        for file in weight_files(folder) if weights else ():
            link(file, copy / file.name)
            if (index := _index(file)).is_file() and not (copy / index.name).is_file():
                shutil.copyfile(index, copy / index.name)
        yield copy


def _index(shard: Path) -> Path:
    """The list of the shards, where a file of weights is one of several."""
    whole = "model.safetensors" if shard.suffix == ".safetensors" else "pytorch_model.bin"
    return shard.with_name(f"{whole}.index.json")


def link(file: Path, place: Path) -> None:
    """A link to a file, or a copy where there can be none."""
    try:
        place.symlink_to(file.resolve())
    except OSError:  # a file system, or a user on Windows, without links
        shutil.copyfile(file, place)
