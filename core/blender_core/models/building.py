"""Models built from a config and filled with a checkpoint's weights, sizes checked beforehand.

A config is a few bytes that can ask for any amount of memory. So a model is first built on torch's
meta device, where tensors have a shape and no content, and its shapes are held against those of
the weights. Only a model that they fill exactly is then built with memory.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from blender_core.errors import CheckpointError, describe
from blender_core.forking import Turn
from blender_core.models.configs import check_layers, transformers_config
from blender_core.models.files import check_fit, check_weights, tensors_into

__all__ = ["bare_encoder", "built", "check_size", "encoder_config", "filled_model"]

Model = TypeVar("Model", bound=nn.Module)

_one_at_a_time = Turn()
"""While transformers builds a model, it changes settings that all threads share."""

_MORE_AT_MOST = 2
"""Times the weights' numbers that a model may have which some of its weights may be missing of."""

_SMALL = 1_000_000


def encoder_config(
    content: Mapping[str, Any], weights: Mapping[str, torch.Tensor], prefix: str, where: Path
) -> Any:
    """An encoder's config, with as many words in its vocabulary as the weights have vectors.

    Markers may have been added to the vocabulary after the config was written.

    Args:
        content: of its ``config.json``.
        weights: of the checkpoint.
        prefix: what the names of the encoder's weights begin with.
        where: the checkpoint's folder, for messages.

    Raises:
        CheckpointError: the config is unusable, or speaks of more layers than there are weights.
    """
    config = transformers_config(content, where)
    check_layers(config, weights, where)
    with torch.device("meta"):
        encoder = bare_encoder(config, where)
    table = encoder.get_input_embeddings().weight
    name = next(name for name, weight in encoder.named_parameters() if weight is table)
    vectors = weights.get(prefix + name)
    if vectors is not None and vectors.ndim:
        config.vocab_size = len(vectors)
    return config


def bare_encoder(config: Any, where: Path) -> Any:
    """An encoder with weights that mean nothing yet, float32 on torch's default device.

    Args:
        config: of transformers.
        where: the checkpoint's folder, for messages.

    Raises:
        CheckpointError: transformers has no such encoder, or a value is unusable.
    """
    from blender_core.models.transformers_parts import AutoModel, no_init_weights

    try:
        with no_init_weights():  # random ones take seconds for a large model
            encoder = AutoModel.from_config(config, dtype=torch.float32)
        encoder.tie_weights()
    except Exception as error:  # every kind of model fails in its own way
        raise _unusable(where, error) from error
    return encoder


def built(build: Callable[[], Model], weights: Mapping[str, torch.Tensor], where: Path) -> Model:
    """A model, float32 on the CPU, filled with exactly these weights.

    Args:
        build: makes it, on torch's default device; called twice.
        weights: of the checkpoint, by the names the model has for them.
        where: the checkpoint's folder, for messages.

    Raises:
        CheckpointError: weights are missing, left over or of another shape; some are named.
    """
    with torch.device("meta"):
        outline = build()
    check_weights(outline, weights, where)
    model = build()
    tensors_into(model, weights, where)
    return model


def check_size(
    kinds: Mapping[type, Any], config: Any, given: Mapping[str, int], where: Path
) -> Any:
    """Refuse a config of a model much larger than its weights, before it is built with memory.

    Args:
        kinds: transformers' mapping from configs to models.
        config: of the model.
        given: numbers of each of the weights.
        where: the checkpoint's folder, for messages.

    Returns:
        The model's class.

    Raises:
        CheckpointError: it is, or there is no such model.
    """
    try:
        kind = kinds[type(config)]
    except KeyError:
        raise CheckpointError(
            f"{where}: transformers has no model of this kind for {config.model_type!r}"
        ) from None
    check_layers(config, given, where)
    try:
        with torch.device("meta"):
            outline = kind(config)
    except Exception as error:  # every kind of model fails in its own way
        raise _unusable(where, error) from error
    wanted = sum(weight.numel() for weight in outline.parameters())
    numbers = sum(given.values())
    if wanted > _MORE_AT_MOST * numbers + _SMALL:
        raise CheckpointError(
            f"{where / 'config.json'}: describes a model of {wanted:,} numbers, but the weights "
            f"have {numbers:,}"
        )
    return kind


def filled_model(
    kinds: Mapping[type, Any],
    config: Any,
    weights: Mapping[str, torch.Tensor],
    where: Path,
    dtype: torch.dtype,
    *,
    may_lack: str | None = None,
) -> Any:
    """A transformers model filled with weights under any name that transformers reads.

    Args:
        kinds: transformers' mapping from configs to models.
        config: of the model.
        weights: of the checkpoint.
        where: the checkpoint's folder, for messages.
        dtype: precision of the model.
        may_lack: weights with this in their names may be missing, and others left over; None
            wants exactly the model's weights.

    Returns:
        The model on the CPU, in evaluation mode.

    Raises:
        CheckpointError: there is no such model, or weights do not fit; some are named.
    """
    given = {name: weight.numel() for name, weight in weights.items()}
    kind = check_size(kinds, config, given, where)
    try:
        with _one_at_a_time:
            model, report = kind.from_pretrained(
                None,
                config=config,
                state_dict=dict(weights),
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are reported, and refused below
                dtype=dtype,
            )
    except Exception as error:  # transformers and torch raise all kinds
        raise CheckpointError(
            f"{where}: the weights do not fit the model: {_in_one_line(error)}"
        ) from error
    missing, unexpected = report["missing_keys"], report["unexpected_keys"]
    if may_lack is not None:
        missing, unexpected = {name for name in missing if may_lack not in name}, ()
    check_fit(
        where,
        missing=missing,
        unexpected=unexpected,
        reshaped=[name for name, *_ in report["mismatched_keys"]],
    )
    return model.eval()


def _unusable(where: Path, error: Exception) -> CheckpointError:
    return CheckpointError(
        f"{where / 'config.json'}: the model's config is unusable: {_in_one_line(error)}"
    )


def _in_one_line(error: Exception) -> str:
    return " ".join(describe(error).split())
