"""Where results go: JSON lines to stdout or a file that an interrupted run can go on with."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pydantic import ValidationError

from blender_core.cli.earlier_lines import EarlierLines
from blender_core.cli.messages import say
from blender_core.cli.rows import Row
from blender_core.data.files import write_values
from blender_core.data.lines import as_line
from blender_core.data.sources import kind_of, rows_of
from blender_core.errors import InputError
from blender_core.writing import check_target, is_stream

if TYPE_CHECKING:
    from rich.console import RenderableType

View = Callable[[], "RenderableType"]
"""Makes what a terminal shows; called only where there is one."""

__all__ = ["Results", "ResultsFile", "Screen", "View"]


class Results:
    """Writes results to stdout as JSON lines; the other kinds change where to, or how."""

    resumable: Path | None = None
    """The file that `--resume` would go on with."""

    _stream: BinaryIO

    def answered(self, line: int, id: str | int | None, task: str) -> bool:
        """Whether an earlier run has answered this input line.

        Args:
            line: its number.
            id: of the record, if it has one.
            task: what identifies question and answers.
        """
        del line, id, task
        return False

    def start(self) -> None:
        """Get ready; called once, when everything else is known to be usable."""
        self._stream = sys.stdout.buffer  # bytes: stdout's encoding may not have all characters

    def add(self, row: Row, view: View) -> None:
        """Take a result: as JSON, and as it looks on a terminal."""
        del view
        self._stream.write(as_line(row.as_value()))

    def flush(self) -> None:
        """Make sure that nothing added so far can be lost."""
        self._stream.flush()

    def finish(self) -> None:
        """Take note that these are all; called before `close` where nothing went wrong."""

    def close(self) -> None:
        """Release what was opened; called once, also where something went wrong."""
        self.flush()


class Screen(Results):
    """Draws results on the terminal."""

    def start(self) -> None:
        """Find out about the terminal."""
        from rich.console import Console

        super().start()
        self._console = Console(markup=False, highlight=False, emoji=False)

    def add(self, row: Row, view: View) -> None:
        """Draw the view, above the progress bar if there is one."""
        del row
        from tqdm import tqdm

        with tqdm.external_write_mode(file=sys.stdout):
            self._console.print(view())


class ResultsFile(Results):
    """Writes results to a file of lines; without any result there is none in the end.

    A packed file, ``.jsonl.gz`` or ``.parquet``, is made of the lines at the end. Until then they
    are in a file of its name with ``.partial.jsonl`` behind it, which `resume` goes on with.

    Args:
        path: of the file.
        row: what a result of this command is.
        source: the input, if that is a file.
        resume: whether to keep what is there and go on behind it.
        force: whether to overwrite what is there.

    Raises:
        InputError: the file exists and neither is asked for, it is the input or a link, or it
            holds other things than results of this command.
        OSError: the file or its folder cannot be used.
    """

    def __init__(
        self,
        path: Path,
        row: type[Row],
        *,
        source: Path | None = None,
        resume: bool,
        force: bool,
    ) -> None:
        self._packed = path if kind_of(path) in ("gz", "parquet") else None
        if self._packed is not None:
            check_target(path, source=source, overwrite=force, streams=False)
            path = path.with_name(f"{path.name}.partial.jsonl")
        self.resumable = path
        self._path = path
        self._resume = resume
        self._done: dict[int, tuple[str | int | None, str]] = {}
        check_target(
            path,
            source=source,
            overwrite=resume or force,
            streams=not resume,
            advice="--resume goes on with it, --force overwrites it",
        )
        if is_stream(path):
            self.resumable = None
        self._end = self._read(row) if resume and path.exists() else 0

    def answered(self, line: int, id: str | int | None, task: str) -> bool:
        """Whether the file has the answer already.

        Raises:
            InputError: it has the answer to another record in this line.
        """
        if line not in self._done:
            return False
        known_id, known_task = self._done[line]
        if known_id != id:
            raise InputError(
                f"line {line} has the id {id!r}, but {self._path} answers {known_id!r} "
                "there: it was made from another input"
            )
        if known_task != task:
            raise InputError(
                f"line {line} has another question or other answers than {self._path} was made "
                "from, or that was made with another ranker, fuser or other settings"
            )
        return True

    def start(self) -> None:
        """Open the file; a torn last line is cut off."""
        if not self._resume:
            self._stream = self._path.open("wb")
            return
        self._stream = self._path.open("ab")
        if self._stream.tell() > self._end:
            self._stream.truncate(self._end)
            say(f"{self._path}: dropped the last line, which an earlier run had not finished")

    def finish(self) -> None:
        """Pack the lines, where the file is a packed one.

        Raises:
            InputError: its columns cannot hold the results.
            OSError: it cannot be written.
        """
        if self._packed is None or not self._stream.tell():
            return
        self.flush()
        write_values(self._packed, (value for _, value in rows_of(self._path)))
        self._path.unlink()

    def close(self) -> None:
        """Close the file."""
        is_empty = self.resumable is not None and not self._stream.tell()
        self._stream.close()
        if is_empty:
            self._path.unlink(missing_ok=True)

    def _read(self, row: type[Row]) -> int:
        """Remember what is answered; returns where the last whole line ends, in bytes."""
        lines = EarlierLines(self._path, row.BEGINNING, frozenset(row.model_fields))
        for number, value in lines:
            try:
                told = row.model_validate(value)
            except ValidationError:
                reason = f"line {number} is no result of this command"
                raise InputError(f"{self._path}: {reason}") from None
            self._done[told.line] = told.id, told.task
        return lines.end
