"""What a comparator answered, a number a pair: what is no number costs that pair alone."""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.errors import ModelOutputError

__all__ = ["numbers"]

logger = logging.getLogger(__name__)

_MOST = float(np.finfo(np.float32).max)


def numbers(answer: Any, count: int, *, who: str = "the comparator") -> NDArray[np.float32]:
    """An answer to so many pairs as numbers, with a hole where a pair has none.

    A hole is NaN, infinity, what float32 cannot hold, and what is no number at all (a text, a
    list, None): whoever was asked could not say. All but NaN, which says just that, are logged.

    Args:
        answer: a list, an array or a tensor, supposedly of numbers.
        count: how many pairs were asked.
        who: gave the answer, for messages.

    Returns:
        float32[count], finite or NaN.

    Raises:
        ModelOutputError: it is no answer to so many pairs: no list, a list of another length, or
            a table.

    >>> numbers([1.5, "yes", None, -math.inf], 4).tolist()
    [1.5, nan, nan, nan]
    """
    given, shape = _listed(answer)
    if shape != (count,):
        raise ModelOutputError(f"{who} was asked {count} pairs and answered with shape {shape}")
    found = [_number(item) for item in given]
    failed = [item for item, number in zip(given, found, strict=True) if number is None]
    if failed:
        # Not its repr, which can be of any length, and raise.
        first = str(failed[0]) if isinstance(failed[0], float) else type(failed[0]).__name__
        logger.warning(
            "%s gave no number for %d of %d pairs, the first: %s", who, len(failed), count, first
        )
    return np.array([math.nan if number is None else number for number in found], np.float32)


def _listed(answer: Any) -> tuple[Any, tuple[int, ...]]:
    """The items of an answer, and its shape; in a list of several, rows throughout are a table."""
    if isinstance(answer, Sequence) and not isinstance(answer, str | bytes):
        rows = len(answer) > 1 and all(isinstance(item, list | tuple) for item in answer)
        return answer, (len(answer), len(answer[0])) if rows else (len(answer),)
    array = answer if hasattr(answer, "tolist") else np.asarray(answer)
    return array.tolist(), tuple(array.shape)


def _number(item: Any) -> float | None:
    """What float32 can hold, or NaN; None for anything else."""
    is_scalar = getattr(item, "ndim", 0) == 0
    if not is_scalar or not (hasattr(item, "__float__") or hasattr(item, "__index__")):
        return None  # float() would also read texts, and arrays of one
    try:
        number = float(item)
    except Exception:  # noqa: BLE001 - a model's answer can be anything
        return None
    return None if abs(number) > _MOST else number
