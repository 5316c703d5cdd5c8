"""The layout of late comparators: config.json, model.safetensors, tokenizer.json."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from blender_core.comparison.checkpoints.descriptions import Late
from blender_core.comparison.checkpoints.layouts import LATE_FORMAT
from blender_core.comparison.late.model import LateModel
from blender_core.comparison.late.reading import ReadingEncoder, ReadingLimits
from blender_core.comparison.late.style import STYLE
from blender_core.errors import CheckpointError, InputError
from blender_core.models.building import bare_encoder, built
from blender_core.models.configs import check_layers, transformers_config
from blender_core.models.files import read_json, read_weights, told_by
from blender_core.models.tokenizer import TextTokenizer
from blender_core.validation import held_to

__all__ = ["check_positions", "read_late", "write_late"]


def write_late(
    folder: Path, model: LateModel, encoding: ReadingEncoder, dtype: torch.dtype = torch.float32
) -> None:
    """Write a checkpoint.

    Args:
        folder: is made if it is missing.
        model: whose weights are written.
        encoding: with tokenizer, markers and limits.
        dtype: of the weights in the file; half of the size, float16, changes logits by less than
            0.01.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "format": LATE_FORMAT,
        "encoder": model.encoder.config.to_dict(),
        "style": list(STYLE),
        "markers": asdict(encoding.markers),
        "source_max_length": encoding.limits.source,
        "candidate_max_length": encoding.limits.candidate,
        "drop_out": model.drop_out,
    }
    text = json.dumps(config, indent=2, default=str)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    (folder / "tokenizer.json").write_text(encoding.tokenizer.full.to_str(), encoding="utf-8")
    weights = {name: w.detach().cpu().to(dtype) for name, w in model.state_dict().items()}
    save_file(weights, str(folder / "model.safetensors"))


def read_late(
    folder: Path,
    *,
    source_max_length: int | None = None,
    candidate_max_length: int | None = None,
) -> tuple[LateModel, ReadingEncoder]:
    """The model, float32 on the CPU, and what makes its rows.

    Args:
        folder: of the checkpoint.
        source_max_length: overrides the checkpoint's.
        candidate_max_length: likewise.

    Raises:
        CheckpointError: a file is broken, or weights are missing or left over.
        InputError: the lengths are not usable.
    """
    file = folder / "config.json"
    told = held_to(Late, read_json(file), file)
    if told.style != list(STYLE):
        raise CheckpointError(
            f"{folder}: reads other figures of style than this version computes; it was made by "
            "another version of blended-llm"
        )
    names = (told.markers.source, told.markers.candidate)
    tokenizer = TextTokenizer.from_file(folder / "tokenizer.json", names)
    limits = ReadingLimits(
        told.limits.source if source_max_length is None else source_max_length,
        told.limits.candidate if candidate_max_length is None else candidate_max_length,
    )
    weights = read_weights(folder)
    shape = transformers_config(told.encoder, folder)
    with told_by(file, unless=source_max_length or candidate_max_length):
        check_positions(shape, limits)
        encoding = ReadingEncoder(tokenizer, limits, told.markers)
    check_layers(shape, weights, folder)
    model = built(lambda: LateModel(bare_encoder(shape, folder), told.drop_out), weights, folder)
    return model, encoding


def check_positions(config: Any, limits: ReadingLimits) -> None:
    """Refuse rows that are longer than the encoder can read.

    Raises:
        InputError: they are.
    """
    positions = getattr(config, "max_position_embeddings", None)
    if positions is not None and limits.row > positions:
        raise InputError(
            f"source_max_length {limits.source} + candidate_max_length {limits.candidate} = "
            f"{limits.row} tokens, but the encoder has {positions} positions"
        )
