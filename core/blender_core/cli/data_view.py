"""What ``blended-llm data`` shows on a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from blender_core.cli.messages import one_line, visible
from blender_core.data.splits import Overlap, question
from blender_core.data.stats import Stats

__all__ = ["overlaps_view", "stats_view"]

_EXAMPLES = 5
_NAMES = 10
_NAME_WIDTH = 36
_COUNT_WIDTH = 9
_QUESTION_WIDTH = 100


def stats_view(told: Mapping[str, Stats]) -> RenderableType:
    """A table of figures, a column a file."""
    table = Table("")
    table.columns[0].no_wrap = True
    for file in told:
        table.add_column(visible(file), justify="right", overflow="fold", min_width=_COUNT_WIDTH)
    for name, figure in _FIGURES.items():
        cells = [figure(figures) for figures in told.values()]
        if any(cells):
            table.add_row(name, *cells)
    for title, counter in _COUNTERS.items():
        counts = [Counter(counter(figures)) for figures in told.values()]
        if any(names.keys() - {""} for names in counts):
            table.add_section()
            table.add_row(title, style="bold")
            _add_counts(table, counts)
    return table


def _add_counts(table: Table, counts: Sequence[Counter[str]]) -> None:
    """A row for each of the most frequent names, and one for the others."""
    ranked = [name for name, _ in sum(counts, Counter[str]()).most_common()]
    for name in ranked[:_NAMES]:
        shown = one_line(name)[:_NAME_WIDTH] or "(not said)"
        table.add_row(f"  {shown}", *(f"{names[name]:,}" for names in counts))
    if others := ranked[_NAMES:]:
        rest = (sum(names[name] for name in others) for names in counts)
        table.add_row(f"  {len(others)} others", *(f"{count:,}" for count in rest))


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.1%}"


_FIGURES: dict[str, Callable[[Stats], str]] = {
    "records": lambda told: f"{told.records:,}",
    "with a reference": lambda told: f"{told.references:,}",
    "answers": lambda told: f"{told.answers:,}",
    "models": lambda told: f"{len(told.models.keys() - {''}):,}",
    "answers a record: median": lambda told: f"{told.answers_a_record.median:,.0f}",
    "answers a record: most": lambda told: f"{told.answers_a_record.largest:,.0f}",
    "question's characters: median": lambda told: f"{told.question_characters.median:,.0f}",
    "question's characters: 95 % have less": lambda told: f"{told.question_characters.p95:,.0f}",
    "answer's characters: median": lambda told: f"{told.answer_characters.median:,.0f}",
    "answer's characters: 95 % have less": lambda told: f"{told.answer_characters.p95:,.0f}",
    "empty answers": lambda told: f"{told.empty_answers:,}",
    "answers given twice in a record": lambda told: f"{told.repeated_answers:,}",
    "questions asked before": lambda told: f"{told.repeated_questions:,}",
    "questions nearly asked before": lambda told: (
        "" if told.near_questions is None else f"{told.near_questions:,}"
    ),
    "pairs decided": lambda told: f"{told.decided:,}",
    "pairs tied": lambda told: f"{told.ties:,}",
    "pairs unknown": lambda told: f"{told.unknown:,}",
    "ties among the known pairs": lambda told: _percent(told.share_of_ties),
    "longer answer is better": lambda told: _percent(told.share_of_longer_wins),
}

_COUNTERS: dict[str, Callable[[Stats], Mapping[str, int]]] = {
    "answers by model": lambda told: told.models,
    "records by source": lambda told: told.sources,
    "records by licence": lambda told: told.licences,
    "records by kind of label": lambda told: told.label_kinds,
    "records by task": lambda told: told.tasks,
}


def overlaps_view(files: Sequence[str], found: Sequence[Overlap]) -> RenderableType:
    """How many questions any two files share, and the likest of them."""
    lines: list[str] = []
    for place, later in enumerate(files):
        for earlier in files[:place]:
            these = [overlap for overlap in found if overlap.parts == (earlier, later)]
            told = f"{len(these)} records of {later} ask what {earlier} asks"
            lines.append(visible(told))
            for overlap in sorted(these, key=lambda overlap: -overlap.similarity)[:_EXAMPLES]:
                lines.append(f"  {overlap.similarity:.0%} the same words:")
                for record in overlap.records:
                    asked = one_line(question(record))[:_QUESTION_WIDTH]
                    lines.append(f"    {one_line(str(record.id))}: {asked}")
    return Text("\n".join(lines))
