"""``blended-llm data``: convert, describe and split files of records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blender_core.cli import options
from blender_core.cli.messages import FAILED, Complaints, say, shows_progress
from blender_core.errors import InputError
from blender_core.writing import check_target

if TYPE_CHECKING:
    from rich.console import RenderableType

    from blender_core.data.files import Fault
    from blender_core.data.records import Record
    from blender_core.data.splits import Overlap
    from blender_core.data.stats import Stats

__all__ = ["data"]

_FILES = "Files .jsonl, .jsonl.gz or .parquet, or folders that a dataset was saved to."

data = typer.Typer(
    help="Convert, describe and split files of records, judgements and preferences.",
    no_args_is_help=True,
)


class Shape(str, Enum):
    """What to convert to."""

    RECORDS = "records"
    MIXINSTRUCT = "mixinstruct"
    PAIRS = "pairs"


Source = Annotated[
    str, typer.Argument(metavar="FILE", help="Records, or prompt/chosen/rejected. " + _FILES)
]
Sources = Annotated[list[str], typer.Argument(metavar="FILE...", help=_FILES)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Similar = Annotated[
    float,
    typer.Option(help="Share of common runs of three words from which questions count as one."),
]


@data.command(no_args_is_help=True)
def convert(
    file: Source,
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="A file .jsonl, .jsonl.gz or .parquet.")
    ],
    to: Annotated[
        Shape,
        typer.Option(
            help="'records' keeps everything; 'mixinstruct' makes cmp_results of all that is "
            "known about pairs; 'pairs' is prompt/chosen/rejected."
        ),
    ] = Shape.RECORDS,
    judge_by: Annotated[
        list[str] | None,
        typer.Option(metavar="SCORE", help="Make a score judgements; can be given repeatedly."),
    ] = None,
    tie: Annotated[float, typer.Option(min=0.0, help="With --judge-by: the largest tie.")] = 0.0,
    least_margin: Annotated[
        float,
        typer.Option(min=0.0, max=1.0, help="With --to pairs: leave out pairs less decided."),
    ] = 0.0,
    force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Write records in another shape or another kind of file."""
    from blender_core.data.conversion import judged_by_scores, to_mixinstruct
    from blender_core.data.files import write_values
    from blender_core.data.pairs import to_pairs
    from blender_core.data.records import as_value

    check_target(output, source=file, overwrite=force)
    reading = _Reading(quiet=quiet)
    undecided: list[bool] = []

    def values() -> Iterator[dict[str, Any]]:
        for record in reading.records(file):
            for name in judge_by or ():
                record = judged_by_scores(record, name, tie=tie)  # noqa: PLW2901  (one after the other)
            if to is Shape.PAIRS:
                made = list(to_pairs(record, least_margin=least_margin))
                undecided.append(not made)
                yield from made
            elif to is Shape.RECORDS:
                yield as_value(record)
            else:
                try:
                    yield as_value(to_mixinstruct(record))
                except InputError as error:
                    reading.refuse(f"record {record.id!r}: {error}")

    count = write_values(output, values())
    say(f"{output}: {count} {'pairs' if to is Shape.PAIRS else 'records'}")
    if any(undecided):
        say(f"{sum(undecided)} of {len(undecided)} records say of no two answers which is better")
    reading.end()
    if to is Shape.PAIRS and not count:
        raise typer.Exit(FAILED)


@data.command(no_args_is_help=True)
def stats(
    files: Sources,
    near: Annotated[
        bool, typer.Option("--near", help="Count questions that are nearly an earlier one.")
    ] = False,
    similar: Similar = 0.7,
    json: Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Say what is in files: answers, models, lengths, judgements, duplicates."""
    from blender_core.cli.data_view import stats_view
    from blender_core.data.stats import as_json
    from blender_core.data.stats import stats as counted

    reading = _Reading(quiet=quiet)
    told: dict[str, Stats] = {}
    for file in _different(files):
        told[file] = counted(reading.records(file), similar=similar if near else None)
    if json:
        _print_json({file: as_json(figures) for file, figures in told.items()})
    else:
        _print(stats_view(told))
    reading.end()


@data.command(no_args_is_help=True)
def split(
    files: Sources,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Where train, dev and test are written to."),
    ] = None,
    dev: Annotated[float, typer.Option(help="Share of dev; 0 for none.")] = 0.1,
    test: Annotated[float, typer.Option(help="Share of test; 0 for none.")] = 0.1,
    seed: Annotated[int, typer.Option(help="Another one, another division.")] = 0,
    similar: Similar = 0.7,
    check: Annotated[
        bool,
        typer.Option("--check", help="Divide nothing: look for questions that two FILEs share."),
    ] = False,
    json: Json = False,
    force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Divide records into train, dev and test, no question in two of them, nor nearly so.

    With --check, files that are divided already are compared; the exit code is 1 if they share
    questions.
    """
    reading = _Reading(quiet=quiet)
    if check:
        if len(files) < 2 or output is not None:
            raise InputError("--check compares two FILEs or more, and writes none")
        _check(reading, _different(files), similar, json=json)
        return
    if len(files) != 1 or output is None:
        raise InputError("give one FILE and --output FOLDER, or --check and several FILEs")
    _divide(reading, files[0], output, {"dev": dev, "test": test}, seed, similar, force=force)


class _Reading:
    """Reads files; what is bad in them is told, counted and left out."""

    def __init__(self, *, quiet: bool) -> None:
        self._show = shows_progress(quiet=quiet)
        self._bad = 0
        self._complaints = Complaints()

    def records(self, file: str) -> Iterator[Record]:
        """The good records of a file."""
        from tqdm import tqdm

        from blender_core.data.files import read_records

        records = read_records(file, on_fault=self._refuse)
        yield from tqdm(records, desc=file, unit="record", disable=not self._show, leave=False)

    def refuse(self, reason: str) -> None:
        """Tell and count what is left out."""
        say(reason)
        self._bad += 1

    def _refuse(self, fault: Fault) -> None:
        self._complaints.tell(f"{fault.name}: line {fault.line}", fault.reason)
        self._bad += 1

    def end(self) -> None:
        """Let the exit code say that something was bad."""
        self._complaints.end()
        if self._bad:
            say(f"bad records left out: {self._bad}")
            raise typer.Exit(FAILED)


def _divide(
    reading: _Reading,
    file: str,
    folder: Path,
    shares: Mapping[str, float],
    seed: int,
    similar: float,
    *,
    force: bool,
) -> None:
    from blender_core.data.files import write_records
    from blender_core.data.sources import suffix_of
    from blender_core.data.splits import split as divided

    wanted = {name: share for name, share in shares.items() if share}
    paths = {name: folder / f"{name}{suffix_of(file)}" for name in ("train", *wanted)}
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in paths.items():
        for other in sorted(folder.glob(f"{name}.*")):
            check_target(other, source=file, overwrite=force)
        check_target(path, source=file, overwrite=force)
    parts = divided(list(reading.records(file)), wanted, seed=seed, threshold=similar)
    for name, records in parts.items():
        write_records(paths[name], records)
        say(f"{paths[name]}: {len(records)} records")
    reading.end()


def _check(reading: _Reading, files: Sequence[str], similar: float, *, json: bool) -> None:
    from blender_core.cli.data_view import overlaps_view
    from blender_core.data.splits import overlaps

    found = overlaps({file: list(reading.records(file)) for file in files}, similar)
    if json:
        _print_json([_overlap_json(overlap) for overlap in found])
    else:
        _print(overlaps_view(files, found))
    if found:
        raise typer.Exit(FAILED)
    reading.end()


def _different(files: Sequence[str]) -> Sequence[str]:
    if len(set(files)) < len(files):
        raise InputError("a FILE is given twice")
    return files


def _print(view: RenderableType) -> None:
    from rich.console import Console

    Console(markup=False, highlight=False, emoji=False, soft_wrap=True).print(view)


def _print_json(value: Any) -> None:
    import json

    typer.echo(json.dumps(value, indent=2))


def _overlap_json(overlap: Overlap) -> dict[str, Any]:
    from blender_core.data.splits import question

    return {
        "files": overlap.parts,
        "ids": [record.id for record in overlap.records],
        "questions": [question(record) for record in overlap.records],
        "similarity": overlap.similarity,
    }
