"""Decoders with a linear head on the last token, and the two that LLM-Blender could load."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from blender_core.comparison.pointwise.checkpoint import (
    Checkpoint,
    config_in,
    inner,
    model_of,
    row_limit,
    tokenizer_in,
)
from blender_core.comparison.pointwise.model_scorer import ModelScorer, computed
from blender_core.comparison.pointwise.templates import TemplateRows
from blender_core.models.chat_template import Template
from blender_core.models.files import tensors_into
from blender_core.models.transformers_parts import MODEL_MAPPING
from blender_core.models.vocabulary import has_vocabulary

__all__ = ["ValueHeadScorer", "starling_rm", "ultra_rm"]


class ValueHeadScorer(ModelScorer):
    """A decoder with a linear head on its last real token; a fixed template.

    Args:
        source: the checkpoint. Config and tokenizer may be in its base model's folder.
        template: around question and answer.
        backbone: what the names of the decoder's weights start with.
        head: name of the head; it has no bias.

    Raises:
        CheckpointError: something is missing or does not fit.
    """

    def __init__(self, source: Checkpoint, template: Template, backbone: str, head: str) -> None:
        folder = source.folder if has_vocabulary(source.folder) else source.base()
        config = config_in(source.folder if "model_type" in source.config else folder)
        self._model = model_of(MODEL_MAPPING, config, inner(source.weights, backbone), source)
        heads = nn.ModuleDict({head: nn.Linear(config.hidden_size, 1, bias=False)})
        rest = {name: w for name, w in source.weights.items() if not name.startswith(backbone)}
        tensors_into(heads, rest, source.folder)
        self._head = heads[head].to(source.device)
        self._rows = TemplateRows(
            tokenizer_in(folder), template, row_limit(source, folder, self._model)
        )
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


def ultra_rm(source: Checkpoint) -> ValueHeadScorer:
    """UltraRM (``openbmb/UltraRM-13b``; UltraFeedback, arXiv 2310.01377)."""
    template = Template("Human: ", "\n\nAssistant: ", "", framed=True)
    return ValueHeadScorer(source, template, backbone="model.", head="regression_head")


def starling_rm(source: Checkpoint) -> ValueHeadScorer:
    """Starling-RM (``berkeley-nest/Starling-RM-7B-alpha``, on Llama 2 chat).

    The tokenizer puts its own ``<s>`` before the template's: the model was trained on both.
    """
    template = Template("<s>[INST] ", " </s> [/INST] ", "</s>", framed=True)
    return ValueHeadScorer(source, template, backbone="transformer.", head="v_head")
