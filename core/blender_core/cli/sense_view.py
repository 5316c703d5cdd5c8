"""What a ranker made of the battery of common sense, on a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.table import Table

from blender_core.evaluation.sense.page import (
    HEAD,
    LANGUAGE_HEAD,
    kind_rows,
    language_row,
    mean_rows,
)
from blender_core.evaluation.sense.result import Sense

__all__ = ["sense_view"]


def sense_view(sense: Sense) -> RenderableType:
    """Kinds, then means, then languages."""
    kinds = _table(HEAD, "Common sense: share of tasks in which a good answer comes first")
    for knowledge in (False, True):
        for row in kind_rows(sense, knowledge=knowledge):
            kinds.add_row(*row)
        kinds.add_section()
    for row in mean_rows(sense):
        kinds.add_row(*row, style="bold")
    languages = _table(LANGUAGE_HEAD, "By language: means over kinds")
    for knowledge in (False, True):
        languages.add_row(*language_row(sense, knowledge=knowledge))
    return Group(kinds, languages)


def _table(head: Sequence[str], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for place, name in enumerate(head):
        table.add_column(name, justify="right" if place else "left", no_wrap=True)
    return table
