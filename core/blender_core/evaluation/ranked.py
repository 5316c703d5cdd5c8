"""The first stage of an evaluation: what the rankers say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blender_core.candidates import Task
from blender_core.evaluation.items import Item
from blender_core.evaluation.kept import check_ranking, ranking_of, value_of
from blender_core.evaluation.store import Found, Store
from blender_core.evaluation.wanted import Evaluation
from blender_core.outcomes import Ranking
from blender_core.ranking.ranker import Ranker

__all__ = ["Ranked", "rank", "rankings"]


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """What they say.

    Attributes:
        rankings: by ranker, one an item, None where it failed.
        notes: what a reader must know.
    """

    rankings: Mapping[str, Sequence[Ranking | None]]
    notes: Sequence[str]


def rank(items: Sequence[Item], wanted: Evaluation, store: Store) -> Ranked:
    """Have all rankers rank all items."""
    tasks = [(item.key, item.task) for item in items]
    found = {
        name: rankings(store, f"ranker {wanted.stored_as(name)}", name, tasks, ranker)
        for name, ranker in wanted.rankers.items()
    }
    return Ranked(
        {name: one.values for name, one in found.items()},
        [note for one in found.values() for note in one.notes],
    )


def rankings(
    store: Store, by: str, title: str, tasks: Sequence[tuple[str, Task]], ranker: Ranker
) -> Found[Ranking]:
    """A ranker's rankings of tasks with their keys; see `Store.all`."""
    found = store.all(
        by,
        title,
        tasks,
        lambda some: map(value_of, ranker.rank_many(some)),
        lambda task, value: check_ranking(value, len(task.candidates)),
    )
    told = zip(tasks, found.values, strict=True)
    known = [None if value is None else ranking_of(task, value) for (_, task), value in told]
    return Found(known, found.notes)
