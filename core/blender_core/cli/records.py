"""The records that commands read, in MixInstruct's shape or a shorter one, and what is wrong."""

from __future__ import annotations

import json
from typing import Annotated, Any, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    PlainValidator,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from blender_core.candidates import Candidate, Task
from blender_core.errors import InputError

__all__ = ["Answer", "Record", "TwoAnswers", "parsed", "read_duel", "read_record"]

Text = InstanceOf[str]
"""A str as JSON gives it; lone surrogates, which a plain str field refuses, are let through."""

_JSON_TYPES = {str: "a text", int: "a number", float: "a number", bool: "true or false"}
_JSON_TYPES |= {list: "a list", dict: "an object", type(None): "null"}


class _Strict(BaseModel):
    """No conversions; keys that nobody asked for are let through unread."""

    model_config = ConfigDict(strict=True, frozen=True)


class Answer(_Strict):
    """One answer, of whom, and what others thought of it (higher is better)."""

    text: Text
    model: Text | None = None
    scores: dict[str, float | None] | None = None

    def candidate(self) -> Candidate:
        """The answer as the core has it."""
        return Candidate(self.text, self.model)


def _answer(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


AnswerOrText = Annotated[Answer, BeforeValidator(_answer)]


def _id(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise PydanticCustomError("id_type", "must be a text or a whole number")
    return value


Id = Annotated[str | int | None, PlainValidator(_id)]


class _Question(_Strict):
    id: Id = None
    instruction: Text
    input: Text = ""


class Record(_Question):
    """A question and its answers; MixInstruct's shape, of which most may be left out."""

    candidates: list[AnswerOrText] = Field(min_length=1)
    output: Text | None = None
    cmp_results: Any = None

    def task(self) -> Task:
        """The record as the core has it."""
        answers = [answer.candidate() for answer in self.candidates]
        return Task(self.instruction, answers, self.input)


class TwoAnswers(_Question):
    """A question and two answers."""

    a: AnswerOrText
    b: AnswerOrText

    def task(self) -> Task:
        """The record as the core has it."""
        return Task(self.instruction, [self.a.candidate(), self.b.candidate()], self.input)


def parsed(line: bytes) -> Any:
    """The JSON value of a line.

    Raises:
        InputError: it is not UTF-8 or not JSON.
    """
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        wrong = line[error.start]
        raise InputError(f"not UTF-8: byte {error.start + 1} is 0x{wrong:02x}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise InputError("not usable JSON: nested too deeply") from None
    except ValueError:
        raise InputError("not usable JSON: a number has too many digits") from None


def read_record(value: Any) -> Record:
    """A record from its JSON value.

    Raises:
        InputError: says which part is wrong.
    """
    return _checked(Record, value)


def read_duel(value: Any) -> Record | TwoAnswers:
    """Like `read_record`, for a record of exactly two answers, or with ``a`` and ``b``."""
    if isinstance(value, dict) and "candidates" not in value and ("a" in value or "b" in value):
        return _checked(TwoAnswers, value)
    record = _checked(Record, value)
    if len(record.candidates) != 2:
        raise InputError(
            f"'candidates' has {len(record.candidates)} answers, comparing takes exactly two"
        )
    return record


_Kind = TypeVar("_Kind", bound=BaseModel)


def _checked(kind: type[_Kind], value: Any) -> _Kind:
    if not isinstance(value, dict):
        raise InputError(f"not a JSON object but {_type_of(value)}")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise InputError("; ".join(dict.fromkeys(map(_sentence, error.errors())))) from None


def _sentence(fault: Any) -> str:
    """One of pydantic's complaints in the words of somebody who wrote the record."""
    name = repr(_path(fault["loc"]))
    match fault["type"]:
        case "missing":
            return f"{name} is missing"
        case "too_short":
            return f"{name} is empty"
        case "is_instance_of":
            wanted = "a text"
        case "id_type":
            wanted = "a text or a whole number"
        case "list_type":
            wanted = "a list"
        case "dict_type":
            wanted = "an object"
        case "float_type" | "int_type":
            wanted = "a number"
        case "model_type" | "model_attributes_type":
            wanted = "a text or an object with 'text'"
        case _:
            return f"{name}: {fault['msg']}"
    return f"{name} must be {wanted}, not {_type_of(fault['input'])}"


def _path(location: tuple[int | str, ...]) -> str:
    """``('candidates', 2, 'text')`` as ``candidates[2].text``."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _type_of(value: Any) -> str:
    return _JSON_TYPES.get(type(value), type(value).__name__)
