"""What a ``tokenizer.json`` must hold for the library that reads it to come to an end.

The library walks through all ids up to the largest one, and gives up, with words of its own on
stderr, where a template names a token that it does not describe. All else it checks itself.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, Field, Strict, StrictStr, model_validator
from pydantic_core import PydanticCustomError

__all__ = ["TokenizerFile"]

TokenId = Annotated[int, Strict(), Field(ge=0, lt=2**24)]


class _AddedToken(BaseModel):
    id: TokenId
    content: StrictStr


class _Model(BaseModel):
    vocab: dict[StrictStr, TokenId] | list[Any]
    unk_id: TokenId | None = None


class _Special(BaseModel):
    id: StrictStr


class _Piece(BaseModel):
    special: _Special | None = Field(default=None, alias="SpecialToken")


class _Described(BaseModel):
    ids: list[TokenId]


class _Processor(BaseModel):
    single: list[_Piece] = []
    pair: list[_Piece] = []
    special_tokens: dict[StrictStr, _Described] = {}
    processors: list[_Processor] = []

    @model_validator(mode="after")
    def _describes_what_it_names(self) -> _Processor:
        for piece in (*self.single, *self.pair):
            if piece.special is not None and piece.special.id not in self.special_tokens:
                raise PydanticCustomError(
                    "unknown_token", "a template has a token that is not in 'special_tokens'"
                )
        return self


class TokenizerFile(BaseModel):
    """The file, without what the library checks itself."""

    model: _Model
    added_tokens: list[_AddedToken] = []
    post_processor: _Processor | None = None
