"""The second stage of an evaluation: what becomes of the best answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from blender_core.blend import Blender
from blender_core.candidates import Task
from blender_core.evaluation.items import Item
from blender_core.evaluation.kept import check_blend
from blender_core.evaluation.known_ranker import KnownRanker
from blender_core.evaluation.ranked import Ranked
from blender_core.evaluation.store import Found, Store
from blender_core.evaluation.wanted import Blending, Evaluation
from blender_core.ranking.ranker import Ranker

__all__ = ["Blended", "BlendedText", "blend"]

_WINDOW = 16  # writing takes long, and a window is what an interruption costs


@dataclass(frozen=True, slots=True)
class BlendedText:
    """A blend's text.

    Attributes:
        text: the text.
        fused: whether it is none of the answers.
        pick: the place of the answer that was ranked first.
    """

    text: str
    fused: bool
    pick: int


@dataclass(frozen=True, slots=True, eq=False)
class Blended:
    """What became of them.

    Attributes:
        texts: by blend, one an item, None where it failed.
        notes: what a reader must know.
    """

    texts: Mapping[str, Sequence[BlendedText | None]]
    notes: Sequence[str]


def blend(items: Sequence[Item], ranked: Ranked, wanted: Evaluation, store: Store) -> Blended:
    """Have all blends made, of what the rankers said."""
    found: dict[str, Found[BlendedText]] = {}
    for name, told in wanted.blends.items():
        rankings = zip(items, ranked.rankings[told.ranker], strict=True)
        known = {item.task: ranking for item, ranking in rankings if ranking is not None}
        ranker = KnownRanker(wanted.rankers[told.ranker], known)
        found[name] = _texts(items, told, ranker, name, f"blend {wanted.stored_as(name)}", store)
    return Blended(
        {name: one.values for name, one in found.items()},
        [note for one in found.values() for note in one.notes],
    )


def _texts(
    items: Sequence[Item], told: Blending, ranker: Ranker, title: str, by: str, store: Store
) -> Found[BlendedText]:
    blender = Blender(ranker, told.fuser, top_k=told.top_k, verify=told.verify)

    def compute(tasks: Sequence[Task]) -> list[dict[str, object]]:
        blends = blender.blend_many(tasks)
        return [asdict(BlendedText(one.text, one.fused, one.ranking.order[0])) for one in blends]

    found = store.all(
        by,
        title,
        [(item.key, item.task) for item in items],
        compute,
        lambda task, value: check_blend(value, len(task.candidates)),
        _WINDOW,
    )
    texts = [None if value is None else BlendedText(**value) for value in found.values]
    return Found(texts, found.notes)
