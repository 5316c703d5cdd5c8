"""What the frozen encoder and the tables are shown of a text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blender_core.comparison.encoders.encoder import padded
from blender_core.comparison.pointwise.rows import Frame
from blender_core.comparison.worth.grams import ending_grams, opening_grams, token_pairs
from blender_core.errors import InputError
from blender_core.models.batching import pack
from blender_core.models.tokenizer import TextTokenizer

__all__ = ["PART", "TextReader", "TextReading"]

PART = 96
"""Tokens that are read of each end of a text unless the encoder has fewer positions."""

_LAST = 4
"""Tokens at the end whose states tell whether a text is whole."""


@dataclass(frozen=True, slots=True, eq=False)
class TextReading:
    """A text as it was read; all vectors are float32[hidden].

    Attributes:
        opening: mean of the states of its first tokens, of length 1.
        ending: the same of its last tokens; where the text is short, of all.
        last: mean of the states of the last few.
        coherence: float32[2], how long the two means were beside their tokens' states: words that
            have nothing to do with each other point everywhere.
        grams: rows of the runs of characters of opening and ending, and of pairs of tokens.
    """

    opening: NDArray[np.float32]
    ending: NDArray[np.float32]
    last: NDArray[np.float32]
    coherence: NDArray[np.float32]
    grams: tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


class TextReader:
    """Reads texts with an encoder of sentences as it comes.

    Questions and answers are read apart, as such encoders are trained to. Of a long text the
    first and the last `part` tokens are read.

    Args:
        encoder: BERT-like, float32, on the CPU.
        tokenizer: of it.
        part: tokens, frame included, of each of the two.

    Raises:
        InputError: the encoder has fewer positions.
    """

    def __init__(self, encoder: Any, tokenizer: TextTokenizer, part: int = PART) -> None:
        positions = getattr(encoder.config, "max_position_embeddings", None)
        if positions is not None and part > positions:
            raise InputError(f"part_length is {part}, but the encoder has {positions} positions")
        self.encoder = encoder
        self.tokenizer = tokenizer
        self.part = part
        self._frame = Frame.of(tokenizer.full, texts=1)
        self._room = part - len(self._frame)

    @property
    def hidden(self) -> int:
        """How long a vector is."""
        size: int = self.encoder.config.hidden_size
        return size

    def read(self, texts: Sequence[str], max_batch_tokens: int) -> list[TextReading]:
        """The readings of texts; each depends on its own text alone."""
        ids = [np.array(some, dtype=np.int64) for some in self.tokenizer.encode(texts)]
        parts = [self._parts(some) for some in ids]
        rows = [row for some in parts for row in some]
        states = self._states(rows, max_batch_tokens)
        readings = []
        place = 0
        for text, mine in zip(texts, parts, strict=True):
            first, last = states[place], states[place + len(mine) - 1]
            place += len(mine)
            pairs = np.concatenate([token_pairs(row[1:-1]) for row in mine])
            readings.append(
                TextReading(
                    first.mean,
                    last.mean,
                    last.last,
                    np.array([first.coherence, last.coherence], dtype=np.float32),
                    (opening_grams(text), ending_grams(text), pairs),
                )
            )
        return readings

    def _parts(self, ids: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        room = self._room
        texts = [ids] if len(ids) <= room else [ids[:room], ids[-room:]]
        return [np.array(self._frame.row(text.tolist()).ids, dtype=np.int64) for text in texts]

    @torch.inference_mode()
    def _states(self, rows: Sequence[NDArray[np.int64]], max_batch_tokens: int) -> list[_State]:
        device = next(self.encoder.parameters()).device
        found: list[_State | None] = [None] * len(rows)
        for batch in pack([len(row) for row in rows], max_batch_tokens):
            ids, mask = padded([rows[place] for place in batch], 0, device)
            states = self.encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state
            for place, state in zip(batch, _pooled(states.float(), mask), strict=True):
                found[place] = state
        return [state for state in found if state is not None]


@dataclass(frozen=True, slots=True, eq=False)
class _State:
    mean: NDArray[np.float32]
    last: NDArray[np.float32]
    coherence: float


def _pooled(states: Tensor, mask: Tensor) -> list[_State]:
    weights = mask.to(states.dtype)[:, :, None]
    lengths = weights.sum(dim=1)
    mean = (states * weights).sum(dim=1) / lengths
    sizes = (states.norm(dim=2, keepdim=True) * weights).sum(dim=1) / lengths
    coherence = mean.norm(dim=1) / sizes.squeeze(1)
    unit = torch.nn.functional.normalize(mean, dim=1).cpu().numpy()
    place = torch.arange(states.shape[1], device=states.device)[None, :, None]
    # The closing token of the frame is the last one and says nothing of the text.
    near_end = (
        (place < lengths[:, None] - 1) & (place >= lengths[:, None] - 1 - _LAST) & (place > 0)
    )
    chosen = near_end.to(states.dtype)
    last = (states * chosen).sum(dim=1) / chosen.sum(dim=1).clamp(min=1.0)
    tails = torch.nn.functional.normalize(last, dim=1).cpu().numpy()
    return [_State(unit[k], tails[k], float(coherence[k])) for k in range(len(unit))]
