"""What learns how fast: groups of parameters, and the course of their rates."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any

from torch import nn

from blender_core.comparison.late.model import LateModel
from blender_core.comparison.pair_model import PairModel
from blender_core.comparison.worth.model import WorthHead
from blender_core.errors import InputError
from blender_core.training.config import RankerConfig, TrainingConfig

__all__ = ["freeze_all_but", "freeze_lowest", "freeze_unread", "groups_of", "head_groups"]
__all__ += ["ranker_groups", "rate_at"]

_LAYER = re.compile(r"(?:^|\.)(?:layers?|block|h)\.(\d+)\.")
_EMBEDDINGS = re.compile(r"(?:^|\.)(?:(?=\w*embed)\w+|shared|wte|wpe)\.")
_UNREAD = re.compile(r"(?:^|\.)pooler\.")


def ranker_groups(model: PairModel | LateModel, config: RankerConfig) -> list[dict[str, Any]]:
    """Parameters of a ranker's model in groups, each with its rate and weight decay.

    The head learns at `head_learning_rate`. The encoder's top layer learns at `learning_rate`,
    each one below at `layer_decay` times that of the layer above, the embeddings, with the
    markers, below the lowest. Names of transformers' models tell the layers.

    Args:
        model: whose `HEADS` say how the names of its heads' weights begin.
        config: has the rates.

    Returns:
        Groups as an optimizer takes them, with ``is_head`` beside what it knows.
    """
    named = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    layers = [int(found[1]) for name, _ in named if (found := _LAYER.search(name))]
    top = max(layers, default=-1) + 1

    def rate(name: str) -> float:
        if name.startswith(model.HEADS):
            return config.head_learning_rate or config.learning_rate
        found = _LAYER.search(name)
        unlayered = top if _EMBEDDINGS.search(name) else 0
        below = top - 1 - int(found[1]) if found else unlayered
        return config.learning_rate * config.layer_decay**below

    return _grouped(named, config, rate, model.HEADS)


def groups_of(model: nn.Module, config: TrainingConfig) -> list[dict[str, Any]]:
    """All parameters at one rate; biases and norms without weight decay."""
    named = [(name, weight) for name, weight in model.named_parameters() if weight.requires_grad]
    return _grouped(named, config, lambda _: config.learning_rate)


def head_groups(head: WorthHead, config: TrainingConfig) -> list[dict[str, Any]]:
    """Like `groups_of`, and tables of grams without weight decay: most rows are seen rarely."""
    groups = groups_of(head, config)
    tables = set(head.bags.parameters())
    return [
        {**group, "params": some, "weight_decay": decay}
        for group in groups
        for some, decay in (
            ([one for one in group["params"] if one not in tables], group["weight_decay"]),
            ([one for one in group["params"] if one in tables], 0.0),
        )
        if some
    ]


def freeze_all_but(model: nn.Module, heads: tuple[str, ...]) -> None:
    """Take everything out of the training but the weights whose names begin so."""
    for name, weight in model.named_parameters():
        weight.requires_grad_(name.startswith(heads))


def freeze_unread(model: nn.Module) -> None:
    """Take what nothing reads, an encoder's pooler, out of the training."""
    for name, weight in model.named_parameters():
        if _UNREAD.search(name):
            weight.requires_grad_(False)


def freeze_lowest(model: nn.Module, layers: int) -> None:
    """Take the encoder's lowest layers, and with them the embeddings, out of the training.

    Args:
        model: holds the encoder; names of transformers' models tell the layers.
        layers: how many; 0 leaves everything as it is.

    Raises:
        InputError: the encoder has not more layers than that.
    """
    if not layers:
        return
    numbers = {
        name: int(found[1])
        for name, _ in model.named_parameters()
        if (found := _LAYER.search(name))
    }
    count = max(numbers.values(), default=-1) + 1
    if layers >= count:
        raise InputError(f"frozen_layers is {layers}, but the encoder has {count} layers")
    for name, weight in model.named_parameters():
        if numbers.get(name, count) < layers or _EMBEDDINGS.search(name):
            weight.requires_grad_(False)


def _grouped(
    named: list[tuple[str, nn.Parameter]],
    config: TrainingConfig,
    rate: Callable[[str], float],
    heads: tuple[str, ...] = (),
) -> list[dict[str, Any]]:
    groups: dict[tuple[bool, float, float], list[nn.Parameter]] = {}
    for name, weight in named:
        # Biases and norms are the parameters of one dimension.
        decay = config.weight_decay if weight.ndim > 1 else 0.0
        is_head = name.startswith(heads)
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
