"""Where results go: JSON lines to stdout or a file that an interrupted run can go on with."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from blender_core.cli.messages import say
from blender_core.data.lines import as_line, parsed
from blender_core.errors import InputError

if TYPE_CHECKING:
    from rich.console import RenderableType

View = Callable[[], "RenderableType"]
"""Makes what a terminal shows; called only where there is one."""

__all__ = ["Results", "ResultsFile", "Screen", "View"]

_BEGINNING = b'{"line": '
"""How every result begins."""


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

    def add(self, result: Mapping[str, Any], view: View) -> None:
        """Take a result: as JSON, and as it looks on a terminal."""
        del view
        self._stream.write(as_line(result))

    def flush(self) -> None:
        """Make sure that nothing added so far can be lost."""
        self._stream.flush()

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

    def add(self, result: Mapping[str, Any], view: View) -> None:
        """Draw the view, above the progress bar if there is one."""
        del result
        from tqdm import tqdm

        with tqdm.external_write_mode(file=sys.stdout):
            self._console.print(view())


class ResultsFile(Results):
    """Writes results to a file.

    Args:
        path: of the file.
        fields: keys that a result of this command has, besides ``id`` and ``matrix``.
        resume: whether to keep what is there and go on behind it.
        force: whether to overwrite what is there.

    Raises:
        InputError: the file exists and neither is asked for, or it holds other things than
            results of this command.
        OSError: the file or its folder cannot be used.
    """

    def __init__(self, path: Path, fields: frozenset[str], *, resume: bool, force: bool) -> None:
        self.resumable = path
        self._path = path
        self._resume = resume
        self._done: dict[int, tuple[str | int | None, str]] = {}
        if path.exists() and not (resume or force):
            raise InputError(f"{path} exists; --resume goes on with it, --force overwrites it")
        if not path.parent.is_dir():
            raise InputError(f"{path}: there is no folder {path.parent}")
        self._end = self._read(fields) if resume and path.exists() else 0

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

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _read(self, fields: frozenset[str]) -> int:
        """Remember what is answered; returns where the last whole line ends, in bytes."""
        end = 0
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    if not _BEGINNING.startswith(line[: len(_BEGINNING)]):
                        raise InputError(f"{self._path}: line {number} is no result")
                    break
                self._remember(number, line, fields)
                end += len(line)
        return end

    def _remember(self, number: int, line: bytes, fields: frozenset[str]) -> None:
        try:
            result = parsed(line)
        except InputError as error:
            raise InputError(f"{self._path}: line {number} is no result: {error}") from None
        whole = isinstance(result, dict) and result.keys() - {"id", "matrix"} == fields
        if not whole or not isinstance(result["line"], int) or not isinstance(result["task"], str):
            raise InputError(f"{self._path}: line {number} is no result of this command")
        self._done[result["line"]] = result.get("id"), result["task"]
