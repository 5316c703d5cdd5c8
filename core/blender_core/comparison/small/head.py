"""The head of the small ranker: what a language model corrects in what the mini one found."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from blender_core.comparison.small.figures import FIGURES

__all__ = ["SmallHead"]

_CLIP = 4.0
"""Standard deviations at which a figure ends: one odd text must not outweigh the rest."""

_LEAST_FAULT = 1e-6


class SmallHead(nn.Module):
    """``worth = quality - softplus(fault + b)``, with b from the language model's figures.

    Quality and fault are those of the mini ranker (`WorthHead`), fault before the softplus.
    Quality stays as it is: what judges prefer among good answers is not learnt better from the few
    that a language model has read, as was tried. What is learnt begins at zero: an untrained head
    changes nothing.

    Args:
        width: of the layer between.
        drop_out: while training.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, width: int = 16, drop_out: float = 0.1) -> None:
        super().__init__()
        told = len(FIGURES) + 2
        self.width = width
        self.register_buffer("mean", torch.zeros(told))
        self.register_buffer("scale", torch.ones(told))
        last = nn.Linear(width, 1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)
        self.correction = nn.Sequential(
            nn.Linear(told, width), nn.GELU(), nn.Dropout(drop_out), last
        )

    def scale_to(self, told: Tensor) -> None:
        """Take mean and deviation of what `told` returns as what is usual."""
        self.mean.copy_(told.mean(dim=0))
        self.scale.copy_(told.std(dim=0).clamp_min(1e-6))

    @staticmethod
    def told(figures: Tensor, quality: Tensor, fault: Tensor) -> Tensor:
        """All that is known of answers, float32[n, len(FIGURES) + 2].

        Args:
            figures: float32[n, len(FIGURES)], of the language model.
            quality: float32[n], of the mini ranker.
            fault: float32[n], of the mini ranker, behind its softplus.
        """
        fault = fault.clamp_min(_LEAST_FAULT)
        before = fault + torch.log(-torch.expm1(-fault))
        return torch.cat([figures, quality[:, None], before[:, None]], dim=1)

    def forward(self, told: Tensor) -> tuple[Tensor, Tensor]:
        """Quality and the weight of the fault, float32[n] each; worth is their difference."""
        usual = ((told - self.mean) / self.scale).clamp(-_CLIP, _CLIP)
        quality, fault = told[:, -2], told[:, -1]
        return quality, nn.functional.softplus(fault + self.correction(usual).squeeze(1))
