"""Late comparison as a comparator: from pairs of texts to logits."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from threading import Lock

import numpy as np
import torch
from numpy.typing import NDArray

from blender_core.candidates import Pair
from blender_core.comparison.late.checkpoint import read_late, write_late
from blender_core.comparison.late.model import LateModel, Read
from blender_core.comparison.late.reading import Item, ReadingEncoder
from blender_core.comparison.late.style import style
from blender_core.errors import ModelOutputError
from blender_core.models.batching import pack
from blender_core.models.devices import pick_batch_tokens, pick_device, pick_dtype
from blender_core.models.files import resolve

__all__ = ["LateComparator", "items_of", "parts_of"]

_ITEMS_AT_ONCE = 256
"""Answers read before their pairs are compared: enough to fill batches of every length."""

_PAIRS_AT_ONCE = 512

_REMEMBERED = 256
"""Readings that are kept for the next round, about 0.2 MB each."""


class LateComparator:
    """Compares two answers by what an encoder read of each, N passes for all pairs of N answers.

    Args:
        model: on the CPU, in float32.
        encoding: makes its rows.
        device: where to compute; None takes an accelerator if there is one.
        dtype: precision of the encoder; None is float32 on a CPU.
        max_batch_tokens: tokens, padding included, of one forward pass; None takes what was
            measured to be fast on the device.
    """

    def __init__(
        self,
        model: LateModel,
        encoding: ReadingEncoder,
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        max_batch_tokens: int | None = None,
    ) -> None:
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        self.max_batch_tokens = pick_batch_tokens(max_batch_tokens, self.device)
        self.model = model.to(self.device).eval()
        self.model.encoder.to(self.dtype)
        self.encoding = encoding
        # Concurrent callers take turns: batches side by side only compete for cores and memory.
        self._turn = Lock()
        self._readings: dict[Item, Read] = {}
        self._sessions = 0

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
        max_batch_tokens: int | None = None,
        source_max_length: int | None = None,
        candidate_max_length: int | None = None,
    ) -> LateComparator:
        """Load a checkpoint; see `PairRanker.from_pretrained` for the arguments and errors."""
        folder = resolve(
            model,
            revision=revision,
            cache_folder=cache_folder,
            local_files_only=local_files_only,
            token=token,
        )
        network, encoding = read_late(
            folder,
            source_max_length=source_max_length,
            candidate_max_length=candidate_max_length,
        )
        return cls(network, encoding, device=device, dtype=dtype, max_batch_tokens=max_batch_tokens)

    def save_pretrained(
        self, folder: str | PathLike[str], *, dtype: torch.dtype = torch.float32
    ) -> None:
        """Write the checkpoint: config.json, model.safetensors, tokenizer.json.

        Args:
            folder: is made if it is missing.
            dtype: of the weights in the file.

        Raises:
            OSError: the folder cannot be written.
        """
        write_late(Path(folder), self.model, self.encoding, dtype)

    def logits(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        """Compare, one logit a pair.

        Returns:
            float32[len(pairs)], > 0 where the first-shown answer is better; swapping the answers
            flips the sign. A pair's logit does not depend on the other pairs.

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
        """Like `logits`, part by part: yields places in `pairs` and their logits."""
        for places in parts_of(pairs):
            logits = self._compare([pairs[place] for place in places])
            bad = np.flatnonzero(~np.isfinite(logits))
            if len(bad):
                question = pairs[places[int(bad[0])]].instruction
                raise ModelOutputError(
                    f"the model answered with NaN or infinity on {len(bad)} pairs, first on the "
                    f"question {question[:60]!r}. Its weights are broken, or {self.dtype} is too "
                    "narrow for it: try dtype='float32'"
                )
            yield np.array(places), logits

    @torch.inference_mode()
    def _compare(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        items = list(dict.fromkeys(item for pair in pairs for item in items_of(pair)))
        place = {item: number for number, item in enumerate(items)}
        sides = torch.tensor([[place[item] for item in items_of(pair)] for pair in pairs])
        with self._turn:
            read = self._remembered(items) if self._sessions else self.read(items)
            logits = [
                self.model.compare(read.take(part[:, 0]), read.take(part[:, 1]))
                for part in torch.split(sides.to(self.device), _PAIRS_AT_ONCE)
            ]
        result: NDArray[np.float32] = torch.cat(logits).cpu().numpy()
        return result

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """While this lasts, the latest 256 answers are not read again: see `RoundsComparator`."""
        with self._turn:
            self._sessions += 1
        try:
            yield
        finally:
            with self._turn:
                self._sessions -= 1
                if not self._sessions:
                    self._readings.clear()

    def _remembered(self, items: Sequence[Item]) -> Read:
        """Readings of these, in their order; those of earlier rounds are not made again."""
        missing = [item for item in items if item not in self._readings]
        if missing:
            fresh = self.read(missing)
            for place, item in enumerate(missing):
                self._readings[item] = fresh.take(torch.tensor([place], device=self.device))
        read = joined([self._readings[item] for item in items])
        # The latest ones are the last ones.
        asked = set(items)
        latest = [*(item for item in self._readings if item not in asked), *items]
        self._readings = {item: self._readings[item] for item in latest[-_REMEMBERED:]}
        return read

    def read(self, items: Sequence[Item]) -> Read:
        """Have the encoder read answers, in batches, and put them together in their order."""
        readings = self.encoding(items)
        figures = torch.from_numpy(np.stack([style(*item) for item in items]))
        batches = pack([len(one) for one in readings], self.max_batch_tokens)
        parts = [
            self.model.read(
                [readings[place] for place in batch], figures[batch], self.encoding.marker_place
            )
            for batch in batches
        ]
        order = torch.tensor([place for batch in batches for place in batch]).argsort()
        return joined(parts).take(order.to(self.device))


def joined(parts: Sequence[Read]) -> Read:
    """Batches of readings as one, padded to the one with most words."""
    if len(parts) == 1:
        return parts[0]
    words = max(part.hidden.shape[1] for part in parts)

    def wider(tensor: torch.Tensor, value: float) -> torch.Tensor:
        missing = words - tensor.shape[1]
        return torch.nn.functional.pad(
            tensor, (0, 0) * (tensor.ndim - 2) + (0, missing), value=value
        )

    return Read(
        torch.cat([part.worth for part in parts]),
        torch.cat([part.queries for part in parts]),
        torch.cat([wider(part.keys, 0.0) for part in parts]),
        torch.cat([wider(part.values, 0.0) for part in parts]),
        torch.cat([wider(part.hidden, True) for part in parts]),
    )


def items_of(pair: Pair) -> tuple[Item, Item]:
    """Both answers of a pair, each with its question."""
    return (pair.instruction, pair.first), (pair.instruction, pair.second)


def parts_of(pairs: Sequence[Pair]) -> Iterator[list[int]]:
    """Places of pairs that are read together: all pairs of a question as far as possible."""
    by_question: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        by_question.setdefault(pair.instruction, []).append(place)
    part: list[int] = []
    items: set[Item] = set()
    for places in by_question.values():
        for place in places:
            part.append(place)
            items.update(items_of(pairs[place]))
            if len(items) >= 4 * _ITEMS_AT_ONCE:  # a question with very many answers
                yield part
                part, items = [], set()
        if len(items) >= _ITEMS_AT_ONCE:
            yield part
            part, items = [], set()
    if part:
        yield part
