"""From a checkpoint to the comparator of its kind."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blender_core.comparison.checkpoints.layouts import LATE_FORMAT, SMALL_FORMAT, WORTH_FORMAT
from blender_core.models.files import read_json, resolve

if TYPE_CHECKING:
    from blender_core.belief.calibrator import Calibrator
    from blender_core.comparison.comparator import StreamingComparator

__all__ = ["SHIPPED", "SHIPPED_RANKERS", "load_calibrator", "load_comparator"]

SHIPPED = Path(__file__).with_name("shipped") / "pairranker-mini"
"""The folder of the checkpoint that comes with the package."""

SHIPPED_RANKERS = {"mini": SHIPPED, "small": SHIPPED.with_name("pairranker-small")}
"""Folders of the pairwise rankers in the package, by name; ``small`` takes a language model."""


def load_comparator(
    model: str | PathLike[str],
    *,
    base_model: str | PathLike[str] | None = None,
    revision: str | None = None,
    cache_folder: str | PathLike[str] | None = None,
    local_files_only: bool = False,
    token: str | bool | None = None,
    **options: Any,
) -> StreamingComparator:
    """Load a pairwise checkpoint in any layout; see `PairRanker.from_pretrained`."""
    access: dict[str, Any] = {
        "revision": revision,
        "cache_folder": cache_folder,
        "local_files_only": local_files_only,
        "token": token,
    }
    folder = resolve(model, **access, allow_patterns=["config.json"])
    layout = read_json(folder / "config.json").get("format")
    if layout == WORTH_FORMAT:
        from blender_core.comparison.worth.comparator import WorthComparator

        return WorthComparator.from_pretrained(model, **access, **options)
    if layout == SMALL_FORMAT:
        from blender_core.comparison.small.comparator import SmallComparator

        return SmallComparator.from_pretrained(model, **access, **options)
    if layout == LATE_FORMAT:
        from blender_core.comparison.late.comparator import LateComparator

        return LateComparator.from_pretrained(model, **access, **options)
    from blender_core.comparison.cross_encoder import CrossEncoder

    return CrossEncoder.from_pretrained(model, base_model=base_model, **access, **options)


def load_calibrator(model: str | PathLike[str], **access: Any) -> Calibrator | None:
    """The calibration that lies beside a checkpoint, if there is one.

    Args:
        model: hub id or folder.
        access: how it is reached, as of `resolve`.

    Raises:
        CheckpointError: it is broken.
    """
    from blender_core.belief.calibrator import CALIBRATION_FILE, Calibrator

    return Calibrator.load(resolve(model, **access, allow_patterns=[CALIBRATION_FILE]))
