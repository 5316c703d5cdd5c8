"""What each worker of an evaluation finds, as JSON that a file keeps and a resumed run reads."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, Strict, StrictBool, StrictStr, ValidationError

from blender_core.candidates import Task
from blender_core.errors import InputError
from blender_core.outcomes import Ranking
from blender_core.validation import sentences

__all__ = ["check_blend", "check_numbers", "check_ranking", "ranking_of", "value_of"]

_LARGEST = float(np.finfo(np.float32).max)

Number = Annotated[float, Strict(), Field(ge=-_LARGEST, le=_LARGEST)]
"""Null stands for NaN."""

Count = Annotated[int, Strict(), Field(ge=0, lt=2**31)]


class _Kept(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Ranking(_Kept):
    order: list[Count]
    ranks: list[Annotated[Count, Field(ge=1)]]
    scores: list[Number | None]
    matrix: list[list[Number | None]]
    passes: Count


class _Blend(_Kept):
    text: StrictStr
    fused: StrictBool
    pick: Count


class _Numbers(_Kept):
    value: list[Number | None]


def check_ranking(value: Any, count: int) -> None:
    """Check what a file says is a ranking of so many answers.

    Raises:
        InputError: it is none.
    """
    told = _held_to(_Ranking, value)
    lengths = {len(told.order), len(told.ranks), len(told.scores), *map(len, told.matrix)}
    if (
        lengths | {len(told.matrix)} != {count}
        or sorted(told.order) != list(range(count))
        or max(told.ranks) > count
    ):
        raise InputError(f"no ranking of {count} answers")


def check_blend(value: Any, count: int) -> None:
    """Likewise for a blend of so many answers."""
    told = _held_to(_Blend, value)
    if told.pick >= count:
        raise InputError(f"'pick' is {told.pick}, of {count} answers")


def check_numbers(value: Any, count: int) -> None:
    """Likewise for so many numbers."""
    told = _held_to(_Numbers, {"value": value})
    if len(told.value) != count:
        raise InputError(f"{len(told.value)} numbers for {count} texts")


def _held_to(kind: type[Any], value: Any) -> Any:
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        raise InputError(sentences(error)) from None


def value_of(ranking: Ranking) -> dict[str, Any]:
    """A ranking as JSON has it."""
    return {
        "order": list(ranking.order),
        "ranks": list(ranking.ranks),
        "scores": list(ranking.scores),
        "matrix": ranking.matrix.astype(float).tolist(),
        "passes": ranking.passes,
    }


def ranking_of(task: Task, value: Any) -> Ranking:
    """The way back."""
    return Ranking(
        task.candidates,
        tuple(value["order"]),
        tuple(value["ranks"]),
        tuple(np.array(value["scores"], dtype=np.float64).tolist()),
        np.array(value["matrix"], dtype=np.float32),
        value["passes"],
    )
