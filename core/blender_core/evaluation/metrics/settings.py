"""How a metric's model is loaded."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["ModelSettings"]


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """What a metric with a model is told.

    Attributes:
        model: hub id or folder.
        batch_size: texts of one forward pass.
        device: where to compute; None takes an accelerator if there is one.
        local_files_only: never use the network.
        layer: for BERTScore, whose vectors are compared; None takes the recommended one.
    """

    model: str
    batch_size: int = 16
    device: str | None = None
    local_files_only: bool = False
    layer: int | None = None
