"""From rows of token ids to numbers, in well-filled batches."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from blender_core.comparison.pointwise.rows import Row
from blender_core.models.batching import pack

__all__ = ["Forward", "ModelScorer", "computed"]

ITEMS_AT_ONCE = 4096
"""Answers tokenized and sorted together: enough to fill batches of every length."""

Forward = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]
"""From ids, attention mask and segment types, int64[B, L] each, to float[B, ...]."""


class ModelScorer(ABC):
    """A `PointwiseScorer` that runs a model; a format says how."""

    @abstractmethod
    def score_chunk(
        self, items: Sequence[tuple[str, str]]
    ) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        """Yield places in a few items and their scores, batch by batch."""

    def scores(self, items: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Score (question, answer) pairs: float32[len(items)], higher is better."""
        result = np.empty(len(items), dtype=np.float32)
        for places, scores in self.iter_scores(items):
            result[places] = scores
        return result

    def iter_scores(
        self, items: Sequence[tuple[str, str]]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Like `scores`, batch by batch: yields places in `items` and their scores."""
        for start in range(0, len(items), ITEMS_AT_ONCE):
            for places, scores in self.score_chunk(items[start : start + ITEMS_AT_ONCE]):
                yield np.array(places) + start, scores


def computed(
    rows: Sequence[Row], forward: Forward, device: torch.device, pad_id: int, max_batch_tokens: int
) -> Iterator[tuple[list[int], torch.Tensor]]:
    """Run rows through a model, those of similar length together, padded on the right.

    Yields:
        Places in `rows` and what `forward` gave for them, float32[B, ...] on the CPU.
    """
    # A row without any token, of two empty texts, is one padding token.
    rows = [row if row.ids else Row([pad_id], [0]) for row in rows]
    for places in pack([len(row) for row in rows], max_batch_tokens):
        longest = max(len(rows[place]) for place in places)
        ids = torch.full((len(places), longest), pad_id)
        mask = torch.zeros_like(ids)
        types = torch.zeros_like(ids)
        for line, place in enumerate(places):
            row = rows[place]
            ids[line, : len(row)] = torch.tensor(row.ids)
            mask[line, : len(row)] = 1
            types[line, : len(row.types)] = torch.tensor(row.types, dtype=torch.int64)
        with torch.inference_mode():
            result = forward(ids.to(device), mask.to(device), types.to(device)).float().cpu()
        yield places, result
