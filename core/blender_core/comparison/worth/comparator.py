"""What answers are worth, as a comparator: from pairs of texts to logits."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from blender_core.comparison.late.reading import Item
from blender_core.comparison.read_once import ByWorth
from blender_core.comparison.worth.checkpoint import read_worth, write_worth
from blender_core.comparison.worth.inputs import WorthInputs, figures
from blender_core.comparison.worth.model import WorthModel
from blender_core.comparison.worth.reading import TextReader
from blender_core.errors import InputError
from blender_core.models.files import resolve

__all__ = ["WorthComparator", "refuse_lengths"]

_REMEMBERED = 4096
"""Answers whose worth is kept for the next round."""


class WorthComparator(ByWorth):
    """Compares two answers by what an encoder and signs say each is worth.

    Args:
        model: on the CPU, in float32.
        reader: of its encoder.
        device: where to compute; None takes an accelerator if there is one.
        dtype: precision of the encoder; None is float32 on a CPU. The head is float32 always.
        max_batch_tokens: tokens, padding included, of one forward pass; None takes what was
            measured to be fast on the device.
    """

    def __init__(
        self,
        model: WorthModel,
        reader: TextReader,
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
        # Its tables are large and a few rows of them are read: they stay where texts are.
        self.model.head.to("cpu")
        self.reader = reader

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
    ) -> WorthComparator:
        """Load a checkpoint; see `PairRanker.from_pretrained` for the arguments and errors."""
        folder = resolve(
            model,
            revision=revision,
            cache_folder=cache_folder,
            local_files_only=local_files_only,
            token=token,
        )
        refuse_lengths(
            source_max_length=source_max_length, candidate_max_length=candidate_max_length
        )
        network, reader = read_worth(folder)
        return cls(network, reader, device=device, dtype=dtype, max_batch_tokens=max_batch_tokens)

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
        write_worth(Path(folder), self.model, self.reader, dtype)

    def _worth(self, items: Sequence[Item]) -> NDArray[np.float32]:
        quality, fault = self.parts(items)
        worth: NDArray[np.float32] = (quality - fault).numpy()
        return worth

    @torch.inference_mode()
    def parts(self, items: Sequence[Item]) -> tuple[Tensor, Tensor]:
        """Quality and the weight of the fault of answers beside their questions.

        Returns:
            float32[len(items)] each, of which worth is the difference; see `WorthHead`.
        """
        texts = list(dict.fromkeys(text for item in items for text in item))
        read = dict(zip(texts, self.reader.read(texts, self.max_batch_tokens), strict=True))
        questions, answers = ([read[item[side]] for item in items] for side in (0, 1))
        inputs = WorthInputs.of([figures(*item) for item in items], questions, answers)
        parts: tuple[Tensor, Tensor] = self.model.head(inputs)
        return parts


def refuse_lengths(**lengths: int | None) -> None:
    """Raise an `InputError` for a length that is given, by its name."""
    for name, length in lengths.items():
        if length is not None:
            raise InputError(
                f"{name} is not for this ranker: it reads the beginning and the end of each text, "
                "in the lengths it was trained with"
            )
