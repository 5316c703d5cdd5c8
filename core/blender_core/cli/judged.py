"""Records of a file, ranked completely, with what is known of their answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blender_core.cli.messages import say, shows_progress
from blender_core.errors import InputError

if TYPE_CHECKING:
    from blender_core.candidates import Task
    from blender_core.data.files import Fault
    from blender_core.evaluation.truth import Truth
    from blender_core.outcomes import Ranking
    from blender_core.ranking.ranker import Ranker

__all__ = ["File", "JudgeScore", "Judged", "Limit", "rank_judged", "read_judged"]

File = Annotated[
    Path, typer.Argument(help="Records: .jsonl, .jsonl.gz, .parquet or a saved dataset.")
]
Limit = Annotated[int | None, typer.Option(min=1, help="Only so many records.")]
JudgeScore = Annotated[
    list[str] | None,
    typer.Option(
        help="A score by which records that have it are judged; give one --judge-score each. "
        "Others: by their verdicts on pairs, else by their first score."
    ),
]


_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Judged:
    """Records that have two answers or more.

    Attributes:
        tasks: the questions with their answers.
        truths: what is known of which answer is better.
        left_out: how many lines could not be read; records of too few answers are not counted.
    """

    tasks: list[Task]
    truths: list[Truth]
    left_out: int


def read_judged(
    file: Path, limit: int | None, judge_score: Sequence[str] | None, *, at_least: int = 2
) -> Judged:
    """Read records that have so many answers; what is wrong with others is said.

    Raises:
        InputError: there is none.
    """
    from blender_core.data.files import read_records
    from blender_core.evaluation.truth import Judge, truth_of

    faults: list[Fault] = []
    judge = Judge(judge_score or ())
    found = (
        record
        for record in read_records(file, on_fault=faults.append)
        if len(record.candidates) >= at_least
    )
    records = list(islice(found, limit))
    for fault in faults:
        say(str(fault))
    known = {name for record in records for name in record.scores}
    for name in judge.scores:
        if records and name not in known:
            there = ", ".join(sorted(known)) or "none"
            raise InputError(f"no record has a score {name!r}; there are: {there}")
    if not records:
        raise InputError(f"{file}: there is no record of {at_least} answers or more")
    return Judged(
        [record.to_task() for record in records],
        [truth_of(record, judge) for record in records],
        len(faults),
    )


def rank_judged(
    ranker: Ranker, tasks: Sequence[Task], *, quiet: bool
) -> tuple[list[Ranking], float]:
    """Complete rankings, and the seconds they took."""
    from tqdm import tqdm

    rankings: list[Ranking] = []
    started = time.perf_counter()
    with tqdm(
        total=len(tasks), unit="record", disable=not shows_progress(quiet=quiet), leave=False
    ) as bar:
        for start in range(0, len(tasks), _AT_ONCE):
            part = tasks[start : start + _AT_ONCE]
            rankings += ranker.rank_completely(part)
            bar.update(len(part))
    return rankings, time.perf_counter() - started
