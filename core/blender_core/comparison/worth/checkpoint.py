"""The layout of worth comparators: config.json, model.safetensors, tokenizer.json."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from blender_core.comparison.checkpoints.descriptions import Worth
from blender_core.comparison.checkpoints.layouts import WORTH_FORMAT
from blender_core.comparison.worth.inputs import FIGURES
from blender_core.comparison.worth.model import WorthModel
from blender_core.comparison.worth.reading import TextReader
from blender_core.errors import CheckpointError
from blender_core.models.building import bare_encoder, built
from blender_core.models.configs import check_layers, transformers_config
from blender_core.models.files import read_json, read_weights, told_by
from blender_core.models.tokenizer import TextTokenizer
from blender_core.validation import held_to

__all__ = ["read_worth", "write_worth"]


def write_worth(
    folder: Path, model: WorthModel, reader: TextReader, dtype: torch.dtype = torch.float32
) -> None:
    """Write a checkpoint.

    Args:
        folder: is made if it is missing.
        model: whose weights are written.
        reader: with the tokenizer.
        dtype: of the weights in the file.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    config = {
        "format": WORTH_FORMAT,
        "encoder": model.encoder.config.to_dict(),
        "figures": list(FIGURES),
        "part_length": reader.part,
        "width": model.head.width,
        "drop_out": model.head.drop_out,
    }
    text = json.dumps(config, indent=2, default=str)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    (folder / "tokenizer.json").write_text(reader.tokenizer.full.to_str(), encoding="utf-8")
    weights = {name: w.detach().cpu().to(dtype) for name, w in model.state_dict().items()}
    save_file(weights, str(folder / "model.safetensors"))


def read_worth(folder: Path) -> tuple[WorthModel, TextReader]:
    """The model, float32 on the CPU, and what reads texts with its encoder.

    Args:
        folder: of the checkpoint.

    Raises:
        CheckpointError: a file is broken, or weights are missing or left over.
    """
    file = folder / "config.json"
    told = held_to(Worth, read_json(file), file)
    if told.figures != list(FIGURES):
        raise CheckpointError(
            f"{folder}: reads other figures of answers than this version computes; it was made by "
            "another version of blended-llm"
        )
    weights = read_weights(folder)
    shape = transformers_config(told.encoder, folder)
    check_layers(shape, weights, folder)
    model = built(
        lambda: WorthModel(bare_encoder(shape, folder), told.width, told.drop_out), weights, folder
    )
    tokenizer = TextTokenizer.from_file(folder / "tokenizer.json")
    with told_by(file):
        reader = TextReader(model.encoder, tokenizer, told.part_length)
    return model, reader
