"""Any encoder-only model of transformers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from blender_core.comparison.encoders.encoder import marker_places, padded
from blender_core.comparison.encoding import Row

__all__ = ["PlainEncoder"]


class PlainEncoder:
    """Runs a transformers encoder as it is: BERT, RoBERTa, XLM-R, ModernBERT, DeBERTa, ...

    Args:
        model: the encoder.
        marker_offset: place of the marker within each part of a row.
        pad_id: id of the padding token.
    """

    def __init__(self, model: Any, marker_offset: int, pad_id: int) -> None:
        self.model = model
        self.marker_offset = marker_offset
        self.pad_id = pad_id

    def __call__(self, rows: Sequence[Row]) -> torch.Tensor:
        """Vectors at the markers, [len(rows), 3, hidden]."""
        device = self.model.device
        ids, mask = padded([row.ids for row in rows], self.pad_id, device)
        hidden = self.model(input_ids=ids, attention_mask=mask.long()).last_hidden_state
        places = marker_places(rows, self.marker_offset, device)
        result: torch.Tensor = hidden[torch.arange(len(rows), device=device)[:, None], places]
        return result
