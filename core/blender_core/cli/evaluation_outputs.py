"""Where an evaluation's report goes, and where what is computed is kept until then."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blender_core.cli.messages import say
from blender_core.cli.reports import STDOUT, check_free, show, write_whole
from blender_core.errors import InputError

if TYPE_CHECKING:
    from blender_core.evaluation.report import Report
    from blender_core.evaluation.store import Store

__all__ = ["Outputs"]


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
        check_free(self.file, [self.json, self.csv, self.html], self.cache, force=self.force)

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
            if self.json == STDOUT:
                sys.stdout.buffer.write(line)
            else:
                pretty = json.dumps(json.loads(line), indent=2, ensure_ascii=False) + "\n"
                write_whole(self.json, pretty)
        if self.csv is not None:
            write_whole(self.csv, report.as_csv())
        if self.html is not None:
            from blender_core.evaluation.html import as_html

            write_whole(self.html, as_html(report))
        if self.json != STDOUT:
            from blender_core.cli.evaluation_view import report_view

            show(report_view(report))
        if self.cache is None:
            self._kept.unlink(missing_ok=True)
