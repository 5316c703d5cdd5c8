"""Signs that something is wrong with an answer, or that it is what was asked for.

Each family is a file with the names of its figures and a function from question and answer to
their values, all finite and small. A new family is a new file and a line in `_FAMILIES`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.comparison.worth.signs import (
    ending,
    language,
    markup,
    overlap,
    repetition,
    request,
)

__all__ = ["SIGNS", "signs"]

_FAMILIES = (ending, language, markup, overlap, repetition, request)

_MOST = 20_000
"""Characters that are read of each text, half of them at its end."""

SIGNS: Sequence[str] = tuple(name for family in _FAMILIES for name in family.NAMES)
"""What the figures are called."""


def signs(question: str, answer: str) -> NDArray[np.float32]:
    """The figures of `SIGNS`, float32[len(SIGNS)], all finite.

    Args:
        question: to which it is an answer.
        answer: may be empty.

    >>> found = dict(zip(SIGNS, signs("Name a prime.", "A prime is, for").tolist(), strict=True))
    >>> found["ends in a letter"]
    1.0
    """
    question, answer = _ends(question), _ends(answer)
    values = [value for family in _FAMILIES for value in family.values(question, answer)]
    return np.array(values, dtype=np.float32)


def _ends(text: str) -> str:
    return text if len(text) <= _MOST else text[: _MOST // 2] + text[-_MOST // 2 :]
