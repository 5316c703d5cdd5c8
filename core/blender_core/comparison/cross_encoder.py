"""The cross-encoder as a comparator: from pairs of texts to logits, in well-filled batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blender_core.candidates import Pair
from blender_core.comparison.checkpoints.layouts import Layout, read_layout
from blender_core.comparison.checkpoints.own import write_own
from blender_core.comparison.encoding import Limits, Markers, PairEncoder, Row
from blender_core.comparison.pair_model import PairModel
from blender_core.errors import InputError, ModelOutputError
from blender_core.forking import Turn
from blender_core.models.batching import pack
from blender_core.models.building import bare_encoder, built, encoder_config
from blender_core.models.devices import pick_batch_tokens, pick_device, pick_dtype
from blender_core.models.files import read_weights, resolve, told_by
from blender_core.models.tokenizer import TextTokenizer

__all__ = ["CrossEncoder"]

_BASE_FILES = ["config.json", "tokenizer.json", "spm.model"]


class CrossEncoder:
    """Compares two answers by reading the question and both of them together.

    Args:
        model: on the CPU, in float32.
        tokenizer: with the markers in its vocabulary.
        limits: tokens of the parts of a row.
        markers: names of the markers; None takes LLM-Blender's.
        device: where to compute; None takes an accelerator if there is one.
        dtype: precision of the encoder; the head computes in float32 or better.
        max_batch_tokens: tokens, padding included, of one forward pass; None takes what was
            measured to be fast on the device.

    Raises:
        InputError: the limits exceed the positions the encoder has.
    """

    def __init__(
        self,
        model: PairModel,
        tokenizer: TextTokenizer,
        limits: Limits,
        markers: Markers | None = None,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        max_batch_tokens: int | None = None,
    ) -> None:
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        self.max_batch_tokens = pick_batch_tokens(max_batch_tokens, self.device)
        self.model = model.eval()
        self.model.pretrained_model.to(self.device, self.dtype)
        # The head is small and decides: it keeps all the bits its weights have.
        self.model.head_layer.to(self.device, max(self.dtype, torch.float32, key=_precision))
        self.pairs = _pair_encoder(self.model, tokenizer, limits, markers)
        self._encoder = self.model.encoder(
            self.pairs.marker_place,
            model.pretrained_model.config.pad_token_id or 0,
            inference=True,
        )
        # Concurrent callers take turns: batches side by side only compete for cores and memory.
        self._turn = Turn()

    @classmethod
    def from_pretrained(
        cls,
        model: str | PathLike[str],
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        revision: str | None = None,
        cache_folder: str | PathLike[str] | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        base_model: str | PathLike[str] | None = None,
        max_batch_tokens: int | None = None,
        source_max_length: int | None = None,
        candidate_max_length: int | None = None,
    ) -> CrossEncoder:
        """Load a checkpoint; see `PairRanker.from_pretrained` for the arguments and errors."""
        access: dict[str, Any] = {
            "cache_folder": cache_folder,
            "local_files_only": local_files_only,
            "token": token,
        }
        folder = resolve(model, revision=revision, **access)
        layout = read_layout(
            folder,
            fetch_base=lambda name: resolve(name, allow_patterns=_BASE_FILES, **access),
            base_model=None if base_model is None else str(base_model),
        )
        limits = Limits(
            layout.limits.source if source_max_length is None else source_max_length,
            layout.limits.candidate if candidate_max_length is None else candidate_max_length,
        )
        network = _load_model(folder, layout)
        # Made once more below, where the caller's own arguments may be at fault.
        with told_by(folder / "config.json", unless=source_max_length or candidate_max_length):
            _pair_encoder(network, layout.tokenizer, limits, layout.markers)
        return cls(
            network,
            layout.tokenizer,
            limits,
            layout.markers,
            device=device,
            dtype=dtype,
            max_batch_tokens=max_batch_tokens,
        )

    def save_pretrained(self, folder: str | PathLike[str]) -> None:
        """Write the checkpoint in our own layout: config.json, model.safetensors, tokenizer.json.

        Raises:
            OSError: the folder cannot be written.
        """
        write_own(
            Path(folder),
            self.model,
            self.pairs.tokenizer,
            self.pairs.markers,
            self.pairs.limits,
        )

    def with_limits(self, limits: Limits) -> CrossEncoder:
        """The same model, not copied, with other lengths.

        Raises:
            InputError: the limits exceed the positions the encoder has.
        """
        other = copy(self)
        other.pairs = _pair_encoder(self.model, self.pairs.tokenizer, limits, self.pairs.markers)
        return other

    def logits(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        """Compare, one directional pass a pair.

        Returns:
            float32[len(pairs)], > 0 where the first-shown answer is better. A pair's logit does
            not depend on the other pairs.

        Raises:
            ModelOutputError: the model answered with NaN or infinity.
        """
        result = np.empty(len(pairs), dtype=np.float32)
        for places, logits in self.iter_logits(pairs):
            result[places] = logits
        return result

    def iter_logits(
        self, pairs: Sequence[Pair]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Like `logits`, batch by batch: yields places in `pairs` and their logits."""
        # Rows that read the same (texts differing in white space only, say) are one row: it saves
        # passes, and ties are exact.
        same: dict[tuple[int, int, int], list[int]] = {}
        rows = self.pairs.encode(pairs)
        for place, row in enumerate(rows):
            same.setdefault(row.key, []).append(place)
        groups = list(same.values())
        lengths = [len(rows[group[0]]) for group in groups]
        for batch in pack(lengths, self.max_batch_tokens):
            places = np.array([place for group in batch for place in groups[group]])
            repeats = [len(groups[group]) for group in batch]
            logits = np.repeat(self._forward([rows[groups[g][0]] for g in batch]), repeats)
            bad = ~np.isfinite(logits)
            if bad.any():
                _raise_not_finite(pairs, places[bad], self.dtype)
            yield places, logits

    @torch.inference_mode()
    def _forward(self, rows: Sequence[Row]) -> NDArray[np.float32]:
        with self._turn:
            logits: NDArray[np.float32] = self.model(rows, self._encoder).cpu().numpy()
        return logits


def _raise_not_finite(pairs: Sequence[Pair], places: NDArray[np.intp], dtype: torch.dtype) -> None:
    question = pairs[int(places[0])].instruction
    narrow = torch.finfo(dtype).bits < torch.finfo(torch.float32).bits
    hint = f", or {dtype} is too narrow for it: try dtype='float32'" if narrow else ""
    raise ModelOutputError(
        f"the model answered with NaN or infinity on {len(places)} pairs of a batch, "
        f"first on the question {question[:60]!r}. Its weights are broken{hint}"
    )


def _precision(dtype: torch.dtype) -> int:
    return torch.finfo(dtype).bits


def _pair_encoder(
    model: PairModel, tokenizer: TextTokenizer, limits: Limits, markers: Markers | None
) -> PairEncoder:
    positions = _positions(model.pretrained_model.config)
    if positions is not None and limits.row > positions:
        raise InputError(
            f"source_max_length {limits.source} + 2 x candidate_max_length {limits.candidate} "
            f"= {limits.row} tokens, but the encoder has {positions} positions"
        )
    return PairEncoder(tokenizer, limits, markers)


def _positions(config: Any) -> int | None:
    """Longest row the encoder can read, or None where positions are relative throughout."""
    if getattr(config, "position_biased_input", True) is False:
        return None
    positions: int | None = getattr(config, "max_position_embeddings", None)
    if positions is not None and config.model_type in ("roberta", "xlm-roberta"):
        positions -= config.pad_token_id + 1  # these count positions from behind the padding id
    return positions


def _load_model(folder: Path, layout: Layout) -> PairModel:
    """The model, float32 on the CPU, built from its config and filled from the folder alone."""
    weights = read_weights(folder)
    config = encoder_config(layout.encoder, weights, "pretrained_model.", folder)
    return built(
        lambda: PairModel(bare_encoder(config, folder), layout.n_tasks, layout.drop_out),
        weights,
        folder,
    )
