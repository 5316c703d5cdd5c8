"""The third stage of an evaluation: what is believed of the answers, and of the blends' texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from blender_core.evaluation.blended import Blended
from blender_core.evaluation.items import Item
from blender_core.evaluation.ranked import rankings
from blender_core.evaluation.store import Store, key_of
from blender_core.evaluation.truth import Truth, truth_by
from blender_core.evaluation.wanted import Evaluation

__all__ = ["Judged", "judge"]


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What is believed.

    Attributes:
        truths: of the answers, one an item.
        texts: by blend, what the judge knows that saw the texts, and a text's place in it; None
            where there is no text. Empty where the judge saw the answers alone.
        notes: what a reader must know.
    """

    truths: Sequence[Truth]
    texts: Mapping[str, Sequence[tuple[Truth, int] | None]]
    notes: Sequence[str]


def judge(items: Sequence[Item], blended: Blended, wanted: Evaluation, store: Store) -> Judged:
    """What the records say, or the ranker that is believed instead: it compares everything."""
    if wanted.judge_ranker is None:
        return Judged([item.truth for item in items], {}, [])
    name, ranker = wanted.judge_ranker
    tasks = []
    for place, item in enumerate(items):
        written = [texts[place] for texts in blended.texts.values()]
        fused = [one.text for one in written if one is not None and one.fused]
        task = item.task.with_candidates([*item.task.candidates, *fused])
        tasks.append((key_of(item.key, fused), task))
    title = f"judge {name}"
    found = rankings(store, f"judge {wanted.stored_as(title)}", title, tasks, ranker)
    truths: list[Truth] = []
    texts: dict[str, list[tuple[Truth, int] | None]] = {blend: [] for blend in blended.texts}
    for place, (item, ranking) in enumerate(zip(items, found.values, strict=True)):
        count = len(item.texts)
        # Answers come first, then the texts that were fused, blend by blend.
        size = len(tasks[place][1].candidates)
        matrix = np.full((size, size), np.nan)
        if ranking is not None:
            matrix = ranking.matrix.astype(np.float64)
        truths.append(truth_by(matrix[:count, :count]))
        after = count
        for blend, told in texts.items():
            one = blended.texts[blend][place]
            if one is None:
                told.append(None)
            elif not one.fused:
                told.append((truths[-1], one.pick))
            else:
                chosen = [*range(count), after]
                told.append((truth_by(matrix[np.ix_(chosen, chosen)]), count))
                after += 1
    note = f"The judge is the ranker {name}; it agrees with itself by definition."
    return Judged(truths, texts, [*found.notes, note])
