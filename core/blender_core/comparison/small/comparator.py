"""The small ranker as a comparator: the mini one, corrected by a language model."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file

from blender_core.causal.model import CausalModel
from blender_core.comparison.checkpoints.descriptions import Small
from blender_core.comparison.checkpoints.layouts import SMALL_FORMAT
from blender_core.comparison.late.reading import Item
from blender_core.comparison.read_once import ByWorth
from blender_core.comparison.small.figures import FIGURES
from blender_core.comparison.small.head import SmallHead
from blender_core.comparison.small.reader import SmallReader
from blender_core.comparison.worth.comparator import WorthComparator, refuse_lengths
from blender_core.errors import CheckpointError
from blender_core.models.building import built
from blender_core.models.files import read_json, read_weights, resolve, told_by
from blender_core.validation import held_to

__all__ = ["SmallComparator"]

_REMEMBERED = 4096


class SmallComparator(ByWorth):
    """Compares two answers by what each is worth: the mini ranker, and a language model.

    Args:
        head: what was learnt.
        base: the comparator that is corrected.
        reader: of the language model.
    """

    def __init__(self, head: SmallHead, base: WorthComparator, reader: SmallReader) -> None:
        super().__init__(
            device=base.device,
            dtype=base.dtype,
            max_batch_tokens=base.max_batch_tokens,
            remembered=_REMEMBERED,
        )
        self.head = head.eval()
        self.base = base
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
    ) -> SmallComparator:
        """Load a checkpoint; see `PairRanker.from_pretrained` for the arguments and errors.

        Raises:
            MissingExtraError: the language model's package is not installed.
        """
        refuse_lengths(
            source_max_length=source_max_length, candidate_max_length=candidate_max_length
        )
        folder = resolve(
            model,
            revision=revision,
            cache_folder=cache_folder,
            local_files_only=local_files_only,
            token=token,
        )
        file = folder / "config.json"
        told = held_to(Small, read_json(file), file)
        if told.figures != list(FIGURES):
            raise CheckpointError(
                f"{folder}: reads other figures of answers than this version computes; it was "
                "made by another version of blended-llm"
            )
        base = _mini()
        if told.base_sha256 != _sha256(base):
            raise CheckpointError(
                f"{folder}: corrects another pairranker-mini than the one in this package; it was "
                "made by another version of blended-llm"
            )
        head = built(lambda: SmallHead(told.width), read_weights(folder), folder)
        with told_by(file):
            reader = SmallReader(
                CausalModel.from_pretrained(
                    told.language_model,
                    device=device,
                    dtype=dtype,
                    local_files_only=local_files_only,
                    max_batch_tokens=max_batch_tokens,
                )
            )
        return cls(
            head,
            WorthComparator.from_pretrained(base, device=device, max_batch_tokens=max_batch_tokens),
            reader,
        )

    def save_pretrained(self, folder: str | PathLike[str], *, language_model: str) -> None:
        """Write what was learnt: config.json, model.safetensors.

        The models that read are not written: the mini ranker is in the package, and the language
        model is where it comes from.

        Args:
            folder: is made if it is missing.
            language_model: from where it is loaded, as of `CausalModel.from_pretrained`.

        Raises:
            OSError: the folder cannot be written.
        """
        path = Path(folder)
        path.mkdir(parents=True, exist_ok=True)
        config = {
            "format": SMALL_FORMAT,
            "language_model": language_model,
            "base_sha256": _sha256(_mini()),
            "figures": list(FIGURES),
            "width": self.head.width,
        }
        text = json.dumps(config, indent=2)
        (path / "config.json").write_text(text + "\n", encoding="utf-8")
        save_file(self.head.state_dict(), str(path / "model.safetensors"))

    def _worth(self, items: Sequence[Item]) -> NDArray[np.float32]:
        quality, fault = self.base.parts(items)
        figures = torch.from_numpy(self.reader.read(items))
        with torch.inference_mode():
            more, less = self.head(self.head.told(figures, quality, fault))
            worth: NDArray[np.float32] = (more - less).numpy()
        return worth


def _mini() -> Path:
    from blender_core.comparison.loading import SHIPPED

    return SHIPPED


def _sha256(folder: Path) -> str:
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
