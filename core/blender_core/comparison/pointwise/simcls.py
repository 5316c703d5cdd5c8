"""SimCLS (Liu and Liu 2021) as LLM-Blender trains it, there also called "dual"."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import normalize

from blender_core.comparison.pointwise.checkpoint import (
    Checkpoint,
    inner,
    model_of,
    row_limit,
    tokenizer_in,
)
from blender_core.comparison.pointwise.llm_blender import base_config, description, tokenizer_home
from blender_core.comparison.pointwise.model_scorer import ModelScorer, computed
from blender_core.comparison.pointwise.rows import Frame, check_room
from blender_core.errors import CheckpointError
from blender_core.models.files import told_by
from blender_core.models.transformers_parts import MODEL_MAPPING

__all__ = ["SimCLSScorer"]

_SOURCE, _CANDIDATE = "<source>", "<candidate>"


class SimCLSScorer(ModelScorer):
    """Cosine between the first-token vectors of question and answer, encoded apart.

    Each has its marker in front and a length of its own; what is longer is cut on the right.

    Args:
        source: the checkpoint, with weights ``source_encoder.*`` or ``candidate_encoder.*`` (one
            encoder under two names).

    Raises:
        CheckpointError: something is missing or does not fit, or the two encoders differ.
    """

    def __init__(self, source: Checkpoint) -> None:
        told = description(source)
        weights = _one_encoder(source)
        config = base_config(source, weights)
        self._model = model_of(MODEL_MAPPING, config, weights, source)
        home = tokenizer_home(source)
        self._tokenizer = tokenizer_in(home, (_SOURCE, _CANDIDATE))
        self._frame = Frame.of(self._tokenizer.full, texts=1)
        limit = row_limit(source, home, self._model)
        taken = len(self._frame) + 1
        self._rooms = {}
        lengths = {_SOURCE: told.source_maxlength, _CANDIDATE: told.candidate_maxlength}
        for marker, length in lengths.items():
            with told_by(source.folder / "config.json", unless=source.max_length):
                check_room(min(limit, length), taken)
            self._rooms[marker] = min(limit, length) - taken
        self._pad_id = config.pad_token_id or 0
        self._device = source.device
        self._max_batch_tokens = source.max_batch_tokens

    def score_chunk(
        self, items: Sequence[tuple[str, str]]
    ) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Yield places and cosines, batch by batch; every question is encoded once."""
        questions = list(dict.fromkeys(question for question, _ in items))
        vectors: dict[str, torch.Tensor] = {}
        for places, batch in self._vectors(_SOURCE, questions):
            vectors.update(zip((questions[place] for place in places), batch, strict=True))
        for places, batch in self._vectors(_CANDIDATE, [answer for _, answer in items]):
            asked = torch.stack([vectors[items[place][0]] for place in places])
            yield places, (asked * batch).sum(dim=1).numpy()

    def _vectors(
        self, marker: str, texts: Sequence[str]
    ) -> Iterator[tuple[list[int], torch.Tensor]]:
        mark = self._tokenizer.id_of(marker)
        room = self._rooms[marker]
        rows = [self._frame.row([mark, *ids[:room]]) for ids in self._tokenizer.encode(texts)]
        return computed(rows, self._forward, self._device, self._pad_id, self._max_batch_tokens)

    def _forward(self, ids: torch.Tensor, mask: torch.Tensor, _: torch.Tensor) -> torch.Tensor:
        hidden = self._model(input_ids=ids, attention_mask=mask).last_hidden_state
        return normalize(hidden[:, 0].float(), dim=-1)


def _one_encoder(source: Checkpoint) -> dict[str, torch.Tensor]:
    known = ("source_encoder.", "candidate_encoder.")
    other = sorted(name for name in source.weights if not name.startswith(known))
    if other:
        raise CheckpointError(f"{source.folder}: weights of no SimCLS ranker: {other[0]}, ...")
    first, second = (inner(source.weights, prefix) for prefix in known)
    differing = [
        name for name in first.keys() & second.keys() if not torch.equal(first[name], second[name])
    ]
    if differing:
        raise CheckpointError(
            f"{source.folder}: source_encoder and candidate_encoder differ "
            f"({min(differing)}); SimCLS rankers have one encoder for both"
        )
    return {**second, **first}
