"""What the JSON files of a checkpoint say, key by key; each is checked where it is read.

Configs of transformers' own models are transformers' business, see `configs`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, StrictBool, StrictStr

from blender_core.comparison.encoding import Limits, Markers
from blender_core.comparison.late.reading import ReadingLimits, ReadingMarkers

__all__ = ["Generation", "Hf", "Kind", "Late", "Original", "Own", "ShardIndex", "TokenizerSettings"]
__all__ += ["Worth"]

Length = Annotated[int, Strict(), Field(ge=1, lt=2**31)]
TokenId = Annotated[int, Strict(), Field(ge=0, lt=2**31)]
Outputs = Annotated[int, Strict(), Field(ge=1, le=1024)]
DropOut = Annotated[float, Strict(), Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Strict(), Field(gt=0.0)]
Name = Annotated[StrictStr, Field(min_length=1, max_length=255)]


class _Description(BaseModel):
    model_config = ConfigDict(frozen=True, allow_inf_nan=False, protected_namespaces=())


class Kind(_Description):
    """What tells whose config it is, and where the rest of the checkpoint lies."""

    ranker_type: Name | None = None
    model_name: Name | None = None
    architectures: list[Name] | None = None


class _Ours(_Description):
    """What our own layouts have in common."""

    encoder: dict[str, Any]
    source_max_length: Length
    candidate_max_length: Length
    drop_out: DropOut


class Own(_Ours):
    """Our own layout."""

    markers: Markers
    n_tasks: Outputs

    @property
    def limits(self) -> Limits:
        """Tokens of the parts of a row."""
        return Limits(self.source_max_length, self.candidate_max_length)


class Late(_Ours):
    """Our own layout of comparators that read each answer once."""

    style: list[StrictStr]
    markers: ReadingMarkers

    @property
    def limits(self) -> ReadingLimits:
        """Tokens of question and answer."""
        return ReadingLimits(self.source_max_length, self.candidate_max_length)


class Worth(_Description):
    """Our own layout of comparators that say what each answer is worth."""

    encoder: dict[str, Any]
    figures: list[StrictStr]
    part_length: Length
    width: Outputs
    drop_out: DropOut


class Original(Kind):
    """``llm-blender/PairRM``, and LLM-Blender's pointwise rankers."""

    ranker_type: Name
    source_maxlength: Length
    candidate_maxlength: Length
    n_tasks: Outputs = 1
    drop_out: DropOut = 0.05


class Hf(_Description):
    """``llm-blender/PairRM-hf``: the encoder's config with these added."""

    source_prefix_id: TokenId
    cand1_prefix_id: TokenId
    cand2_prefix_id: TokenId
    cand_prefix_id: TokenId
    n_tasks: Outputs = 1
    drop_out: DropOut = 0.05


class TokenizerSettings(_Description):
    """Of ``tokenizer_config.json`` what is read here; the rest is for transformers."""

    model_max_length: Annotated[float, Strict(), Field(gt=0.0)] | None = None
    model_input_names: list[Name] | None = None
    chat_template: Any = None


class Generation(_Description):
    """Of ``generation_config.json`` what is read: what tokens mean, and how beams are rated."""

    bos_token_id: TokenId | list[TokenId] | None = None
    eos_token_id: TokenId | list[TokenId] | None = None
    pad_token_id: TokenId | None = None
    decoder_start_token_id: TokenId | list[TokenId] | None = None
    forced_bos_token_id: TokenId | None = None
    forced_eos_token_id: TokenId | list[TokenId] | None = None
    max_length: Length | None = None
    min_length: Length | Literal[0] | None = None
    num_beams: Length | None = None
    no_repeat_ngram_size: Length | Literal[0] | None = None
    encoder_no_repeat_ngram_size: Length | Literal[0] | None = None
    early_stopping: StrictBool | Literal["never"] | None = None
    repetition_penalty: Positive | None = None
    length_penalty: Annotated[float, Strict()] | None = None


class ShardIndex(_Description):
    """``model.safetensors.index.json`` or ``pytorch_model.bin.index.json``."""

    weight_map: Annotated[dict[str, Name], Field(min_length=1)]
