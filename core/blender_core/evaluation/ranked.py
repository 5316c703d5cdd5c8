"""The first stage of an evaluation: what the rankers say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blender_core.evaluation.bench import Bench
from blender_core.evaluation.items import Item
from blender_core.evaluation.wanted import Evaluation
from blender_core.outcomes import Ranking

__all__ = ["Ranked", "rank"]


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """What they say.

    Attributes:
        rankings: by ranker, one an item, None where it failed.
        notes: what a reader must know.
    """

    rankings: Mapping[str, Sequence[Ranking | None]]
    notes: Sequence[str]


def rank(items: Sequence[Item], wanted: Evaluation, bench: Bench) -> Ranked:
    """Have all rankers rank all items."""
    tasks = [(item.key, item.task) for item in items]
    found = {
        name: bench.rankings(f"ranker {wanted.stored_as(name)}", name, tasks, ranker)
        for name, ranker in wanted.rankers.items()
    }
    return Ranked(
        {name: one.values for name, one in found.items()},
        [note for one in found.values() for note in one.notes],
    )
