"""UltraRM (``openbmb/UltraRM-13b``, UltraFeedback, arXiv 2310.01377)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import MODEL_MAPPING

from blender_core.comparison.checkpoints.files import tensors_into
from blender_core.comparison.pointwise.checkpoint import (
    Checkpoint,
    config_in,
    inner,
    model_of,
    row_limit,
    tokenizer_in,
)
from blender_core.comparison.pointwise.model_scorer import ModelScorer, computed
from blender_core.comparison.pointwise.templates import Template, TemplateRows

__all__ = ["UltraRMScorer"]

_TEMPLATE = Template("Human: ", "\n\nAssistant: ", "", framed=True)


class UltraRMScorer(ModelScorer):
    """A decoder with a linear head on its last token; a plain-text template.

    Args:
        source: the checkpoint, with weights ``model.*`` and ``regression_head.weight``.

    Raises:
        CheckpointError: something is missing or does not fit.
    """

    def __init__(self, source: Checkpoint) -> None:
        config = config_in(source.folder)
        backbone = inner(source.weights, "model.")
        self._model = model_of(MODEL_MAPPING, config, backbone, source)
        head = nn.ModuleDict({"regression_head": nn.Linear(config.hidden_size, 1, bias=False)})
        rest = {name: w for name, w in source.weights.items() if not name.startswith("model.")}
        tensors_into(head, rest, source.folder)
        self._head = head["regression_head"].to(source.device)
        limit = row_limit(source, source.folder, self._model)
        self._rows = TemplateRows(tokenizer_in(source.folder), _TEMPLATE, limit)
        self._pad_id = config.pad_token_id or 0
        self._device = source.device
        self._max_batch_tokens = source.max_batch_tokens

    def score_chunk(
        self, items: Sequence[tuple[str, str]]
    ) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Yield places and rewards, batch by batch."""
        for places, rewards in computed(
            self._rows(items), self._forward, self._device, self._pad_id, self._max_batch_tokens
        ):
            yield places, rewards.numpy()

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        last = hidden[torch.arange(len(ids), device=ids.device), mask.sum(dim=1) - 1]
        rewards: torch.Tensor = self._head(last.float())[:, 0]
        return rewards
