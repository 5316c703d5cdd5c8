"""Where a report goes: a table on stdout, JSON, an HTML page."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blender_core.errors import InputError
from blender_core.writing import check_target, whole_file

if TYPE_CHECKING:
    from rich.console import RenderableType

__all__ = ["STDOUT", "Force", "Html", "Json", "Reports", "check_free", "show", "write_whole"]

STDOUT = Path("-")
_WIDTH_OF_A_FILE = 160
_RESULTS = "Results"

Json = Annotated[
    Path | None,
    typer.Option("--json", help="Write everything here; - is stdout.", rich_help_panel=_RESULTS),
]
Html = Annotated[
    Path | None,
    typer.Option("--html", help="Write a page with plots.", rich_help_panel=_RESULTS),
]
Force = Annotated[
    bool, typer.Option("--force", help="Overwrite what is there.", rich_help_panel=_RESULTS)
]


@dataclass(frozen=True, slots=True)
class Reports:
    """The files of one report.

    Args:
        file: what is read, if anything is.
        json: where the figures go.
        html: where the page goes.
        force: whether files may be overwritten.

    Raises:
        InputError: a file exists and may not be overwritten, or is the input.
    """

    file: Path | None
    json: Path | None
    html: Path | None
    force: bool

    def __post_init__(self) -> None:
        check_free(self.file, [self.json, self.html], force=self.force)

    def write(self, value: Mapping[str, Any], page: str, view: RenderableType) -> None:
        """Write and show.

        Args:
            value: the figures, as JSON takes them.
            page: the HTML page.
            view: for the terminal; not shown where the figures go to stdout.
        """
        import json

        from blender_core.data.lines import as_line

        if self.json == STDOUT:
            sys.stdout.buffer.write(as_line(value))
        elif self.json is not None:
            pretty = json.dumps(json.loads(as_line(value)), indent=2, ensure_ascii=False)
            write_whole(self.json, pretty + "\n")
        if self.html is not None:
            write_whole(self.html, page)
        if self.json != STDOUT:
            show(view)


def check_free(
    file: Path | None, outputs: list[Path | None], kept: Path | None = None, *, force: bool
) -> None:
    """Check that outputs can be written without losing anything.

    Args:
        file: the input, if there is one.
        outputs: files to be written; None and ``-`` are none.
        kept: one that may exist.
        force: whether the outputs may exist.

    Raises:
        InputError: one exists, is the input, has no folder, or is named twice.
    """
    for path in outputs:
        if path is not None and path != STDOUT:
            check_target(path, source=file, overwrite=force)
    if kept is not None:
        check_target(kept, source=file, overwrite=True, streams=False)
    everything = [path for path in (*outputs, kept) if path is not None]
    if len(set(everything)) < len(everything):
        raise InputError("the results cannot all go to one file: name another one for each")


def show(view: RenderableType) -> None:
    """Print to stdout; markup in other people's text is none."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
    Console(markup=False, highlight=False, emoji=False, width=width).print(view)


def write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all; lone surrogates become escapes."""
    with whole_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
