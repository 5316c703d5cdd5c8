"""A matrix of comparisons as a small heat map; without colours the numbers remain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.table import Table
from rich.text import Text

__all__ = ["LETTERS", "heat_map"]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_NEUTRAL = (58, 58, 58)
_BETTER = (20, 100, 190)
_WORSE = (190, 90, 20)
"""Blue and orange: told apart by nearly everybody, and white is legible on them."""


def heat_map(matrix: NDArray[np.float32]) -> Table:
    """The table of a matrix float[N, N], N up to 26; a cell > 0 says that its row is better."""
    values = np.where(np.eye(len(matrix), dtype=bool), np.nan, matrix)
    largest = float(np.nanmax(np.abs(values), initial=0.0))
    table = Table(box=None, padding=0, collapse_padding=True)
    table.add_column()
    letters = LETTERS[: len(matrix)]
    for letter in letters:
        table.add_column(letter, justify="center")
    for letter, row in zip(letters, values.tolist(), strict=True):
        table.add_row(Text(f"{letter} ", style="bold"), *(_cell(value, largest) for value in row))
    return table


def _cell(value: float, largest: float) -> Text:
    if np.isnan(value):
        return Text("   ·   ", style="dim")
    share = abs(value) / largest if largest else 0.0
    target = _BETTER if value > 0 else _WORSE
    red, green, blue = (
        round(start + (end - start) * share) for start, end in zip(_NEUTRAL, target, strict=True)
    )
    return Text(f" {value:+5.2f} ", style=f"white on rgb({red},{green},{blue})")
