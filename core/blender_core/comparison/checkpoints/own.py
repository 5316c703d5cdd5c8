"""Writing a checkpoint in our own layout; `layouts` reads it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import torch
from safetensors.torch import save_model

from blender_core.comparison.checkpoints.layouts import OWN_FORMAT
from blender_core.comparison.encoding import Limits, Markers
from blender_core.comparison.pair_model import PairModel
from blender_core.models.tokenizer import TextTokenizer

__all__ = ["write_own"]


def write_own(
    folder: Path, model: PairModel, tokenizer: TextTokenizer, markers: Markers, limits: Limits
) -> None:
    """Write ``config.json``, ``model.safetensors`` and ``tokenizer.json``.

    Raises:
        OSError: the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    head = model.head_layer
    config = {
        "format": OWN_FORMAT,
        "encoder": model.pretrained_model.config.to_dict(),
        "markers": asdict(markers),
        "source_max_length": limits.source,
        "candidate_max_length": limits.candidate,
        "n_tasks": head[4].out_features,
        "drop_out": head[0].p,
    }
    text = json.dumps(config, indent=2, default=str)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    (folder / "tokenizer.json").write_text(tokenizer.full.to_str(), encoding="utf-8")
    with torch.inference_mode():
        save_model(model, str(folder / "model.safetensors"))
