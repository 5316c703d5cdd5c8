"""Encoder-decoder models: the encoder reads the question, the decoder both answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from blender_core.comparison.encoders.encoder import padded
from blender_core.comparison.encoding import Row

__all__ = ["Seq2SeqEncoder"]


class Seq2SeqEncoder:
    """Runs a transformers encoder-decoder such as T5.

    Args:
        model: with ``last_hidden_state`` of the decoder and ``encoder_last_hidden_state``.
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
        source, source_mask = padded([row.source for row in rows], self.pad_id, device)
        answers, answers_mask = padded(
            [np.concatenate([row.first, row.second]) for row in rows], self.pad_id, device
        )
        output = self.model(
            input_ids=source,
            attention_mask=source_mask.long(),
            decoder_input_ids=answers,
            decoder_attention_mask=answers_mask.long(),
        )
        every = torch.arange(len(rows), device=device)
        second = torch.tensor([len(row.first) for row in rows], device=device) + self.marker_offset
        return torch.stack(
            [
                output.encoder_last_hidden_state[:, self.marker_offset],
                output.last_hidden_state[:, self.marker_offset],
                output.last_hidden_state[every, second],
            ],
            dim=1,
        )
