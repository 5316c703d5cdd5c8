"""Plots as SVG, drawn by hand: no library, no network, nothing a name could break out of."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

__all__ = ["heat_map", "opened", "rank_distribution"]

_CELL = 34
_LETTER = 6.5  # width of a letter, roughly, at the size that names have
_LONGEST_NAME = 32
_BETTER = (20, 100, 190)
_WORSE = (190, 90, 20)
_BEST_RANK = (20, 100, 190)
_LAST_RANK = (225, 228, 232)


def heat_map(names: Sequence[str], shares: NDArray[np.float64]) -> str:
    """Who beats whom, as an SVG element.

    Args:
        names: of M models, any text.
        shares: float64[M, M], how often the row won against the column; NaN leaves a cell empty.
    """
    left = _room(names)
    size = len(names) * _CELL
    top = left * 0.75 + 8
    parts = [opened(left + size + left * 0.6 + 10, top + size + 4, "Who beats whom")]
    for column, name in enumerate(names):
        x = left + (column + 0.6) * _CELL
        parts.append(
            f'<text transform="translate({x:.0f},{top - 6:.0f}) rotate(-45)">{_name(name)}</text>'
        )
    for row, name in enumerate(names):
        y = top + row * _CELL
        parts.append(_left(name, left, y + _CELL / 2))
        for column, other in enumerate(names):
            share = float(shares[row, column])
            if np.isnan(share):
                continue
            x = left + column * _CELL
            target = _BETTER if share >= 0.5 else _WORSE
            colour = _mixed((245, 245, 245), target, abs(share - 0.5) * 2.0)
            ink = "#fff" if abs(share - 0.5) > 0.33 else "#222"
            parts.append(
                f"<g><title>{escape(name)} against {escape(other)}: {share:.1%}</title>"
                f'<rect x="{x}" y="{y:.0f}" width="{_CELL - 1}" height="{_CELL - 1}" '
                f'fill="{colour}"/><text x="{x + _CELL / 2:.0f}" y="{y + _CELL / 2 + 4:.0f}" '
                f'text-anchor="middle" fill="{ink}">{100 * share:.0f}</text></g>'
            )
    return "".join([*parts, "</svg>"])


def rank_distribution(names: Sequence[str], shares: NDArray[np.float64]) -> str:
    """How often each model has which rank, as an SVG element of stacked bars.

    Args:
        names: of M models, any text.
        shares: float64[M, R], the share of the model's answers with rank 1, 2, ...
    """
    left, width, height = _room(names), 520, 24
    ranks = shares.shape[1]
    parts = [opened(left + width + 10, len(names) * height + 34, "Distribution of ranks")]
    for row, name in enumerate(names):
        y = row * height + 2
        parts.append(_left(name, left, y + height / 2))
        x = float(left)
        for rank in range(ranks):
            share = float(shares[row, rank])
            if share <= 0:
                continue
            colour = _mixed(_BEST_RANK, _LAST_RANK, rank / max(1, ranks - 1))
            wide = share * width
            ink = "#fff" if rank < 0.35 * ranks else "#222"
            label = (
                f'<text x="{x + wide / 2:.1f}" y="{y + 15}" text-anchor="middle" '
                f'fill="{ink}">{rank + 1}</text>'
                if wide > 16
                else ""
            )
            parts.append(
                f"<g><title>{escape(name)}: rank {rank + 1} in {share:.1%}</title>"
                f'<rect x="{x:.1f}" y="{y}" width="{wide:.1f}" height="{height - 4}" '
                f'fill="{colour}" stroke="#fff"/>{label}</g>'
            )
            x += wide
    parts.append(
        f'<text x="{left}" y="{len(names) * height + 20}">the number in a bar is the rank; '
        "its width is how often</text>"
    )
    return "".join([*parts, "</svg>"])


def opened(width: float, height: float, title: str) -> str:
    """The beginning of an SVG element of this size."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-label="{escape(title)}" '
        f'width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}" '
        'font-family="system-ui, sans-serif" font-size="11">'
    )


def _room(names: Sequence[str]) -> int:
    return 16 + round(_LETTER * max((min(len(name), _LONGEST_NAME) for name in names), default=0))


def _left(name: str, left: float, y: float) -> str:
    return f'<text x="{left - 8}" y="{y + 3:.0f}" text-anchor="end">{_name(name)}</text>'


def _name(name: str) -> str:
    short = name if len(name) <= _LONGEST_NAME else name[: _LONGEST_NAME - 1] + "…"
    return escape(short)


def _mixed(start: tuple[int, ...], end: tuple[int, ...], share: float) -> str:
    mixed = (round(a + (b - a) * share) for a, b in zip(start, end, strict=True))
    return f"rgb({','.join(map(str, mixed))})"
