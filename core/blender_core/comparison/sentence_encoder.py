"""Sentence embeddings by mean pooling, as sentence-transformers' models of that kind make them."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blender_core.checks import positive
from blender_core.comparison.encoders.encoder import padded
from blender_core.comparison.pointwise.rows import Frame
from blender_core.models.batching import pack
from blender_core.models.building import bare_encoder, built, encoder_config
from blender_core.models.devices import pick_batch_tokens, pick_device, pick_dtype
from blender_core.models.files import read_json, read_weights, resolve
from blender_core.models.tokenizer import TextTokenizer

__all__ = ["SentenceEncoder"]


class SentenceEncoder:
    """From texts to vectors: the mean of the last layer over all tokens.

    Args:
        encoder: float32, on the CPU.
        tokenizer: of it.
        device: where to compute; None takes an accelerator if there is one.
        dtype: of the weights.
        max_batch_tokens: tokens, padding included, of one forward pass.
        max_length: tokens that are read of a text.
    """

    def __init__(
        self,
        encoder: Any,
        tokenizer: TextTokenizer,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        max_batch_tokens: int | None = None,
        max_length: int = 256,
    ) -> None:
        self.device = pick_device(device)
        self.encoder = encoder.to(self.device, pick_dtype(dtype, self.device)).eval()
        self.tokenizer = tokenizer
        self.max_batch_tokens = pick_batch_tokens(max_batch_tokens, self.device)
        self._frame = Frame.of(tokenizer.full, texts=1)
        self._room = positive("max_length", max_length) - len(self._frame)

    @classmethod
    def from_pretrained(
        cls, model: str | PathLike[str], *, max_length: int = 256, **options: Any
    ) -> SentenceEncoder:
        """Load a BERT-like encoder from a hub id or folder.

        Raises:
            CheckpointError: it cannot be read.
        """
        folder = resolve(model)
        weights = read_weights(folder)
        config = encoder_config(read_json(folder / "config.json"), weights, "", folder)
        encoder = built(lambda: bare_encoder(config, folder), weights, folder)
        tokenizer = TextTokenizer.from_file(folder / "tokenizer.json")
        return cls(encoder, tokenizer, max_length=max_length, **options)

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """The texts' vectors, float32[len(texts), hidden]; of each its first tokens are read."""
        return self._vectors([ids[: self._room] for ids in self.tokenizer.encode(texts)])

    def encode_windows(
        self, texts: Sequence[str], overlap: int = 64
    ) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
        """Vectors of whole texts: one that is too long to be read at once has several.

        Args:
            texts: N texts of any lengths.
            overlap: tokens that a window shares with the one before it.

        Returns:
            The windows' vectors, float32[windows, hidden], and whose they are: int64[N + 1], text
            i has those from `starts[i]` to before `starts[i + 1]`, at least one.
        """
        step = max(1, self._room - overlap)
        windows: list[list[int]] = []
        starts = [0]
        for ids in self.tokenizer.encode(texts):
            last = max(1, len(ids) - min(overlap, self._room - 1))
            windows += [ids[start : start + self._room] for start in range(0, last, step)]
            starts.append(len(windows))
        return self._vectors(windows), np.array(starts, dtype=np.int64)

    @torch.inference_mode()
    def _vectors(self, texts: Sequence[list[int]]) -> NDArray[np.float32]:
        rows = [np.array(self._frame.row(ids).ids) for ids in texts]
        result = np.empty((len(rows), self.encoder.config.hidden_size), dtype=np.float32)
        for batch in pack([len(row) for row in rows], self.max_batch_tokens):
            ids, mask = padded([rows[place] for place in batch], 0, self.device)
            states = self.encoder(input_ids=ids, attention_mask=mask.long()).last_hidden_state
            weights = mask[:, :, None].float()
            mean = (states.float() * weights).sum(dim=1) / weights.sum(dim=1)
            result[batch] = mean.cpu().numpy()
        return result
