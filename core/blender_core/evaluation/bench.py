"""Where an evaluation's work is done: what is known is not computed again, and a bar shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from blender_core.candidates import Task
from blender_core.evaluation.kept import check_ranking, ranking_of, value_of
from blender_core.evaluation.store import Store
from blender_core.outcomes import Ranking
from blender_core.ranking.ranker import Ranker

__all__ = ["Bench", "Found"]

Item = TypeVar("Item")
Value = TypeVar("Value")


@dataclass(frozen=True, slots=True, eq=False)
class Found(Generic[Value]):
    """What a worker found.

    Attributes:
        values: one an item, None where the worker failed.
        notes: what a reader must know of that.
    """

    values: Sequence[Value | None]
    notes: Sequence[str]


@dataclass(frozen=True, slots=True)
class Bench:
    """Takes work.

    Attributes:
        store: what is known, and takes what is computed.
        progress: from a title and a total to a bar; None shows none.
    """

    store: Store
    progress: Callable[[str, int], Any] | None = None

    def all(
        self,
        by: str,
        title: str,
        items: Sequence[tuple[str, Item]],
        compute: Callable[[Sequence[Item]], Iterable[Any]],
        check: Callable[[Item, Any], object],
        window: int = 64,
    ) -> Found[Any]:
        """What a worker finds for all items, as of `Store.all`; people know it by its title."""
        failures: list[str] = []
        bar = None if self.progress is None else self.progress(title, len(items))
        try:
            values = self.store.all(
                by,
                items,
                compute,
                check=check,
                window=window,
                failures=failures,
                progress=(lambda _: None) if bar is None else bar.update,
            )
        finally:
            if bar is not None:
                bar.close()
        if not failures:
            return Found(values, [])
        note = f"{title}: failed on {len(failures)} of {len(items)} records, the first time with: "
        return Found(values, [note + failures[0]])

    def rankings(
        self, by: str, title: str, tasks: Sequence[tuple[str, Task]], ranker: Ranker
    ) -> Found[Ranking]:
        """A ranker's rankings of tasks with their keys."""
        found = self.all(
            by,
            title,
            tasks,
            lambda some: map(value_of, ranker.rank_many(some)),
            lambda task, value: check_ranking(value, len(task.candidates)),
        )
        rankings = [
            None if value is None else ranking_of(task, value)
            for (_, task), value in zip(tasks, found.values, strict=True)
        ]
        return Found(rankings, found.notes)
