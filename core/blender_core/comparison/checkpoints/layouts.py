"""The layouts in which pairwise cross-encoders are published, read into one description.

* ``llm-blender/PairRM`` and ``llm-blender/pair-ranker``: ``config.json`` is LLM-Blender's own and
  names a base model for the encoder's config (and for the tokenizer, where none is there).
* ``llm-blender/PairRM-hf``: ``config.json`` is the encoder's, with the ids of the markers added.
* our own: ``config.json`` says so and holds the encoder's config.

Weights have the same names in all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import AddedToken

from blender_core.comparison.checkpoints.base_configs import BASE_CONFIGS
from blender_core.comparison.checkpoints.descriptions import Hf, Original, Own
from blender_core.comparison.encoding import Limits, Markers
from blender_core.errors import CheckpointError, InputError
from blender_core.models.files import read_json, told_by
from blender_core.models.tokenizer import TextTokenizer, read_tokenizer
from blender_core.models.vocabulary import vocabulary_file, vocabulary_in
from blender_core.validation import held_to

__all__ = ["LATE_FORMAT", "OWN_FORMAT", "SMALL_FORMAT", "WORTH_FORMAT", "Layout", "is_pairwise"]
__all__ += ["read_layout"]

OWN_FORMAT = "blended-llm/pair-ranker"
"""The value of ``"format"`` in the config.json of our own layout."""

LATE_FORMAT = "blended-llm/late-pair-ranker"
"""The same for comparators that read each answer once; see `comparison.late`."""

WORTH_FORMAT = "blended-llm/worth-ranker"
"""The same for comparators that say what each answer is worth; see `comparison.worth`."""

SMALL_FORMAT = "blended-llm/small-ranker"
"""The same for those that a language model corrects; see `comparison.small`."""

Fetch = Callable[[str], Path]
"""From the name of a base model to a folder with its config and tokenizer."""


@dataclass(frozen=True, slots=True)
class Layout:
    """All of a pairwise checkpoint but its weights.

    Attributes:
        encoder: the encoder's transformers config, as a dict with ``model_type``.
        tokenizer: with the markers in its vocabulary.
        markers: their names.
        limits: tokens of the parts of a row.
        n_tasks: outputs of the head.
        drop_out: of the head, while training.
    """

    encoder: dict[str, Any]
    tokenizer: TextTokenizer
    markers: Markers
    limits: Limits
    n_tasks: int
    drop_out: float


def is_pairwise(config: Mapping[str, Any]) -> bool:
    """Whether a config.json is that of a pairwise ranker, in any of the layouts."""
    return (
        config.get("format") in (OWN_FORMAT, LATE_FORMAT, SMALL_FORMAT, WORTH_FORMAT)
        or config.get("ranker_type") == "pairranker"
        or "cand1_prefix_id" in config
    )


def read_layout(folder: Path, fetch_base: Fetch, base_model: str | None = None) -> Layout:
    """Read a checkpoint's description.

    Args:
        folder: of the checkpoint.
        fetch_base: called for a base model's folder, if one is needed.
        base_model: overrides the name of the base model.

    Raises:
        CheckpointError: the folder's layout is unknown or something in it is wrong.
    """
    file = folder / "config.json"
    config = read_json(file)
    if config.get("format") == OWN_FORMAT:
        return _own(folder, held_to(Own, config, file))
    if "ranker_type" in config:
        return _original(folder, held_to(Original, config, file), fetch_base, base_model)
    if "cand1_prefix_id" in config:
        return _hf(folder, config, held_to(Hf, config, file))
    raise CheckpointError(
        f"{file}: not a pairwise ranker's config: it has neither 'ranker_type' (llm-blender/PairRM)"
        f' nor \'cand1_prefix_id\' (llm-blender/PairRM-hf) nor "format": "{OWN_FORMAT}". '
        "A reward model that scores one answer at a time is loaded with "
        "PointwiseRanker.from_pretrained"
    )


def _own(folder: Path, told: Own) -> Layout:
    return Layout(
        encoder=told.encoder,
        tokenizer=TextTokenizer.from_file(folder / "tokenizer.json", tuple(told.markers)),
        markers=told.markers,
        limits=told.limits,
        n_tasks=told.n_tasks,
        drop_out=told.drop_out,
    )


def _hf(folder: Path, config: dict[str, Any], told: Hf) -> Layout:
    file = folder / "tokenizer.json"
    vocabulary = read_tokenizer(file)
    names: dict[str, str] = {}
    for field, key in (
        ("source", "source_prefix_id"),
        ("first", "cand1_prefix_id"),
        ("second", "cand2_prefix_id"),
        ("candidate", "cand_prefix_id"),
    ):
        place = getattr(told, key)
        name = vocabulary.id_to_token(place)
        if name is None:
            raise CheckpointError(f"{folder}: tokenizer.json has no token of {key} {place}")
        names[field] = name
    try:
        markers = Markers(**names)
    except InputError as error:
        raise CheckpointError(f"{folder / 'config.json'}: {error}") from None
    return Layout(
        encoder=config,
        tokenizer=TextTokenizer(vocabulary, tuple(markers), file),
        markers=markers,
        limits=Limits(source=1224, candidate=412),  # fixed in that model's published code
        n_tasks=told.n_tasks,
        drop_out=told.drop_out,
    )


def _original(folder: Path, told: Original, fetch_base: Fetch, base_model: str | None) -> Layout:
    if told.ranker_type != "pairranker":
        raise CheckpointError(
            f"{folder}: a {told.ranker_type!r} ranker scores one answer at a time; "
            "load it with PointwiseRanker.from_pretrained"
        )
    markers = Markers()
    name = base_model or told.model_name
    if name is None:
        raise CheckpointError(
            f"{folder / 'config.json'}: names no base model ('model_name'); pass base_model=..."
        )
    encoder = None if base_model else BASE_CONFIGS.get(name)
    vocabulary = folder / "tokenizer.json"
    base = None
    if encoder is None or not vocabulary.is_file():
        with told_by(folder / "config.json", unless=base_model):
            base = fetch_base(name)
    if encoder is None and base is not None:
        encoder = read_json(base / "config.json")
    home = folder if vocabulary.is_file() else base or folder
    tokenizer = vocabulary_in(home)
    # The original adds its four markers right after the base model's last id.
    tokenizer.add_tokens([AddedToken(token, normalized=True) for token in markers])
    return Layout(
        encoder=encoder or {},
        tokenizer=TextTokenizer(tokenizer, tuple(markers), vocabulary_file(home)),
        markers=markers,
        limits=Limits(told.source_maxlength, told.candidate_maxlength),
        n_tasks=told.n_tasks,
        drop_out=told.drop_out,
    )
