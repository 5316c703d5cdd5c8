"""Where an evaluation's report goes, and where what is computed is kept until then."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blender_core.cli.messages import say
from blender_core.errors import InputError

if TYPE_CHECKING:
    from blender_core.evaluation.report import Report
    from blender_core.evaluation.store import Store

__all__ = ["Outputs"]

_STDOUT = Path("-")
_WIDTH_OF_A_FILE = 160


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where everything goes.

    Raises:
        InputError: a file exists and may not be overwritten, or the options contradict.
    """

    file: Path
    json: Path | None
    csv: Path | None
    html: Path | None
    cache: Path | None
    resume: bool
    force: bool

    def __post_init__(self) -> None:
        if self.resume and self.force:
            raise InputError("--resume keeps what is there, --force overwrites it")
        reports = [path for path in (self.json, self.csv, self.html) if path not in (None, _STDOUT)]
        named = [path for path in (*reports, self.cache) if path is not None]
        for path in named:
            if path.exists() and self.file.exists() and path.samefile(self.file):
                raise InputError(f"{path} is the input; write the results elsewhere")
            if path.exists() and path in reports and not self.force:
                raise InputError(f"{path} exists; --force overwrites it")
            if not path.parent.is_dir():
                raise InputError(f"{path}: there is no folder {path.parent}")
        if len(set(named)) < len(named):
            raise InputError("the results cannot all go to one file: name another one for each")

    @property
    def _kept(self) -> Path:
        return self.cache or Path(f"{self.file.name}.evaluation.partial")

    @contextmanager
    def store(self) -> Iterator[Store]:
        """What keeps results while they are computed."""
        from blender_core.evaluation.store import Store

        try:
            store = Store(self._kept, resume=self.resume, force=self.force)
        except OSError as error:
            if self.cache is not None:
                raise
            say(f"{self._kept} cannot be written ({error.strerror}): Ctrl-C would cost everything")
            store = Store()
        try:
            yield store
        finally:
            store.close()

    def farewell(self, store: Store) -> str:
        """What to say when it does not come to an end."""
        if store.path is None:
            return "interrupted; nothing is kept"
        return (
            f"interrupted; what is computed is in {store.path}. "
            "Give the same command with --resume (without --force) to go on"
        )

    def write(self, report: Report) -> None:
        """Write and show the report; then nothing has to be kept any more."""
        import json

        from blender_core.data.lines import as_line

        if self.json is not None:
            line = as_line(report.as_value())
            if self.json == _STDOUT:
                sys.stdout.buffer.write(line)
            else:
                pretty = json.dumps(json.loads(line), indent=2, ensure_ascii=False) + "\n"
                _write(self.json, pretty)
        if self.csv is not None:
            _write(self.csv, report.as_csv())
        if self.html is not None:
            from blender_core.evaluation.html import as_html

            _write(self.html, as_html(report))
        if self.json != _STDOUT:
            from rich.console import Console

            from blender_core.cli.evaluation_view import report_view

            width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
            console = Console(markup=False, highlight=False, emoji=False, width=width)
            console.print(report_view(report))
        if self.cache is None:
            self._kept.unlink(missing_ok=True)


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all; lone surrogates become escapes."""
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        partial.write_bytes(text.encode("utf-8", "backslashreplace"))
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
