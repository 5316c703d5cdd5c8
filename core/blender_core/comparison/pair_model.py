"""The pairwise cross-encoder: an encoder, and a head on its vectors at the markers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from blender_core.comparison.encoders import (
    DebertaEncoder,
    MarkerEncoder,
    PlainEncoder,
    Seq2SeqEncoder,
)
from blender_core.comparison.encoding import Row

__all__ = ["PairModel"]


class PairModel(nn.Module):
    """Question and two answers to one logit (LLM-Blender, section 3.1).

    The head scores each answer from the vectors at the question's and at its own marker; the
    logit is the difference, averaged over tasks. Names of weights are those of the published
    checkpoints.

    Args:
        backbone: a transformers encoder or encoder-decoder.
        n_tasks: outputs of the head.
        drop_out: in the head, while training.
    """

    HEADS = ("head_layer.",)
    """How names of weights begin that are not the encoder's."""

    def __init__(self, backbone: Any, n_tasks: int = 1, drop_out: float = 0.05) -> None:
        super().__init__()
        hidden = backbone.config.hidden_size
        self.pretrained_model = backbone
        self.head_layer = nn.Sequential(
            nn.Dropout(drop_out),
            nn.Linear(2 * hidden, hidden),
            nn.Tanh(),
            nn.Dropout(drop_out),
            nn.Linear(hidden, n_tasks),
        )

    def encoder(self, marker_offset: int, pad_id: int, *, inference: bool) -> MarkerEncoder:
        """What reads rows for this model.

        Args:
            marker_offset: place of the marker within each part of a row.
            pad_id: id of the padding token.
            inference: whether weights stay as they are, so that what depends on them alone can
                be computed once.
        """
        config = self.pretrained_model.config
        if config.is_encoder_decoder:
            return Seq2SeqEncoder(self.pretrained_model, marker_offset, pad_id)
        if inference and DebertaEncoder.supports(config):
            return DebertaEncoder(self.pretrained_model, marker_offset, pad_id)
        return PlainEncoder(self.pretrained_model, marker_offset, pad_id)

    def scores(self, vectors: Tensor) -> tuple[Tensor, Tensor]:
        """The two answers' scores from the vectors at the markers.

        Args:
            vectors: [batch, 3, hidden].

        Returns:
            Scores of first and second answer, float32[batch, n_tasks] each.
        """
        source, first, second = vectors.to(next(self.head_layer.parameters()).dtype).unbind(dim=1)
        left = self.head_layer(torch.cat([source, first], dim=-1))
        right = self.head_layer(torch.cat([source, second], dim=-1))
        return left.float(), right.float()

    def forward(self, rows: Sequence[Row], encoder: MarkerEncoder) -> Tensor:
        """Logits, float32[len(rows)]: > 0 where the first answer is better."""
        left, right = self.scores(encoder(rows))
        return (left - right).mean(dim=-1)
