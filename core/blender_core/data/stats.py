"""What is in a set of records, in figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from blender_core.data.near_duplicates import groups
from blender_core.data.records import Record
from blender_core.data.splits import question

__all__ = ["LONGER", "Spread", "Stats", "as_json", "stats"]

LONGER = 1.05
"""From this ratio of characters on, one answer counts as longer than another."""


@dataclass(frozen=True, slots=True)
class Spread:
    """How numbers are spread; all 0 where there are none."""

    mean: float
    median: float
    p95: float
    largest: float

    @classmethod
    def of(cls, numbers: Sequence[float]) -> Spread:
        """The spread of numbers."""
        import numpy as np

        if not numbers:
            return cls(0.0, 0.0, 0.0, 0.0)
        median, p95, largest = np.quantile(numbers, [0.5, 0.95, 1.0])
        return cls(float(np.mean(numbers)), float(median), float(p95), float(largest))


@dataclass(slots=True)
class Stats:
    """What is in a set of records.

    Attributes:
        records: how many.
        answers: how many in all.
        answers_a_record: their spread.
        question_characters: length of the questions.
        answer_characters: length of the answers.
        references: records with an `output`.
        models: answers by model; under the empty name those of unnamed models.
        empty_answers: answers without a character but white space.
        repeated_answers: answers with the text of an earlier one of the same record.
        repeated_questions: records with the question of an earlier one.
        near_questions: records with nearly the question of an earlier one, the same included;
            None where nobody looked.
        decided: pairs of answers of which one is known to be better.
        ties: pairs that are known to be equally good.
        unknown: pairs of which nothing is known.
        longer: decided pairs of which one is more than 5 % longer.
        longer_wins: those where that one is better.
        sources: records by source.
        licences: records by licence.
        label_kinds: records by kind of label.
        tasks: records by kind of question.
    """

    records: int = 0
    answers: int = 0
    answers_a_record: Spread = field(default_factory=lambda: Spread.of([]))
    question_characters: Spread = field(default_factory=lambda: Spread.of([]))
    answer_characters: Spread = field(default_factory=lambda: Spread.of([]))
    references: int = 0
    models: Counter[str] = field(default_factory=Counter)
    empty_answers: int = 0
    repeated_answers: int = 0
    repeated_questions: int = 0
    near_questions: int | None = None
    decided: int = 0
    ties: int = 0
    unknown: int = 0
    longer: int = 0
    longer_wins: int = 0
    sources: Counter[str] = field(default_factory=Counter)
    licences: Counter[str] = field(default_factory=Counter)
    label_kinds: Counter[str] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)

    @property
    def share_of_longer_wins(self) -> float | None:
        """How often the longer answer is the better one; None where there is no such pair."""
        return self.longer_wins / self.longer if self.longer else None

    @property
    def share_of_ties(self) -> float | None:
        """Ties among the pairs of which something is known."""
        known = self.decided + self.ties
        return self.ties / known if known else None


def stats(records: Iterable[Record], *, similar: float | None = None) -> Stats:
    """Count what is in the records, in one pass.

    Args:
        records: to count.
        similar: look for near duplicates among the questions, from this similarity on; see
            `near_duplicates`. Not looked for if not given.

    Raises:
        InputError: `similar` is not in (0, 1].
        MissingExtraError: near duplicates are looked for, and datasketch is not installed.
    """
    told = Stats()
    counts: list[int] = []
    lengths: list[int] = []
    asked_before: list[str] = []
    for record in records:
        texts = [answer.text for answer in record.candidates]
        asked = question(record)
        told.records += 1
        told.references += bool(record.output)
        told.models.update(model or "" for model in record.models)
        told.empty_answers += sum(not text.strip() for text in texts)
        told.repeated_answers += len(texts) - len(set(texts))
        asked_before.append(asked)
        told.sources[record.source or ""] += 1
        told.licences[record.licence or ""] += 1
        told.label_kinds[record.label_kind or ""] += 1
        told.tasks[record.task or ""] += 1
        counts.append(len(texts))
        lengths += map(len, texts)
        _count_pairs(told, record, list(map(len, texts)))
    told.answers = len(lengths)
    told.repeated_questions = len(asked_before) - len(set(asked_before))
    if similar is not None:
        told.near_questions = len(asked_before) - len(set(groups(asked_before, similar)))
    told.answers_a_record = Spread.of(counts)
    told.question_characters = Spread.of([len(asked) for asked in asked_before])
    told.answer_characters = Spread.of(lengths)
    return told


def _count_pairs(told: Stats, record: Record, lengths: list[int]) -> None:
    import numpy as np

    preferences = record.preferences()
    above = np.triu_indices(len(lengths), 1)
    known = preferences[above]
    size = np.array(lengths, dtype=np.float64)
    first, second = size[above[0]], size[above[1]]
    decided = ~np.isnan(known) & (known != 0.5)
    differ = decided & (np.maximum(first, second) > LONGER * np.minimum(first, second))
    told.unknown += int(np.isnan(known).sum())
    told.ties += int((known == 0.5).sum())
    told.decided += int(decided.sum())
    told.longer += int(differ.sum())
    told.longer_wins += int((differ & ((known > 0.5) == (first > second))).sum())


def as_json(told: Stats) -> dict[str, Any]:
    """The figures as a JSON value; what is counted by name, most frequent first."""
    value: dict[str, Any] = {}
    for name in (part.name for part in fields(told)):
        part = getattr(told, name)
        if isinstance(part, Counter):
            part = dict(part.most_common())
        value[name] = asdict(part) if isinstance(part, Spread) else part
    value["share_of_longer_wins"] = told.share_of_longer_wins
    value["share_of_ties"] = told.share_of_ties
    return value
