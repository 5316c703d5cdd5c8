"""DeBERTa's ``spm.model`` as a fast tokenizer, for base models that publish nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tokenizers import (
    AddedToken,
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
)

from blender_core.errors import CheckpointError, MissingExtraError
from blender_core.models.tokenizer import sound
from blender_core.validation import reason

__all__ = ["tokenizer_from_sentencepiece"]


def tokenizer_from_sentencepiece(file: Path) -> Tokenizer:
    """DeBERTa-v2/v3's tokenizer from its sentencepiece model.

    Keeps the model's own normalisation table (nmt_nfkc), trims white space at both ends and
    collapses it inside, as the published fast tokenizers do.

    Raises:
        MissingExtraError: protobuf or sentencepiece is not installed.
        CheckpointError: the file is no unigram sentencepiece model.
    """
    try:
        from google.protobuf.message import DecodeError
        from sentencepiece import sentencepiece_model_pb2
    except ImportError as error:
        raise MissingExtraError(f"reading {file.name}", "sentencepiece") from error
    proto = sentencepiece_model_pb2.ModelProto()
    try:
        proto.ParseFromString(file.read_bytes())
    except (DecodeError, OSError) as error:
        raise CheckpointError(f"{file}: not a sentencepiece model: {reason(error)}") from error
    if proto.trainer_spec.model_type != 1:
        raise CheckpointError(f"{file}: not a unigram model")
    with sound(f"{file}: not a usable sentencepiece model"):
        return _tokenizer_of(proto)


def _tokenizer_of(proto: Any) -> Tokenizer:
    pieces = [(piece.piece, piece.score) for piece in proto.pieces]
    tokenizer = Tokenizer(models.Unigram(pieces, proto.trainer_spec.unk_id, byte_fallback=False))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Strip(),
            normalizers.Precompiled(proto.normalizer_spec.precompiled_charsmap),
            normalizers.Replace(Regex(" {2,}"), " "),
        ]
    )
    metaspace = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.pre_tokenizer = metaspace
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.add_special_tokens(
        [
            AddedToken(name, normalized=name == "[UNK]", special=True)
            for name in ("[PAD]", "[CLS]", "[SEP]", "[UNK]", "[MASK]")
        ]
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    return tokenizer
