"""Records as an evaluation needs them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from blender_core.candidates import Task
from blender_core.data.records import Record
from blender_core.errors import InputError
from blender_core.evaluation.store import key_of
from blender_core.evaluation.truth import Truth, truth_of
from blender_core.evaluation.wanted import Evaluation

__all__ = ["Item", "items_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """A record.

    Attributes:
        record: as it was read.
        task: its question and answers, as rankers take them.
        truth: what it knows of its answers.
        key: the same only for the same question, answers and reference.
        reference: the reference answer, if it has one that is not blank.
    """

    record: Record
    task: Task
    truth: Truth
    key: str
    reference: str | None

    @property
    def texts(self) -> list[str]:
        """Its answers."""
        return [answer.text for answer in self.record.candidates]


def items_of(records: Iterable[Record], wanted: Evaluation) -> list[Item]:
    """All records.

    Raises:
        InputError: there is none.
    """
    items = [_item(record, wanted) for record in records]
    if not items:
        raise InputError("there is no record to evaluate")
    return items


def _item(record: Record, wanted: Evaluation) -> Item:
    prior = wanted.prior
    task = record.to_task(None if prior is None else prior.by)
    who = [] if prior is None else [record.models, task.kind]
    texts = [answer.text for answer in record.candidates]
    reference = record.output if record.output is not None and record.output.strip() else None
    key = key_of(record.instruction, record.input, texts, reference, *who)
    return Item(record, task, truth_of(record, wanted.judge), key, reference)
