"""What learns how fast: groups of parameters, and the course of their rates."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from torch import nn

from blender_core.training.config import RankerConfig, TrainingConfig

__all__ = ["freeze_unread", "groups_of", "ranker_groups", "rate_at"]

_LAYER = re.compile(r"(?:^|\.)(?:layers?|block|h)\.(\d+)\.")
_EMBEDDINGS = re.compile(r"(?:^|\.)(?:\w*embed\w*|shared|wte|wpe)\.")
_UNREAD = re.compile(r"(?:^|\.)pooler\.")


def ranker_groups(model: nn.Module, config: RankerConfig) -> list[dict[str, Any]]:
    """Parameters of a `PairModel` in groups, each with its rate and weight decay.

    The head learns at `head_learning_rate`. The encoder's top layer learns at `learning_rate`,
    each one below at `layer_decay` times that of the layer above, the embeddings, with the
    markers, below the lowest. Names of transformers' models tell the layers.

    Returns:
        Groups as an optimizer takes them, with ``is_head`` beside what it knows.
    """
    named = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    layers = [int(found[1]) for name, _ in named if (found := _LAYER.search(name))]
    top = max(layers, default=-1) + 1

    def rate(name: str) -> float:
        if name.startswith("head_layer."):
            return config.head_learning_rate or config.learning_rate
        found = _LAYER.search(name)
        unlayered = top if _EMBEDDINGS.search(name) else 0
        below = top - 1 - int(found[1]) if found else unlayered
        return config.learning_rate * config.layer_decay**below

    return _grouped(named, config, rate)


def groups_of(model: nn.Module, config: TrainingConfig) -> list[dict[str, Any]]:
    """All parameters at one rate; biases and norms without weight decay."""
    named = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    return _grouped(named, config, lambda _: config.learning_rate)


def freeze_unread(model: nn.Module) -> None:
    """Take what nothing reads, an encoder's pooler, out of the training."""
    for name, weight in model.named_parameters():
        if _UNREAD.search(name):
            weight.requires_grad_(False)


def _grouped(
    named: list[tuple[str, nn.Parameter]], config: TrainingConfig, rate: Callable[[str], float]
) -> list[dict[str, Any]]:
    groups: dict[tuple[bool, float, float], list[nn.Parameter]] = {}
    for name, weight in named:
        # Biases and norms are the parameters of one dimension.
        decay = config.weight_decay if weight.ndim > 1 else 0.0
        is_head = name.startswith("head_layer.")
        groups.setdefault((is_head, rate(name), decay), []).append(weight)
    return [
        {"params": weights, "lr": lr, "weight_decay": decay, "is_head": is_head}
        for (is_head, lr, decay), weights in groups.items()
    ]


def rate_at(config: TrainingConfig, steps: int, frozen_steps: int = 0) -> Callable[[int], float]:
    """The factor of a learning rate at each step, 0 to 1.

    Args:
        config: has schedule and warm-up.
        steps: of the whole training.
        frozen_steps: first steps, at which the factor is 0; the warm-up begins after them.
    """
    rest = max(1, steps - frozen_steps)
    rising = round(config.warmup * rest)

    def factor(step: int) -> float:
        place = step - frozen_steps
        if place < 0:
            return 0.0
        if place < rising:
            return (place + 1) / (rising + 1)
        if config.schedule == "constant":
            return 1.0
        left = max(0.0, (rest - place) / max(1, rest - rising))
        return left if config.schedule == "linear" else 0.5 - 0.5 * math.cos(math.pi * left)

    return factor
