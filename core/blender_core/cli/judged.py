"""Records of a file, ranked completely, with what is known of their answers."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blender_core.cli.messages import FAILED, Complaints, say, shows_progress
from blender_core.errors import InputError
from blender_core.progress import bars_drawn, progress_bar

if TYPE_CHECKING:
    from blender_core.candidates import Task
    from blender_core.data.files import Fault
    from blender_core.data.records import Record
    from blender_core.evaluation.truth import Truth
    from blender_core.outcomes import Ranking
    from blender_core.ranking.ranker import Ranker

__all__ = [
    "File",
    "JudgeScore",
    "Judged",
    "Limit",
    "check_scores",
    "rank_judged",
    "read_all",
    "read_judged",
    "tell_left_out",
]

_MEASURES = "What is measured"

File = Annotated[
    Path, typer.Argument(help="Records: .jsonl, .jsonl.gz, .parquet or a saved dataset.")
]
Limit = Annotated[
    int | None, typer.Option(min=1, help="Only so many records.", rich_help_panel=_MEASURES)
]
JudgeScore = Annotated[
    list[str] | None,
    typer.Option(
        help="A score by which records that have it are judged; give one --judge-score each. "
        "Others: by their verdicts on pairs, else by their first score.",
        rich_help_panel=_MEASURES,
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


def read_all(
    file: Path, limit: int | None, *, at_least: int = 1, same_models: bool = False
) -> tuple[list[Record], int]:
    """Records of so many answers, and how many were left out; what is wrong with these is said.

    Raises:
        InputError: there is none.
    """
    from blender_core.data.files import read_records

    faults: list[Fault] = []
    read = read_records(file, on_fault=faults.append, same_models=same_models)
    records = list(islice((one for one in read if len(one.candidates) >= at_least), limit))
    complaints = Complaints()
    for fault in faults:
        complaints.tell(f"{fault.name}: line {fault.line}", fault.reason)
    complaints.end()
    if not records:
        wanted = f"of {at_least} answers or more" if at_least > 1 else "to evaluate"
        raise InputError(f"{file}: there is no record {wanted}")
    return records, len(faults)


def check_scores(records: Sequence[Record], names: Sequence[str]) -> None:
    """Check that scores by which records are to be judged are there.

    Raises:
        InputError: no record has a score of that name.
    """
    known = {name for record in records for name in record.scores}
    for name in names:
        if name not in known:
            raise InputError(
                f"no record has a score {name!r}; there are: {', '.join(sorted(known)) or 'none'}"
            )


def read_judged(
    file: Path,
    limit: int | None,
    judge_score: Sequence[str] | None,
    *,
    at_least: int = 2,
    by: str | None = None,
) -> Judged:
    """Records of so many answers, with what is known of these, and the kind that a field says.

    Raises:
        InputError: there is none, or none has a score of that name.
    """
    from blender_core.evaluation.truth import TruthOptions, truth_of

    records, left_out = read_all(file, limit, at_least=at_least)
    check_scores(records, judge_score or ())
    judge = TruthOptions(judge_score or ())
    return Judged(
        [record.to_task(by) for record in records],
        [truth_of(record, judge) for record in records],
        left_out,
    )


def tell_left_out(left_out: int, used: int) -> None:
    """End with the exit code for it, where records were left out."""
    if left_out:
        say(f"{left_out} of {left_out + used} records were left out")
        raise typer.Exit(FAILED)


def rank_judged(
    ranker: Ranker, tasks: Sequence[Task], *, quiet: bool
) -> tuple[list[Ranking], float]:
    """Complete rankings, and the seconds they took."""
    rankings: list[Ranking] = []
    started = time.perf_counter()
    drawn = bars_drawn(shows_progress(quiet=quiet))
    with drawn, progress_bar(total=len(tasks), unit="record") as bar:
        for start in range(0, len(tasks), _AT_ONCE):
            part = tasks[start : start + _AT_ONCE]
            rankings += ranker.rank_completely(part)
            bar.update(len(part))
    return rankings, time.perf_counter() - started
