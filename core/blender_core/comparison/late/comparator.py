"""Late comparison as a comparator: from pairs of texts to logits."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from blender_core.candidates import Pair
from blender_core.comparison.late.checkpoint import read_late, write_late
from blender_core.comparison.late.model import LateModel, Read
from blender_core.comparison.late.reading import Item, ReadingEncoder
from blender_core.comparison.late.style import style
from blender_core.comparison.read_once import ReadOnceComparator, items_of
from blender_core.models.batching import pack
from blender_core.models.files import resolve

__all__ = ["LateComparator"]

_PAIRS_AT_ONCE = 512

_REMEMBERED = 256
"""Readings that are kept for the next round, about 0.2 MB each."""


class LateComparator(ReadOnceComparator[Read]):
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
        super().__init__(
            device=device, dtype=dtype, max_batch_tokens=max_batch_tokens, remembered=_REMEMBERED
        )
        self.model = model.to(self.device).eval()
        self.model.encoder.to(self.dtype)
        self.encoding = encoding

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

    @torch.inference_mode()
    def _compare(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        items = list(dict.fromkeys(item for pair in pairs for item in items_of(pair)))
        place = {item: number for number, item in enumerate(items)}
        sides = torch.tensor([[place[item] for item in items_of(pair)] for pair in pairs])
        read = self._remembered(items) if self._sessions else self.read(items)
        logits = [
            self.model.compare(read.take(part[:, 0]), read.take(part[:, 1]))
            for part in torch.split(sides.to(self.device), _PAIRS_AT_ONCE)
        ]
        result: NDArray[np.float32] = torch.cat(logits).cpu().numpy()
        return result

    def _remembered(self, items: Sequence[Item]) -> Read:
        """Readings of these, in their order; those of earlier rounds are not made again."""
        missing = [item for item in items if item not in self._known]
        fresh: dict[Item, Read] = {}
        if missing:
            read = self.read(missing)
            for place, item in enumerate(missing):
                fresh[item] = read.take(torch.tensor([place], device=self.device))
        return joined(self._kept(items, fresh))

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
