"""Drivers of ranking flows: they put the questions of all tasks to a comparator, sync or async."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from contextlib import nullcontext
from itertools import accumulate
from threading import Event
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from blender_core.candidates import Pair
from blender_core.comparison.answered import numbers
from blender_core.comparison.comparator import (
    AsyncComparator,
    Comparator,
    RoundsComparator,
    StreamingComparator,
)
from blender_core.errors import BlenderError
from blender_core.flows import Course
from blender_core.outcomes import Ranking
from blender_core.progress import progress_bar

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["RankFlows", "drive", "drive_async"]

RankFlows = Generator[list[list[Pair]], list[NDArray[np.float32]], list[Ranking]]
"""Many ranking flows in lockstep: yields each one's pairs, is sent each one's logits."""


def drive(
    flows: RankFlows,
    comparator: Comparator,
    *,
    stop: Event | None = None,
) -> list[Ranking]:
    """Run flows to their end; every round of all of them is one call of the comparator.

    Args:
        flows: what is run.
        comparator: what answers; a pair for which it gives no number stays a hole.
        stop: when it is set, nobody wants the result any more.
    """
    course = Course(flows)
    memory = comparator.remembering() if isinstance(comparator, RoundsComparator) else nullcontext()
    with memory, progress_bar(total=0, unit="pair", title="comparing") as progress:
        while not course.done:
            pairs = [pair for pairs in course.request for pair in pairs]
            progress.total = (progress.total or 0) + len(pairs)
            course.reply(_dealt(_logits(comparator, pairs, progress, stop), course.request))
        progress.refresh()  # short work ends before a bar is drawn by itself
    return course.result


async def drive_async(flows: RankFlows, comparator: Comparator) -> list[Ranking]:
    """Like `drive`; with a comparator that only computes, all of it happens in a thread.

    Cancelled, that thread stops after the batch it is at.
    """
    if not isinstance(comparator, AsyncComparator):
        stop = Event()
        try:
            return await asyncio.to_thread(drive, flows, comparator, stop=stop)
        finally:
            stop.set()
    course = Course(flows)
    while not course.done:
        pairs = [pair for pairs in course.request for pair in pairs]
        course.reply(_dealt(await comparator.alogits(pairs), course.request))
    return course.result


def _logits(
    comparator: Comparator, pairs: list[Pair], progress: tqdm[Any], stop: Event | None
) -> NDArray[np.float32]:
    if not isinstance(comparator, StreamingComparator):
        logits = comparator.logits(pairs)
        progress.update(len(pairs))
        return logits
    logits = np.full(len(pairs), np.nan, dtype=np.float32)
    for places, part in comparator.iter_logits(pairs):
        logits[places] = numbers(part, len(places))
        progress.update(len(places))
        if stop is not None and stop.is_set():
            raise BlenderError("cancelled: nobody waits for the result any more")
    return logits


def _dealt(logits: NDArray[np.float32], asking: list[list[Pair]]) -> list[NDArray[np.float32]]:
    """The flat logits cut back into one piece a flow."""
    ends = list(accumulate(map(len, asking)))
    return np.split(numbers(logits, ends[-1]), ends[:-1])
