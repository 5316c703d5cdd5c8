"""What there is to spoil: an answer, its question, and other questions with their answers."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

from blender_core.data.spoiling.scripts import guessed_language

__all__ = ["Case", "Spoiling"]


@dataclass(frozen=True)
class Case:
    """One answer that may be spoilt.

    Attributes:
        question: to which it is an answer.
        answer: the good one.
        others: other questions of the same data set, each with an answer to it.
        language: ISO 639-1 code of the answer; None: guessed by its script.
    """

    question: str
    answer: str
    others: Sequence[tuple[str, str]] = ()
    language: str | None = None

    @cached_property
    def spoken(self) -> str:
        """The language, guessed where it was not given."""
        return self.language or guessed_language(f"{self.answer}\n{self.question}")


Spoiling: TypeAlias = Callable[[Case, random.Random], "str | None"]
"""A spoilt text, or None where this kind of spoiling does not apply to the case."""
