"""From a hub id or folder to a scorer: which format it is, and who reads it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import PathLike
from typing import Any

import torch

from blender_core.checks import positive
from blender_core.comparison.checkpoints.descriptions import Kind
from blender_core.comparison.checkpoints.layouts import is_pairwise
from blender_core.comparison.pointwise.checkpoint import Checkpoint
from blender_core.comparison.pointwise.classification import ClassificationScorer
from blender_core.comparison.pointwise.model_scorer import ModelScorer
from blender_core.comparison.pointwise.simcls import SimCLSScorer
from blender_core.comparison.pointwise.summareranker import SummaRerankerScorer
from blender_core.comparison.pointwise.value_head import starling_rm, ultra_rm
from blender_core.errors import CheckpointError, InputError
from blender_core.models.devices import pick_batch_tokens, pick_device, pick_dtype
from blender_core.models.files import read_json, read_weights, resolve, told_by
from blender_core.validation import held_to

__all__ = ["FORMATS", "load_scorer"]

FORMATS: dict[str, Callable[[Checkpoint], ModelScorer]] = {
    "classification": ClassificationScorer,
    "simcls": SimCLSScorer,
    "summareranker": SummaRerankerScorer,
    "ultra-rm": ultra_rm,
    "starling-rm": starling_rm,
}

_RANKER_TYPES = {"simcls": "simcls", "dual": "simcls", "summareranker": "summareranker"}
"""What LLM-Blender calls its own."""

_BASE_FILES = ["*.json", "*.model", "*.txt"]


def load_scorer(
    model: str | PathLike[str],
    *,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    revision: str | None = None,
    cache_folder: str | PathLike[str] | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
    base_model: str | PathLike[str] | None = None,
    max_batch_tokens: int | None = None,
    max_length: int | None = None,
    format: str | None = None,
) -> ModelScorer:
    """Load a checkpoint; see `PointwiseRanker.from_pretrained` for the arguments and errors."""
    if format is not None and format not in FORMATS:
        raise InputError(f"unknown format {format!r}; known: {', '.join(FORMATS)}")
    for name, value in (("max_batch_tokens", max_batch_tokens), ("max_length", max_length)):
        if value is not None:
            positive(name, value)
    chosen_device = pick_device(device)
    chosen_dtype = pick_dtype(dtype, chosen_device)
    access: dict[str, Any] = {
        "cache_folder": cache_folder,
        "local_files_only": local_files_only,
        "token": token,
    }
    folder = resolve(model, revision=revision, **access)
    file = folder / "config.json"
    config = read_json(file)
    kind = held_to(Kind, config, file)
    weights = read_weights(folder)

    def base_folder() -> Any:
        name = base_model or kind.model_name
        if not name:
            raise CheckpointError(
                f"{folder}: config.json names no base model ('model_name'); pass base_model=..."
            )
        with told_by(file, unless=base_model):
            return resolve(name, allow_patterns=_BASE_FILES, **access)

    source = Checkpoint(
        folder=folder,
        config=config,
        weights=weights,
        base=base_folder,
        device=chosen_device,
        dtype=chosen_dtype,
        max_batch_tokens=pick_batch_tokens(max_batch_tokens, chosen_device),
        max_length=max_length,
    )
    return FORMATS[format or _detected(str(folder), config, kind, weights)](source)


def _detected(
    where: str, config: Mapping[str, Any], kind: Kind, weights: Mapping[str, torch.Tensor]
) -> str:
    """The name of the format, by what is in the files.

    Raises:
        CheckpointError: it is none of ours.
    """
    if is_pairwise(config):
        raise CheckpointError(
            f"{where}: a pairwise ranker; load it with PairRanker.from_pretrained"
        )
    if kind.ranker_type in _RANKER_TYPES:
        return _RANKER_TYPES[kind.ranker_type]
    if "regression_head.weight" in weights:
        return "ultra-rm"
    if "v_head.weight" in weights:
        return "starling-rm"
    architectures = kind.architectures or []
    if any(name.endswith("ForSequenceClassification") for name in architectures):
        return "classification"
    raise CheckpointError(
        f"{where}: no known pointwise format "
        f"(architectures: {', '.join(architectures) or 'none'}); "
        f"if it is one of {', '.join(FORMATS)}, say so with format=..."
    )
