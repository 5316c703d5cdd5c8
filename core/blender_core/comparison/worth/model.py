"""The head: from what was read of an answer to what it is worth."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from blender_core.comparison.worth.grams import CHARACTER_ROWS, PAIR_ROWS
from blender_core.comparison.worth.inputs import FIGURES, VECTORS, WorthInputs

__all__ = ["WorthHead", "WorthModel"]

FIGURE_CLIP = 4.0
"""Standard deviations at which a figure ends: one odd text must not outweigh the rest."""

_BAG_SIZES = (8, 8, 4)
_BAG_ROWS = (CHARACTER_ROWS, CHARACTER_ROWS, PAIR_ROWS)


class WorthHead(nn.Module):
    """``worth = quality - softplus(fault)``.

    Two networks, as they learn from different things. Quality is what judges prefer among answers
    that all are answers; of the encoder it is told only how near question and answer are, as
    thousands of numbers learnt from the few questions that were judged do not help on others.
    Fault is what no judge has to be asked about: a refusal, a text to another question, words in
    no order. It can only take away, and where it finds nothing it does not matter.

    Args:
        hidden: size of the encoder's vectors.
        width: of the layer between.
        drop_out: while training.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, hidden: int, width: int = 64, drop_out: float = 0.3) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(len(FIGURES)))
        self.register_buffer("scale", torch.ones(len(FIGURES)))
        self.bags = nn.ModuleList(
            nn.EmbeddingBag(rows, size, mode="mean")
            for rows, size in zip(_BAG_ROWS, _BAG_SIZES, strict=True)
        )
        for bag in self.bags.parameters():
            nn.init.normal_(bag, std=0.1)
        seen = len(FIGURES) + VECTORS * hidden
        told = len(FIGURES) + sum(_BAG_SIZES)
        self.drop_out = drop_out
        self.width = width
        self._thin = nn.Dropout(drop_out)
        self.style = nn.Linear(len(FIGURES), 1, bias=False)
        self.quality = _network(len(FIGURES), width, drop_out)
        self.signs = nn.Linear(told, 1)
        self.fault = _network(seen + sum(_BAG_SIZES), width, drop_out)
        nn.init.zeros_(self.style.weight)

    @property
    def is_scaled(self) -> bool:
        """Whether it knows how figures are distributed."""
        return bool((self.scale != 1.0).any())

    def scale_to(self, figures: Tensor) -> None:
        """Take mean and deviation of figures, float32[n, len(FIGURES)], as what is usual."""
        self.mean.copy_(figures.mean(dim=0))
        deviation = figures.std(dim=0)
        # A figure in which no answers differ teaches nothing, and must not run wild on others.
        self.scale.copy_(torch.where(deviation > 1e-6, deviation, torch.ones(())))

    def forward(self, inputs: WorthInputs) -> tuple[Tensor, Tensor]:
        """Quality and the weight of the fault, float32[n] each; worth is their difference."""
        figures = ((inputs.figures - self.mean) / self.scale).clamp(-FIGURE_CLIP, FIGURE_CLIP)
        bags = torch.cat(
            [10.0 * bag(*rows) for bag, rows in zip(self.bags, inputs.grams, strict=True)], dim=1
        )
        thin = self._thin(figures)
        quality = self.style(figures) + self.quality(thin)
        seen = torch.cat([thin, self._thin(inputs.vectors), bags], dim=1)
        fault = self.signs(torch.cat([figures, bags], dim=1)) + self.fault(seen)
        return quality.squeeze(1), nn.functional.softplus(fault).squeeze(1)

    def worth(self, inputs: WorthInputs) -> Tensor:
        """How good the answers are, float32[n], in logits."""
        quality, fault = self(inputs)
        result: Tensor = quality - fault
        return result


class WorthModel(nn.Module):
    """An encoder of sentences as it comes, and the head on what it read.

    Args:
        encoder: a transformers encoder.
        width: of the head.
        drop_out: of the head, while training.
    """

    HEADS = ("head.",)
    """How names of weights begin that are learnt from nothing."""

    def __init__(self, encoder: Any, width: int = 64, drop_out: float = 0.3) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = WorthHead(encoder.config.hidden_size, width, drop_out)


def _network(size: int, width: int, drop_out: float) -> nn.Sequential:
    last = nn.Linear(width, 1)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(nn.Linear(size, width), nn.GELU(), nn.Dropout(drop_out), last)
