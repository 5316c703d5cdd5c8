"""What all commands over records do: read, answer in windows, write, report what is wrong.

Nothing that was computed is lost: results are written after each window, a bad line costs only
itself, and where a model fails on a window its records are tried one by one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import typer

from blender_core.candidates import Task
from blender_core.cli.messages import FAILED, INTERRUPTED, Complaints, say, shows_progress
from blender_core.cli.records import Answered, TwoAnswers
from blender_core.cli.results import Results, ResultsFile, Screen
from blender_core.cli.rows import Row
from blender_core.data.lines import not_blank
from blender_core.errors import InputError, reason
from blender_core.json_values import parsed
from blender_core.together import together
from blender_core.writing import is_stream

if TYPE_CHECKING:
    from rich.console import RenderableType
    from tqdm import tqdm

    from blender_core.belief.member_prior import MemberPrior

__all__ = ["Entry", "Given", "Verb", "Wanted", "work"]

STDIN = "-"

_PACKED = (".gz", ".parquet")

_FAST = 5.0
"""Seconds; a window that takes less is followed by a larger one."""

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Entry:
    """A record of the input: its line, counted from 1, its id if it has one, and the task."""

    line: int
    id: str | int | None
    task: Task

    def fingerprint(self, settings: Sequence[object]) -> str:
        """Short, and another one for another question, other answers or other settings."""
        parts = [self.task.instruction, self.task.input, *(c.text for c in self.task.candidates)]
        content = json.dumps([*parts, *map(str, settings)]).encode()
        return sha256(content).hexdigest()[:12]


@dataclass(frozen=True, slots=True)
class Verb(Generic[Answer]):
    """What a command does with records.

    Attributes:
        read: from a line's JSON value to a record.
        answer: from tasks to answers, one each.
        as_json: from task and answer to what a result says, without line and id.
        view: from title, task and answer to what a terminal shows.
        settings: what decides about answers, such as the ranker's name. An earlier run with
            others cannot be resumed: its results would be mixed with other ones.
        window: records answered together, and lost together if the machine stops.
        prior: what is known of those who wrote the answers, if that is used.
    """

    read: Callable[[Any], Answered | TwoAnswers]
    answer: Callable[[Sequence[Task]], Sequence[Answer]]
    as_json: Callable[[Task, Answer], dict[str, Any]]
    view: Callable[[str, Task, Answer], RenderableType]
    settings: Sequence[object] = ()
    window: int = 64
    prior: MemberPrior | None = None


@dataclass(frozen=True, slots=True)
class Given:
    """Where the records come from: a file, stdin, or the arguments themselves.

    Raises:
        InputError: none of them is given, or more than one.
    """

    file: str | None
    instruction: str | None
    candidates: Sequence[str] | None

    def __post_init__(self) -> None:
        if self.file is not None and (self.instruction is not None or self.candidates):
            raise InputError("give FILE, or --instruction with --candidate, not both")
        if (self.instruction is None) != (not self.candidates):
            raise InputError("--instruction and --candidate belong together")
        if self.file is None and self.instruction is None and sys.stdin.isatty():
            raise InputError(
                "nothing to work on: give FILE, - for stdin, or --instruction with --candidate"
            )

    @contextmanager
    def lines(self) -> Iterator[Iterable[tuple[int, Any]]]:
        """The lines that are not blank: number and bytes, or for arguments the JSON value."""
        if self.instruction is not None:
            yield [
                (1, {"instruction": self.instruction, "candidates": list(self.candidates or ())})
            ]
        elif self.file in (None, STDIN):
            yield not_blank(sys.stdin.buffer)
        elif is_stream(path := Path(str(self.file)).expanduser()) or _is_other(path):
            with path.open("rb") as file:
                yield not_blank(file)
        else:
            from blender_core.data.sources import read_rows

            yield read_rows(str(self.file))

    def count(self) -> int | None:
        """How many lines a file has; None for what can be read only once."""
        path = Path(str(self.file)).expanduser()
        if self.file in (None, STDIN) or not path.is_file() or path.suffix in _PACKED:
            return None
        with path.open("rb") as file:
            return sum(1 for _ in not_blank(file))


def _is_other(path: Path) -> bool:
    """Whether it is a file whose name says nothing of its kind: lines of JSON, then."""
    from blender_core.data.sources import kind_of

    return path.is_file() and kind_of(path) is None


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where the results go, and whether they carry what they are about.

    Raises:
        InputError: the options contradict each other.
    """

    output: Path | None
    resume: bool
    force: bool
    quiet: bool
    with_input: bool | None = False

    def about(self, task: Task) -> dict[str, Any]:
        """What a result says of the question and the answers, if it is to."""
        in_file = self.output is not None
        if not (in_file if self.with_input is None else self.with_input):
            return {}
        answers = [{"model": each.source, "text": each.text} for each in task.candidates]
        told = {"instruction": task.instruction, "candidates": answers}
        return told | ({"input": task.input} if task.input else {})

    def __post_init__(self) -> None:
        if self.output is None and (self.resume or self.force):
            raise InputError("--resume and --force are about a file: give --output")
        if self.resume and self.force:
            raise InputError("--resume keeps what is there, --force overwrites it")

    def results(self, given: Given, row: type[Row]) -> Results:
        """What takes the results.

        Raises:
            InputError: the output exists and may not be overwritten, or is the input.
        """
        if self.output is None:
            return Screen() if sys.stdout.isatty() else Results()
        source = Path(given.file) if given.file not in (None, STDIN) else None
        return ResultsFile(
            self.output.expanduser(),
            row,
            source=source,
            resume=self.resume,
            force=self.force,
        )


def work(given: Given, wanted: Wanted, row: type[Row], load: Callable[[], Verb[Answer]]) -> None:
    """Answer all records.

    Args:
        given: where they come from.
        wanted: where the results go.
        row: what a result is.
        load: loads the models; called when files are known to be usable.

    Raises:
        typer.Exit: lines were bad (`FAILED`), or the user stopped it (`INTERRUPTED`).
        BlenderError: a model or the output is not usable.
        OSError: a file is not usable.
    """
    from tqdm import tqdm

    results = wanted.results(given, row)
    with given.lines() as lines:
        verb = load()
        results.start()
        show = shows_progress(quiet=wanted.quiet) and given.instruction is None
        total = given.count() if show else None
        bar: tqdm[Any]
        with tqdm(total=total, unit="record", disable=not show, leave=False) as bar:
            run = _Run(verb, row, wanted, results, bar)
            try:
                run.over(lines)
                results.finish()
            except KeyboardInterrupt:
                say(run.farewell())
                raise typer.Exit(INTERRUPTED) from None
            finally:
                results.close()
    if run.failures:
        say(f"{run.failures} of {run.failures + run.answered} records failed")
        raise typer.Exit(FAILED)


class _Run(Generic[Answer]):
    """One pass over the records, and what has become of them."""

    def __init__(
        self,
        verb: Verb[Answer],
        row: type[Row],
        wanted: Wanted,
        results: Results,
        bar: tqdm[Any],
    ) -> None:
        self._verb = verb
        self._wanted = wanted
        self._row = row
        self._results = results
        self._bar = bar
        self._complaints = Complaints()
        self.answered = 0
        self.failures = 0

    def over(self, lines: Iterable[tuple[int, Any]]) -> None:
        """Answer them window by window."""
        entries = self._entries(lines)
        size = 1
        while window := list(islice(entries, size)):
            start = time.monotonic()
            for entry, answer in self._answers(window):
                self._add(entry, answer)
            self._results.flush()
            self._bar.update(len(window))
            # As many at once as take seconds: what an interrupt can lose is little either way.
            took = time.monotonic() - start
            size = min(2 * size, self._verb.window) if took < _FAST else max(1, size // 2)
        self._complaints.end()

    def farewell(self) -> str:
        """What to say when the user stops it."""
        said = f"interrupted with {self.answered} records answered"
        if self._results.resumable is None:
            return said
        return (
            f"{said}; what is answered is in {self._results.resumable}. "
            "Give the same command with --resume (without --force) to go on"
        )

    def _entries(self, lines: Iterable[tuple[int, Any]]) -> Iterator[Entry]:
        by = None if self._verb.prior is None else self._verb.prior.by
        for number, content in lines:
            try:
                value = parsed(content) if isinstance(content, bytes) else content
                if isinstance(value, InputError):
                    raise value
                record = self._verb.read(value)
            except InputError as error:
                self._failed(number, error)
                self._bar.update()
                continue
            entry = Entry(number, record.id, record.to_task(by))
            if self._results.answered(number, record.id, self._fingerprint(entry)):
                self._bar.update()
            else:
                yield entry

    def _answers(self, window: Sequence[Entry]) -> Iterator[tuple[Entry, Answer]]:
        # Something that is not installed is fatal: no record can do without it.
        answers = together(
            window,
            lambda entries: self._verb.answer([entry.task for entry in entries]),
            fatal=(ImportError,),
        )
        for entry, answer in zip(window, answers, strict=True):
            if isinstance(answer, Exception):
                self._failed(entry.line, answer)
            else:
                yield entry, answer

    def _add(self, entry: Entry, answer: Answer) -> None:
        known: dict[str, Any] = {"line": entry.line, "task": self._fingerprint(entry)}
        if entry.id is not None:
            known["id"] = entry.id
        known |= self._wanted.about(entry.task)
        row = self._row(**known, **self._verb.as_json(entry.task, answer))
        title = f"line {entry.line}" if entry.id is None else str(entry.id)
        self._results.add(row, lambda: self._verb.view(title, entry.task, answer))
        self.answered += 1

    def _fingerprint(self, entry: Entry) -> str:
        prior, task = self._verb.prior, entry.task
        if prior is None:
            return entry.fingerprint(self._verb.settings)
        who = [prior.fingerprint, task.kind, *(answer.source for answer in task.candidates)]
        return entry.fingerprint([*self._verb.settings, *who])

    def _failed(self, line: int, error: Exception) -> None:
        self._complaints.tell(f"line {line}", reason(error))
        self.failures += 1
