"""Lines over two axes, as SVG drawn by hand: for curves, and points against a diagonal."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
from numpy.typing import NDArray

from blender_core.evaluation.svg import opened

__all__ = ["Line", "line_plot"]

_WIDTH, _HEIGHT = 520, 300
_LEFT, _TOP, _BOTTOM = 56, 12, 40
_COLOURS = ("#1464be", "#be5a14", "#2a8a3e", "#8a2a86", "#555", "#b0901a", "#0a8f8f")
_TICKS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """One series.

    Attributes:
        name: in the legend, any text.
        x: as many numbers as there are points.
        y: likewise; a point with NaN is left out.
        dashed: drawn as a thin dashed line without points, as a diagonal is.
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


def line_plot(title: str, x_title: str, y_title: str, lines: Sequence[Line]) -> str:
    """The plot, as an SVG element; empty where there is no point."""
    points = [point for line in lines for point in line.points]
    if not points:
        return ""
    xs, ys = zip(*points, strict=True)
    across = _Axis.of(xs, _LEFT, _LEFT + _WIDTH)
    up = _Axis.of(ys, _TOP + _HEIGHT, _TOP)
    legend = 16 + max(len(line.name) for line in lines) * 7
    width, height = _LEFT + _WIDTH + 20 + legend, _TOP + _HEIGHT + _BOTTOM
    parts = [opened(width, height, title)]
    for value in across.ticks:
        x = across.place(value)
        parts.append(
            f'<path d="M{x:.1f} {_TOP}V{_TOP + _HEIGHT}" stroke="#e3e5e8"/><text x="{x:.1f}" '
            f'y="{_TOP + _HEIGHT + 15}" text-anchor="middle">{value:.4g}</text>'
        )
    for value in up.ticks:
        y = up.place(value)
        parts.append(
            f'<path d="M{_LEFT} {y:.1f}H{_LEFT + _WIDTH}" stroke="#e3e5e8"/><text x="{_LEFT - 6}" '
            f'y="{y + 4:.1f}" text-anchor="end">{value:.4g}</text>'
        )
    parts.append(
        f'<text x="{_LEFT + _WIDTH / 2}" y="{height - 6}" text-anchor="middle">{escape(x_title)}'
        f'</text><text transform="translate(12,{_TOP + _HEIGHT / 2}) rotate(-90)" '
        f'text-anchor="middle">{escape(y_title)}</text>'
    )
    for number, line in enumerate(lines):
        colour = "#999" if line.dashed else _COLOURS[number % len(_COLOURS)]
        places = [(across.place(x), up.place(y)) for x, y in line.points]
        path = " ".join(f"{px:.1f},{py:.1f}" for px, py in places)
        dash = ' stroke-dasharray="4 4"' if line.dashed else ' stroke-width="2"'
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}"{dash}/>')
        if not line.dashed:
            parts += [
                f"<g><title>{escape(line.name)}: {x:.4g}, {y:.4g}</title>"
                f'<circle cx="{px:.1f}" cy="{py:.1f}" r="3.5" fill="{colour}"/></g>'
                for (px, py), (x, y) in zip(places, line.points, strict=True)
            ]
        y = _TOP + 10 + 18 * number
        parts.append(
            f'<path d="M{_LEFT + _WIDTH + 12} {y - 4}h14" stroke="{colour}"{dash}/>'
            f'<text x="{_LEFT + _WIDTH + 32}" y="{y}">{escape(line.name)}</text>'
        )
    return "".join([*parts, "</svg>"])


@dataclass(frozen=True, slots=True)
class _Axis:
    """From values to places."""

    low: float
    high: float
    start: float
    end: float

    @classmethod
    def of(cls, values: Sequence[float], start: float, end: float) -> _Axis:
        """An axis that holds all values, with a little room."""
        low, high = min(values), max(values)
        room = (high - low or abs(high) or 1.0) * 0.04
        return cls(low - room, high + room, start, end)

    def place(self, value: float) -> float:
        """Where a value is drawn."""
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    @property
    def ticks(self) -> NDArray[np.float64]:
        """Round values on the axis."""
        step = 10.0 ** np.floor(np.log10((self.high - self.low) / _TICKS))
        step *= min((1, 2, 5, 10), key=lambda k: abs((self.high - self.low) / (k * step) - _TICKS))
        first = np.ceil(self.low / step)
        ticks: NDArray[np.float64] = np.arange(first, np.floor(self.high / step) + 1) * step
        return ticks + 0.0
