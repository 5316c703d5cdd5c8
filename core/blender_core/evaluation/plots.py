"""Plots by matplotlib: as SVG in a page, or several below each other as a file of their own."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from blender_core.errors import InputError, MissingExtraError
from blender_core.evaluation.visible import visible
from blender_core.writing import whole_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["HeatMap", "Line", "LinePlot", "Plot", "RankBars", "as_svg", "check_drawable", "save"]

_FORMATS = (".png", ".svg")
_LONGEST_NAME = 32
_WORSE, _NEUTRAL, _BETTER = "#be5a14", "#f5f5f5", "#1464be"
_LAST_RANK = "#e1e4e8"
_STYLE: Any = {
    "font.size": 9,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.titlesize": 10,
    "grid.color": "#e3e5e8",
    "lines.marker": "o",
    "lines.markersize": 4,
    "savefig.dpi": 150,
    "svg.fonttype": "none",  # letters stay letters
    "svg.hashsalt": "blended-llm",  # the same plot each time
    "text.parse_math": False,  # a name with dollars is no formula
    "text.usetex": False,
}


class Plot(Protocol):
    """What can be drawn."""

    @property
    def title(self) -> str:
        """What it shows."""

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches; a height of 0 says that there is nothing to draw."""

    def draw(self, axes: Axes) -> None:
        """Draw it."""


@dataclass(frozen=True, slots=True)
class Line:
    """A line through points.

    Attributes:
        name: for the legend, any text.
        x: places across.
        y: places up; a point with a NaN is left out.
        dashed: whether it is there to compare with.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    dashed: bool = False

    @property
    def points(self) -> list[tuple[float, float]]:
        """Those that can be drawn."""
        both = zip(self.x, self.y, strict=True)
        return [(x, y) for x, y in both if math.isfinite(x) and math.isfinite(y)]


@dataclass(frozen=True, slots=True)
class LinePlot:
    """Lines over two axes."""

    title: str
    x_title: str
    y_title: str
    lines: Sequence[Line]

    @property
    def size(self) -> tuple[float, float]:
        """See `Plot.size`."""
        return 7.5, 3.5 if any(line.points for line in self.lines) else 0.0

    def draw(self, axes: Axes) -> None:
        """See `Plot.draw`."""
        for line in self.lines:
            [drawn] = axes.plot(*np.reshape(line.points, (-1, 2)).T)
            if line.dashed:
                drawn.set(color="#999", linestyle="--", marker="")
        axes.set_xlabel(self.x_title)
        axes.set_ylabel(self.y_title)
        names = [_name(line.name) for line in self.lines]
        axes.legend(axes.lines, names, loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)


@dataclass(frozen=True, slots=True, eq=False)
class HeatMap:
    """Who beats whom.

    Attributes:
        names: of M models, any text.
        shares: float64[M, M], how often the row won against the column; NaN leaves a cell empty.
    """

    names: Sequence[str]
    shares: NDArray[np.float64]
    title: str = "Who beats whom"

    @property
    def size(self) -> tuple[float, float]:
        """See `Plot.size`."""
        return 4.5 + 0.36 * len(self.names), 2.0 + 0.36 * len(self.names) if self.names else 0.0

    def draw(self, axes: Axes) -> None:
        """See `Plot.draw`."""
        from matplotlib.colors import LinearSegmentedColormap

        colours = LinearSegmentedColormap.from_list("wins", [_WORSE, _NEUTRAL, _BETTER])
        axes.pcolormesh(self.shares, cmap=colours, vmin=0, vmax=1, edgecolor="white", linewidth=1)
        for row, column in np.argwhere(~np.isnan(self.shares)).tolist():
            share = self.shares[row, column]
            ink = "white" if abs(share - 0.5) > 0.33 else "#222"
            _write(axes, column + 0.5, row + 0.5, f"{100 * share:.0f}", ink)
        places = np.arange(len(self.names)) + 0.5
        names = [_name(name) for name in self.names]
        axes.set_xticks(places, names, rotation=45, ha="left")
        axes.set_yticks(places, names)
        axes.xaxis.tick_top()
        axes.invert_yaxis()
        _bare(axes)


@dataclass(frozen=True, slots=True, eq=False)
class RankBars:
    """How often each model has which rank, as stacked bars.

    Attributes:
        names: of M models, any text.
        shares: float64[M, R], the share of the model's answers with rank 1, 2, ...
    """

    names: Sequence[str]
    shares: NDArray[np.float64]
    title: str = "Ranks"

    @property
    def size(self) -> tuple[float, float]:
        """See `Plot.size`."""
        return 8.0, 0.9 + 0.27 * len(self.names) if self.names else 0.0

    def draw(self, axes: Axes) -> None:
        """See `Plot.draw`."""
        from matplotlib.colors import LinearSegmentedColormap

        ranks = self.shares.shape[1]
        colours = LinearSegmentedColormap.from_list("ranks", [_BETTER, _LAST_RANK])
        places = np.arange(len(self.names))
        ends = np.cumsum(self.shares, axis=1)
        for rank in range(ranks):
            wide = self.shares[:, rank]
            colour = colours(rank / max(1, ranks - 1))
            axes.barh(places, wide, 0.85, ends[:, rank] - wide, color=colour, edgecolor="white")
            for place in np.nonzero(wide > 0.03)[0].tolist():
                ink = "white" if rank < 0.35 * ranks else "#222"
                middle = float(ends[place, rank] - wide[place] / 2)
                _write(axes, middle, place, str(rank + 1), ink)
        axes.set_yticks(places, [_name(name) for name in self.names])
        axes.set_xticks([])
        axes.set_xlabel("the number in a bar is the rank; its width is how often")
        axes.margins(x=0)
        axes.invert_yaxis()
        _bare(axes)


def as_svg(plot: Plot) -> str:
    """The plot as an SVG element without its title; empty where there is nothing to draw.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    if not plot.size[1]:
        return ""
    text = StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with _drawn([plot], titles=False) as figure:
        figure.savefig(text, format="svg", metadata=nothing, transparent=True)
    return text.getvalue()[text.getvalue().index("<svg") :]


def save(plots: Sequence[Plot], path: Path) -> bool:
    """Write the plots to one file, whole or not at all.

    Args:
        plots: those with nothing to draw are left out.
        path: a ``.png`` or ``.svg``.

    Returns:
        Whether there was anything to draw; else nothing is written.

    Raises:
        MissingExtraError: matplotlib is not installed.
        OSError: the file cannot be written.
    """
    shown = [plot for plot in plots if plot.size[1]]
    if shown:
        with _drawn(shown, titles=True) as figure, whole_file(path) as file:
            kind = path.suffix.lower().removeprefix(".")
            figure.savefig(file, format=kind, metadata={"Date": None} if kind == "svg" else None)
    return bool(shown)


def check_drawable(path: Path | None = None) -> None:
    """Check, before any work, that plots can be made and written to the file.

    Raises:
        InputError: its name does not say a format that we write.
        MissingExtraError: matplotlib is not installed.
    """
    if path is not None and path.suffix.lower() not in _FORMATS:
        raise InputError(f"{path}: a plot is a {' or a '.join(_FORMATS)}")
    if find_spec("matplotlib") is None:
        raise MissingExtraError("a plot", "eval")


@contextmanager
def _drawn(plots: Sequence[Plot], *, titles: bool) -> Iterator[Figure]:
    """A figure of the plots, below each other, while our style is in force."""
    check_drawable()
    import matplotlib as mpl
    from matplotlib.figure import Figure

    widths, heights = zip(*(plot.size for plot in plots), strict=True)
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # a letter that the font has not is a box
        figure = Figure((max(widths), sum(heights)), layout="constrained")
        parts = figure.subplots(len(plots), 1, squeeze=False, height_ratios=heights)[:, 0]
        for plot, axes in zip(plots, parts, strict=True):
            plot.draw(axes)
            axes.spines[:].set_visible(False)
            if titles:
                axes.set_title(plot.title, loc="left")
        yield figure


def _bare(axes: Axes) -> None:
    """Without grid and ticks, where there are names in their place."""
    axes.grid(visible=False)
    axes.tick_params(length=0)


def _write(axes: Axes, x: float, y: float, words: str, ink: str) -> None:
    text = axes.text(x, y, words, color=ink, ha="center", va="center_baseline", size=8)
    text.set_in_layout(False)  # it lies inside, and layouts of thousands take long


def _name(name: str) -> str:
    """A name on one line, not too long."""
    words = " ".join(visible(name).split())
    return words if len(words) <= _LONGEST_NAME else words[: _LONGEST_NAME - 1] + "…"
