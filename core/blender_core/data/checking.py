"""Checking JSON values against models, and saying what is wrong in the words of their writers."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from blender_core.errors import InputError
from blender_core.validation import sentence, type_of

__all__ = ["checked"]

_Kind = TypeVar("_Kind", bound=BaseModel)


def checked(kind: type[_Kind], value: Any) -> _Kind:
    """The value as one of that kind.

    Raises:
        InputError: says which part is wrong.
    """
    if not isinstance(value, dict):
        raise InputError(f"not a JSON object but {type_of(value)}")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise InputError("; ".join(dict.fromkeys(map(_sentence, error.errors())))) from None


def _sentence(fault: ErrorDetails) -> str:
    """As of `validation.sentence`, in words of records."""
    told = sentence(fault)
    place = fault["loc"]
    if place and place[0] != "judgements" and "model" in fault["type"]:
        return told.replace("an object", "a text or an object with 'text'", 1)
    return told
