"""Content of a file held against the description of its format, and what is wrong in words."""

from __future__ import annotations

import reprlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from blender_core.errors import CheckpointError, first_line

if TYPE_CHECKING:
    from pydantic import BaseModel, ValidationError
    from pydantic_core import ErrorDetails

__all__ = ["brief", "held_to", "reason", "sentence", "sentences", "type_of"]

_Kind = TypeVar("_Kind", bound="BaseModel")

_JSON_TYPES = {str: "a text", int: "a number", float: "a number", bool: "true or false"}
_JSON_TYPES |= {list: "a list", dict: "an object", type(None): "null"}

_WANTED = {
    "bool_type": "true or false",
    "dataclass_type": "an object",
    "dict_type": "an object",
    "finite_number": "a finite number",
    "float_type": "a number",
    "id_type": "a text or a whole number",
    "int_from_float": "a whole number",
    "int_type": "a whole number",
    "is_instance_of": "a text",
    "list_type": "a list",
    "model_attributes_type": "an object",
    "model_type": "an object",
    "string_type": "a text",
}
_NAMED_AT_MOST = 5
_LONGEST = 300


class _Brief(reprlib.Repr):
    """Bounded in every direction: the value may be anything that a file can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.maxlevel = 2
        self.maxtuple = self.maxlist = self.maxdict = 4
        self.maxstring = self.maxother = self.maxlong = 80

    def repr_int(self, x: int, level: int) -> str:
        try:
            return super().repr_int(x, level)
        except ValueError:  # Python does not print those of more than 4300 digits
            return "a number of thousands of digits"


brief = _Brief().repr
"""A value as Python writes it, shortened."""


def held_to(kind: type[_Kind], content: Mapping[str, Any], where: object) -> _Kind:
    """The content as its description has it.

    Args:
        kind: the description.
        content: of the file.
        where: the file, for messages.

    Raises:
        CheckpointError: a key is missing or has an impossible value; it is named.
    """
    from pydantic import ValidationError

    try:
        return kind.model_validate(content)
    except ValidationError as error:
        raise CheckpointError(f"{where}: {sentences(error)}") from None


def sentences(error: ValidationError) -> str:
    """All that is wrong, each thing once; of many things the first ones."""
    told = list(dict.fromkeys(map(sentence, error.errors(include_url=False))))
    more = f"; and {len(told) - _NAMED_AT_MOST} more" if len(told) > _NAMED_AT_MOST else ""
    return "; ".join(told[:_NAMED_AT_MOST]) + more


def sentence(fault: ErrorDetails) -> str:
    """One of pydantic's complaints in the words of somebody who wrote the file."""
    kind, value = fault["type"], fault["input"]
    name = repr(_path(fault["loc"])) if fault["loc"] else "the content"
    match kind:
        case "misfit":
            return str(fault["msg"])
        case "missing":
            told = "is missing"
        case "extra_forbidden" | "unexpected_keyword_argument":
            told = "is unknown"
        case "too_short" | "string_too_short":
            told = "is empty"
        case "literal_error":
            known = fault["ctx"]["expected"].replace(" or ", ", ")
            told = f"is {brief(value)}; known: {known}"
        case _ if kind in _WANTED:
            told = f"must be {_WANTED[kind]}, not {type_of(value)}"
        case "greater_than_equal" | "greater_than" | "less_than" | "less_than_equal":
            wanted = fault["msg"].removeprefix("Input should be ")
            told = f"must be {wanted}, got {brief(value)}"
        case _:
            return f"{name}: {fault['msg'].removeprefix('Value error, ')}"
    return f"{name} {told}"


def _path(location: tuple[int | str, ...]) -> str:
    """``('candidates', 2, 'text')`` as ``candidates[2].text``."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def type_of(value: Any) -> str:
    """What JSON calls the type of a value."""
    return _JSON_TYPES.get(type(value), type(value).__name__)


def reason(error: BaseException) -> str:
    """The first line of what another library says, at most 300 characters, or the error's name."""
    line = first_line(error)
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]}..."
