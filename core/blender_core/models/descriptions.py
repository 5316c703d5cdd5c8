"""What the JSON files around a model say, key by key; each is checked where it is read.

Configs of transformers' own models are transformers' business, see `configs`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, Strict, StrictBool, StrictStr

__all__ = [
    "Description",
    "Generation",
    "Length",
    "Name",
    "ShardIndex",
    "TokenId",
    "TokenizerSettings",
]

Length = Annotated[int, Strict(), Field(ge=1, lt=2**31)]
TokenId = Annotated[int, Strict(), Field(ge=0, lt=2**31)]
Positive = Annotated[float, Strict(), Field(gt=0.0)]
Name = Annotated[StrictStr, Field(min_length=1, max_length=255)]


class Description(BaseModel):
    """What all of them have in common."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False, protected_namespaces=())


class TokenizerSettings(Description):
    """Of ``tokenizer_config.json`` what is read here; the rest is for transformers."""

    model_max_length: Annotated[float, Strict(), Field(gt=0.0)] | None = None
    model_input_names: list[Name] | None = None
    chat_template: Any = None


class Generation(Description):
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


class ShardIndex(Description):
    """``model.safetensors.index.json`` or ``pytorch_model.bin.index.json``."""

    weight_map: Annotated[dict[str, Name], Field(min_length=1)]
