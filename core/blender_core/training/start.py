"""A model to begin with: an encoder that becomes a ranker, or a ranker that goes on learning."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers
from tokenizers import AddedToken, Tokenizer

from blender_core.comparison.checkpoints.layouts import LATE_FORMAT, is_pairwise
from blender_core.comparison.cross_encoder import CrossEncoder
from blender_core.comparison.encoding import Limits, Markers
from blender_core.comparison.late.checkpoint import check_positions
from blender_core.comparison.late.comparator import LateComparator
from blender_core.comparison.late.model import LateModel
from blender_core.comparison.late.reading import ReadingEncoder, ReadingLimits, ReadingMarkers
from blender_core.comparison.pair_model import PairModel
from blender_core.errors import InputError
from blender_core.models.building import filled_model
from blender_core.models.configs import transformers_config
from blender_core.models.files import read_json, read_weights, resolve
from blender_core.models.tokenizer import TextTokenizer
from blender_core.models.vocabulary import vocabulary_file, vocabulary_in
from blender_core.training.config import RankerConfig

__all__ = ["LateStart", "encoder_of", "late_to_train", "ranker_to_train", "seeded"]

_POSITIONS = 2048
"""Tokens of a row where the encoder itself sets no limit; as in PairRM."""


_LATE_POSITIONS = 256
"""Tokens of a reading unless the config says otherwise: more costs more than it tells."""


def ranker_to_train(config: RankerConfig) -> CrossEncoder:
    """The cross-encoder a training begins with, float32 on the CPU.

    `config.start` is a ranker in any layout that `PairRanker.from_pretrained` reads, or any
    encoder with a ``tokenizer.json`` or ``spm.model``. An encoder gets the markers, which start
    as copies of the token that opens a text ([CLS]; where a tokenizer has none, of the one that
    ends it), and a new head.

    Raises:
        CheckpointError: the model cannot be read.
        InputError: the lengths exceed the encoder's positions, or `config.tasks` do not fit the
            head.
    """
    folder = resolve(config.start)
    if is_pairwise(read_json(folder / "config.json")):
        ranker = CrossEncoder.from_pretrained(
            folder,
            device="cpu",
            dtype="float32",
            source_max_length=config.source_max_length,
            candidate_max_length=config.candidate_max_length,
        )
        outputs = ranker.model.head_layer[-1].out_features
        if outputs != (wanted := max(1, len(config.tasks))):
            raise InputError(
                f"{folder}: the ranker's head has {outputs} outputs, 'tasks' needs {wanted}; "
                "start from an encoder, which gets a new head"
            )
        return ranker
    return _new_ranker(folder, config)


def _new_ranker(folder: Path, config: RankerConfig) -> CrossEncoder:
    markers = Markers()
    vocabulary = vocabulary_in(folder)
    vocabulary.add_tokens([AddedToken(token, normalized=True) for token in markers])
    tokenizer = TextTokenizer(vocabulary, tuple(markers), vocabulary_file(folder))
    with seeded(config.seed):
        backbone = encoder_of(folder)
        _make_room(backbone, vocabulary)
        model = PairModel(backbone, max(1, len(config.tasks)), config.drop_out)
    _start_markers(backbone, tokenizer, markers)
    return CrossEncoder(
        model, tokenizer, _limits(backbone.config, config), markers, device="cpu", dtype="float32"
    )


@dataclass(frozen=True, slots=True)
class LateStart:
    """A late comparator, float32 on the CPU, and whether its heads are new."""

    ranker: LateComparator
    is_new: bool


def late_to_train(config: RankerConfig) -> LateStart:
    """The late comparator a training begins with.

    `config.start` is one, or any encoder-only model with a ``tokenizer.json`` or ``spm.model``.
    An encoder gets markers, the question's as a copy of the token that opens a text, the
    answer's of the one that ends it, and new heads.

    Raises:
        CheckpointError: the model cannot be read.
        InputError: the lengths exceed the encoder's positions, or the start is a ranker of
            another architecture.
    """
    folder = resolve(config.start)
    content = read_json(folder / "config.json")
    if content.get("format") == LATE_FORMAT:
        ranker = LateComparator.from_pretrained(
            folder,
            device="cpu",
            dtype="float32",
            source_max_length=config.source_max_length,
            candidate_max_length=config.candidate_max_length,
        )
        return LateStart(ranker, is_new=False)
    if is_pairwise(content):
        raise InputError(f"{folder}: is a cross-encoder; it learns on with 'architecture: cross'")
    return LateStart(_new_late(folder, config), is_new=True)


def _new_late(folder: Path, config: RankerConfig) -> LateComparator:
    markers = ReadingMarkers()
    names = (markers.source, markers.candidate)
    vocabulary = vocabulary_in(folder)
    vocabulary.add_tokens([AddedToken(token, normalized=True) for token in names])
    tokenizer = TextTokenizer(vocabulary, names, vocabulary_file(folder))
    with seeded(config.seed):
        encoder = encoder_of(folder)
        if encoder.config.is_encoder_decoder:
            raise InputError(f"{folder}: 'architecture: late' needs an encoder without a decoder")
        _make_room(encoder, vocabulary)
        model = LateModel(encoder, config.drop_out)
    before, after = tokenizer.frame(markers.source)
    if before and after:
        table = encoder.get_input_embeddings().weight
        with torch.no_grad():
            table[tokenizer.id_of(markers.source)] = table[before[0]].clone()
            table[tokenizer.id_of(markers.candidate)] = table[after[-1]].clone()
    # What drops out inside of an encoder costs more time on a CPU than the passes themselves.
    for name in ("hidden_dropout_prob", "attention_probs_dropout_prob"):
        if hasattr(encoder.config, name):
            setattr(encoder.config, name, 0.0)
    for module in encoder.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    positions = min(_LATE_POSITIONS, getattr(encoder.config, "max_position_embeddings", 512))
    source = config.source_max_length or 3 * positions // 8
    candidate = config.candidate_max_length or positions - source
    limits = ReadingLimits(source, candidate)
    check_positions(encoder.config, limits)
    return LateComparator(
        model, ReadingEncoder(tokenizer, limits, markers), device="cpu", dtype="float32"
    )


def _make_room(encoder: Any, vocabulary: Tokenizer) -> None:
    """Rows for the markers, where the table of embeddings has none to spare."""
    rows = max(vocabulary.get_vocab(with_added_tokens=True).values()) + 1
    if rows > encoder.get_input_embeddings().num_embeddings:
        encoder.resize_token_embeddings(rows, mean_resizing=False)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Torch's chance from this seed, and afterwards as if nothing had been drawn."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def encoder_of(folder: Path) -> Any:
    """The encoder with its weights; only a pooler, which nothing here reads, may be missing."""
    config = transformers_config(read_json(folder / "config.json"), folder)
    return filled_model(
        transformers.MODEL_MAPPING,
        config,
        read_weights(folder),
        folder,
        torch.float32,
        may_lack="pooler",
    )


def _start_markers(backbone: Any, tokenizer: TextTokenizer, markers: Markers) -> None:
    before, after = tokenizer.frame(markers.source)
    if not before and not after:
        return  # a tokenizer without such tokens: the markers keep their random vectors
    like = before[0] if before else after[-1]
    table = backbone.get_input_embeddings().weight
    with torch.no_grad():
        table[[tokenizer.id_of(marker) for marker in markers]] = table[like].clone()


def _limits(encoder: Any, config: RankerConfig) -> Limits:
    positions = _POSITIONS
    if not encoder.is_encoder_decoder and getattr(encoder, "position_biased_input", True):
        positions = min(positions, getattr(encoder, "max_position_embeddings", positions))
        if encoder.model_type in ("roberta", "xlm-roberta"):
            positions -= encoder.pad_token_id + 1
    source, candidate = config.source_max_length, config.candidate_max_length
    if source is None:
        source = positions // 4 if candidate is None else positions - 2 * candidate
    if candidate is None:
        candidate = (positions - source) // 2
    return Limits(source, candidate)
