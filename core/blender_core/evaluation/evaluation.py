"""From records, rankers and metrics to a report, stage by stage."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing, nullcontext

from blender_core.data.records import Record
from blender_core.evaluation.blended import blend
from blender_core.evaluation.items import items_of
from blender_core.evaluation.judged import judge
from blender_core.evaluation.measured import measure
from blender_core.evaluation.ranked import rank
from blender_core.evaluation.report import Report
from blender_core.evaluation.store import Store
from blender_core.evaluation.tabulated import tabulate
from blender_core.evaluation.wanted import Evaluation

__all__ = ["evaluate"]


def evaluate(records: Iterable[Record], wanted: Evaluation, store: Store | None = None) -> Report:
    """Evaluate.

    Args:
        records: the data; kept in memory.
        wanted: what to find out.
        store: what is known already, and takes what is computed.

    Raises:
        InputError: there are no records.
        OSError: the store cannot be written.
    """
    items = items_of(records, wanted)
    with nullcontext(store) if store is not None else closing(Store()) as kept:
        ranked = rank(items, wanted, kept)
        blended = blend(items, ranked, wanted, kept)
        judged = judge(items, blended, wanted, kept)
        measured = measure(items, blended, wanted, kept)
    return tabulate(items, wanted, ranked, blended, judged, measured)
