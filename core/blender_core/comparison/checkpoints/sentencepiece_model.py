"""DeBERTa's ``spm.model`` as a fast tokenizer, for base models that publish nothing else."""

from __future__ import annotations

from pathlib import Path

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

from blender_core.errors import CheckpointError, MissingExtraError, message_of

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
        raise CheckpointError(f"{file}: not a sentencepiece model: {message_of(error)}") from error
    if proto.trainer_spec.model_type != 1:
        raise CheckpointError(f"{file}: not a unigram model")
    unknown = proto.trainer_spec.unk_id
    tokenizer = Tokenizer(
        models.Unigram(
            [(piece.piece, piece.score) for piece in proto.pieces], unknown, byte_fallback=False
        )
    )
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
