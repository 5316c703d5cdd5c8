"""Where a report goes: a table on stdout, JSON, an HTML page, plots."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blender_core.cli.messages import say
from blender_core.errors import InputError
from blender_core.writing import check_target, whole_file

if TYPE_CHECKING:
    from rich.console import RenderableType

    from blender_core.evaluation.plots import Plot

__all__ = ["Force", "Html", "Json", "PlotFile", "Reports", "show"]

_STDOUT = Path("-")
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
PlotFile = Annotated[
    Path | None,
    typer.Option("--plot", help="Draw the page's plots: a .png or .svg.", rich_help_panel=_RESULTS),
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
        plot: where the plots go.
        force: whether files may be overwritten.
        csv: where a table of the figures goes.
        kept: a file of another kind, which may exist.

    Raises:
        InputError: a file exists and may not be overwritten, is the input, has no folder, or is
            named twice; or no plot has such a name.
        MissingExtraError: pages or plots are wanted, and what makes them is not installed.
    """

    file: Path | None
    json: Path | None
    html: Path | None
    plot: Path | None
    force: bool
    csv: Path | None = None
    kept: Path | None = None

    def __post_init__(self) -> None:
        outputs = [path for path in (self.json, self.html, self.plot, self.csv) if path is not None]
        for path in outputs:
            if path != _STDOUT:
                check_target(path, source=self.file, overwrite=self.force)
        if self.kept is not None:
            check_target(self.kept, source=self.file, overwrite=True, streams=False)
            outputs.append(self.kept)
        if len(set(outputs)) < len(outputs):
            raise InputError("the results cannot all go to one file: name another one for each")
        if self.html is not None or self.plot is not None:
            from blender_core.evaluation.plots import check_drawable

            check_drawable(self.plot)

    def write(
        self,
        value: Mapping[str, Any],
        view: RenderableType,
        page: Callable[[], str],
        plots: Sequence[Plot] = (),
        csv: Callable[[], str] = str,
    ) -> None:
        """Write and show.

        Args:
            value: the figures, as JSON takes them.
            view: for the terminal; not shown where the figures go to stdout.
            page: makes the HTML page.
            plots: of the page.
            csv: makes the table of the figures.
        """
        import json

        from blender_core.data.lines import as_line

        if self.json == _STDOUT:
            sys.stdout.buffer.write(as_line(value))
        elif self.json is not None:
            pretty = json.dumps(json.loads(as_line(value)), indent=2, ensure_ascii=False)
            _write_whole(self.json, pretty + "\n")
        if self.csv is not None:
            _write_whole(self.csv, csv())
        if self.html is not None:
            _write_whole(self.html, page())
        if self.plot is not None:
            from blender_core.evaluation.plots import save

            if not save(plots, self.plot):
                say(f"{self.plot} is not written: there is nothing to draw")
        if self.json != _STDOUT:
            show(view)


def show(view: RenderableType) -> None:
    """Print to stdout; markup in other people's text is none."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else _WIDTH_OF_A_FILE
    Console(markup=False, highlight=False, emoji=False, width=width).print(view)


def _write_whole(path: Path, text: str) -> None:
    """Write a file whole or not at all; lone surrogates become escapes."""
    with whole_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))
