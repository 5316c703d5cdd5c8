"""SummaReranker (Ravaut et al. 2022) as LLM-Blender trains it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from blender_core.comparison.pointwise.checkpoint import (
    Checkpoint,
    inner,
    model_of,
    row_limit,
    tokenizer_in,
)
from blender_core.comparison.pointwise.llm_blender import base_config, description, tokenizer_home
from blender_core.comparison.pointwise.model_scorer import ModelScorer, computed
from blender_core.comparison.pointwise.rows import Frame, Row, check_room, share
from blender_core.errors import CheckpointError
from blender_core.models.files import tensors_into, told_by
from blender_core.models.transformers_parts import MODEL_MAPPING

__all__ = ["SummaRerankerScorer"]

_SOURCE, _CANDIDATE = "<source>", "<candidate>"
_ENCODER = "pretrained_model."


class SummaRerankerScorer(ModelScorer):
    """A mixture of experts on the first token's vector.

    The row is ``[CLS] <source>question [SEP] <candidate>answer [SEP]``, where the two markers are
    plain text. Lengths are cut on token ids (the original goes through text and back, which also
    tidies spaces before punctuation).

    Args:
        source: the checkpoint, with weights ``pretrained_model.*`` and those of `_Head`.

    Raises:
        CheckpointError: something is missing or does not fit.
    """

    def __init__(self, source: Checkpoint) -> None:
        told = description(source)
        weights = inner(source.weights, _ENCODER)
        config = base_config(source, weights)
        self._model = model_of(MODEL_MAPPING, config, weights, source)
        rest = {name: w for name, w in source.weights.items() if not name.startswith(_ENCODER)}
        if told.n_tasks > len(rest):
            raise CheckpointError(
                f"{source.folder}: config.json has {told.n_tasks} as 'n_tasks', but the head has "
                f"{len(rest)} weights"
            )
        self._head = _Head(config.hidden_size, told.n_tasks)
        tensors_into(self._head, rest, source.folder)
        self._head.eval().to(source.device)
        home = tokenizer_home(source)
        self._tokenizer = tokenizer_in(home)
        self._frame = Frame.of(self._tokenizer.full, texts=1)
        if len(self._frame.parts[1]) != 1:
            raise CheckpointError(f"{home}: the tokenizer does not end a text with a separator")
        lengths = [told.source_maxlength, told.candidate_maxlength]
        taken = len(self._frame) + 1
        with told_by(source.folder / "config.json"):
            check_room(min(lengths), taken)
        # The lengths count the frame of a text alone, but not the markers ...
        self._lengths = [
            length - len(self._frame) + len(marker)
            for length, marker in zip(
                lengths, self._tokenizer.encode([_SOURCE, _CANDIDATE]), strict=True
            )
        ]
        # ... whose tokens are then taken off the end of the row.
        self._together = sum(lengths)
        limit = row_limit(source, home, self._model)
        check_room(limit, taken)
        self._room = limit - taken
        self._pad_id = config.pad_token_id or 0
        self._device = source.device
        self._max_batch_tokens = source.max_batch_tokens

    def score_chunk(
        self, items: Sequence[tuple[str, str]]
    ) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Yield places and probabilities of being the best answer, batch by batch."""
        questions = self._tokenizer.encode([_SOURCE + question for question, _ in items])
        answers = self._tokenizer.encode([_CANDIDATE + answer for _, answer in items])
        rows = [self._row(*ids) for ids in zip(questions, answers, strict=True)]
        for places, scores in computed(
            rows, self._forward, self._device, self._pad_id, self._max_batch_tokens
        ):
            yield places, scores.numpy()

    def _row(self, question: list[int], answer: list[int]) -> Row:
        question = question[: self._lengths[0]]
        answer = answer[: min(self._lengths[1], max(0, self._together - len(question)))]
        kept_question, kept_answer = share(self._room, len(question), len(answer))
        separator = self._frame.parts[1]
        return self._frame.row([*question[:kept_question], *separator, *answer[:kept_answer]])

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        scores: torch.Tensor = self._head(hidden[:, 0].float())
        return scores


class _Expert(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, width)
        self.fc2 = nn.Linear(width, width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = self.fc2(torch.relu(self.fc1(x)))
        return result


class _Experts(nn.Module):
    """2T experts; each of T tasks mixes its T best in log space, by a gate of its own."""

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, width: int, tasks: int) -> None:
        super().__init__()
        self.experts = nn.ModuleList([_Expert(width) for _ in range(2 * tasks)])
        gates = [nn.Parameter(torch.zeros(width, 2 * tasks)) for _ in range(tasks)]
        self.w_gate = nn.ParameterList(gates)
        # Used in training only, but part of the checkpoint.
        self.w_noise = nn.ParameterList([nn.Parameter(torch.zeros_like(gate)) for gate in gates])
        self.register_buffer("mean", torch.zeros(1))
        self.register_buffer("std", torch.ones(1))

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        """From float32[B, H] to one float32[B, H] a task."""
        outputs = torch.stack([expert(x) for expert in self.experts], dim=1)
        mixed = []
        for gate in self.w_gate:
            logits, chosen = (x @ gate).topk(len(self.w_gate), dim=1)
            picked = outputs.gather(1, chosen[:, :, None].expand(-1, -1, outputs.shape[2]))
            mixed.append(torch.logsumexp(logits.log_softmax(dim=1)[:, :, None] + picked, dim=1))
        return mixed


class _Head(nn.Module):
    """Two linear layers, the experts, one linear tower a task; sigmoid of the towers' mean."""

    def __init__(self, width: int, tasks: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, width)
        self.fc2 = nn.Linear(width, width)
        self.moe = _Experts(width, tasks)
        self.towers = nn.ModuleList([nn.Linear(width, 1) for _ in range(tasks)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """From float32[B, H] to probabilities float32[B]."""
        mixed = self.moe(self.fc2(torch.relu(self.fc1(x))))
        logits = [tower(part) for tower, part in zip(self.towers, mixed, strict=True)]
        return torch.sigmoid(torch.cat(logits, dim=1).mean(dim=1))
