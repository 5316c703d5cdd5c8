"""Reward models published as sequence classifiers with one output."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from blender_core.comparison.pointwise.checkpoint import (
    Checkpoint,
    config_in,
    model_of,
    row_limit,
    tokenizer_in,
)
from blender_core.comparison.pointwise.model_scorer import ModelScorer, computed
from blender_core.comparison.pointwise.rows import PairRows
from blender_core.comparison.pointwise.templates import TemplateRows
from blender_core.errors import CheckpointError
from blender_core.models.chat_template import chat_template, tokenizer_settings
from blender_core.models.transformers_parts import MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING

__all__ = ["ClassificationScorer"]


class ClassificationScorer(ModelScorer):
    """A classifier's single logit.

    The answer is shown as the assistant's turn of the checkpoint's chat template; where there is
    none, question and answer are the tokenizer's pair of sequences (as
    ``OpenAssistant/reward-model-deberta-v3-large-v2`` wants it).

    Args:
        source: the checkpoint.

    Raises:
        CheckpointError: the model has not exactly one output, or something is missing.
    """

    def __init__(self, source: Checkpoint) -> None:
        config = config_in(source.folder)
        if config.num_labels != 1:
            raise CheckpointError(
                f"{source.folder}: the classifier has {config.num_labels} outputs (num_labels); "
                "a scorer of answers has 1"
            )
        self._model = model_of(
            MODEL_FOR_SEQUENCE_CLASSIFICATION_MAPPING, config, source.weights, source
        )
        _keep_heads_precise(self._model)
        tokenizer = tokenizer_in(source.folder)
        limit = row_limit(source, source.folder, self._model)
        template = chat_template(source.folder)
        self._rows = (
            PairRows(tokenizer, limit)
            if template is None
            else TemplateRows(tokenizer, template, limit)
        )
        inputs = tokenizer_settings(source.folder).model_input_names or ["token_type_ids"]
        self._has_types = getattr(config, "type_vocab_size", 0) > 1 and "token_type_ids" in inputs
        self._pad_id = config.pad_token_id or 0
        self._device = source.device
        # A decoder finds the last token of a row by the padding after it; without a padding
        # token it takes one row at a time.
        self._max_batch_tokens = source.max_batch_tokens if config.pad_token_id is not None else 1

    def score_chunk(
        self, items: Sequence[tuple[str, str]]
    ) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Yield places and logits, batch by batch."""
        for places, logits in computed(
            self._rows(items), self._forward, self._device, self._pad_id, self._max_batch_tokens
        ):
            yield places, logits[:, 0].numpy()

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, types: torch.Tensor) -> torch.Tensor:
        segments = {"token_type_ids": types} if self._has_types else {}
        logits: torch.Tensor = self._model(input_ids=ids, attention_mask=mask, **segments).logits
        return logits


def _keep_heads_precise(model: nn.Module) -> None:
    """Have all that comes behind the base model computed in float32, or better where it is.

    A reward is one number: rounded to half precision, hundreds of answers tie.
    """
    for name, head in model.named_children():
        if name != model.base_model_prefix:
            for weight in head.parameters():
                weight.data = _precise(weight.data)
            head.register_forward_pre_hook(_precise_inputs)


def _precise_inputs(_: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(_precise(one) if isinstance(one, torch.Tensor) else one for one in inputs)


def _precise(numbers: torch.Tensor) -> torch.Tensor:
    is_half = numbers.is_floating_point() and torch.finfo(numbers.dtype).bits < 32
    return numbers.float() if is_half else numbers
