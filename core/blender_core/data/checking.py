"""Checking JSON values against models, and saying what is wrong in the words of their writers."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from blender_core.data.comparisons import VERDICTS
from blender_core.errors import InputError

__all__ = ["checked"]

_JSON_TYPES = {str: "a text", int: "a number", float: "a number", bool: "true or false"}
_JSON_TYPES |= {list: "a list", dict: "an object", type(None): "null"}

_Kind = TypeVar("_Kind", bound=BaseModel)


def checked(kind: type[_Kind], value: Any) -> _Kind:
    """The value as one of that kind.

    Raises:
        InputError: says which part is wrong.
    """
    if not isinstance(value, dict):
        raise InputError(f"not a JSON object but {_type_of(value)}")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise InputError("; ".join(dict.fromkeys(map(_sentence, error.errors())))) from None


_WANTED = {
    "is_instance_of": "a text",
    "id_type": "a text or a whole number",
    "list_type": "a list",
    "dict_type": "an object",
    "float_type": "a number",
    "int_type": "a whole number",
    "model_type": "a text or an object with 'text'",
    "model_attributes_type": "a text or an object with 'text'",
}


def _sentence(fault: Any) -> str:
    """One of pydantic's complaints in the words of somebody who wrote the record."""
    place, kind, value = fault["loc"], fault["type"], fault["input"]
    name = repr(_path(place))
    match kind:
        case "misfit":
            return str(fault["msg"])
        case "missing":
            return f"{name} is missing"
        case "too_short":
            return f"{name} is empty"
        case "literal_error":
            known = VERDICTS if place[0] == "cmp_results" else ("a", "b", "tie")
            return f"{name} is {value!r:.80}; known: {', '.join(map(repr, known))}"
        case _ if kind in _WANTED:
            wanted = "an object" if place[0] == "judgements" and "model" in kind else _WANTED[kind]
            return f"{name} must be {wanted}, not {_type_of(value)}"
    return f"{name}: {fault['msg']}"


def _path(location: tuple[int | str, ...]) -> str:
    """``('candidates', 2, 'text')`` as ``candidates[2].text``."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _type_of(value: Any) -> str:
    return _JSON_TYPES.get(type(value), type(value).__name__)
