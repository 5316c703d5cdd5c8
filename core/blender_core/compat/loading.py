"""What `loadranker` loads: a pairwise checkpoint or else a reward model; and its lengths."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

from blender_core.errors import InputError
from blender_core.models.files import read_json, resolve
from blender_core.ranking.pair_ranker import PairRanker
from blender_core.ranking.pointwise_ranker import PointwiseRanker
from blender_core.ranking.ranker import Ranker

if TYPE_CHECKING:
    import torch

__all__ = ["load_ranker", "renamed", "with_limits"]

_RENAMED = {
    "cache_dir": "cache_folder",
    "source_maxlength": "source_max_length",
    "candidate_maxlength": "candidate_max_length",
    "torch_dtype": "dtype",
}

_ACCESS = ("revision", "cache_folder", "local_files_only", "token")


def renamed(options: Mapping[str, Any]) -> dict[str, Any]:
    """Loading options, those of the original's config classes by our names.

    >>> renamed({"cache_dir": "models", "dtype": "float32"})
    {'cache_folder': 'models', 'dtype': 'float32'}
    """
    return {_RENAMED.get(name, name): value for name, value in options.items()}


def load_ranker(
    model: str | PathLike[str], device: str | torch.device | None, options: Mapping[str, Any]
) -> Ranker:
    """Load whichever kind of ranker the checkpoint is.

    Raises:
        CheckpointError: it is missing, broken or neither kind.
    """
    from blender_core.comparison.checkpoints.layouts import is_pairwise

    folder = resolve(model, **{name: options[name] for name in _ACCESS if name in options})
    config = read_json(folder / "config.json")
    kind = PairRanker if is_pairwise(config) else PointwiseRanker
    return kind.from_pretrained(folder, device=device, **options)


def with_limits(ranker: Ranker, source: int | None, candidate: int | None) -> Ranker:
    """The same ranker with other lengths, in tokens; None keeps the ranker's own.

    Raises:
        InputError: it has no such lengths, or they are not usable.
    """
    if source is None and candidate is None:
        return ranker
    from blender_core.comparison.cross_encoder import CrossEncoder
    from blender_core.comparison.encoding import Limits

    if not isinstance(ranker, PairRanker) or not isinstance(ranker.comparator, CrossEncoder):
        raise InputError(
            "'source_max_length' and 'candidate_max_length' are lengths of a pairwise "
            "checkpoint; a reward model is given its 'max_length' when it is loaded"
        )
    own = ranker.comparator.pairs.limits
    limits = Limits(
        own.source if source is None else source,
        own.candidate if candidate is None else candidate,
    )
    return PairRanker(ranker.comparator.with_limits(limits))
