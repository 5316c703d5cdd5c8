"""The records that commands rank and fuse: a question and its answers, or exactly two."""

from __future__ import annotations

from typing import Any

from blender_core.candidates import Task
from blender_core.data import formats
from blender_core.data.checking import checked
from blender_core.data.records import Answered, AnswerOrText, Question
from blender_core.errors import InputError

__all__ = ["Answered", "TwoAnswers", "read_duel", "read_record"]


class TwoAnswers(Question):
    """A question and two answers."""

    a: AnswerOrText
    b: AnswerOrText

    def to_task(self, by: str | None = None) -> Task:
        """The record as the core has it, of the kind that the field `by` says."""
        answers = [self.a.candidate(), self.b.candidate()]
        return Task(self.instruction, answers, self.input, self.kind(by))


def read_record(value: Any) -> Answered:
    """A question and its answers from their JSON value; what judges said of them is not used.

    Raises:
        InputError: says which part is wrong.
    """
    return formats.read_record(value) if formats.is_foreign(value) else checked(Answered, value)


def read_duel(value: Any) -> Answered | TwoAnswers:
    """Like `read_record`, for a record of exactly two answers, a pair, or with ``a`` and ``b``."""
    if isinstance(value, dict) and "candidates" not in value and ("a" in value or "b" in value):
        return checked(TwoAnswers, value)
    record = read_record(value)
    if len(record.candidates) != 2:
        raise InputError(
            f"'candidates' has {len(record.candidates)} answers, comparing takes exactly two"
        )
    return record
