"""Drivers of ranking flows: they put the questions of all tasks to a comparator, sync or async."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from blender_core.candidates import Pair, Ranking
from blender_core.comparison.comparator import AsyncComparator, Comparator, StreamingComparator
from blender_core.errors import ModelOutputError

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["RankFlows", "drive", "drive_async"]

RankFlows = Generator[list[list[Pair]], list[NDArray[np.float32]], list[Ranking]]
"""Many ranking flows in lockstep: yields each one's pairs, is sent each one's logits."""


def drive(
    flows: RankFlows, comparator: Comparator, *, show_progress: bool = False
) -> list[Ranking]:
    """Run flows to their end; every round of all of them is one call of the comparator."""
    with _progress(show_progress) as progress:
        try:
            asking = next(flows)
            while True:
                pairs = [pair for pairs in asking for pair in pairs]
                progress.total = (progress.total or 0) + len(pairs)
                if isinstance(comparator, StreamingComparator):
                    logits = np.full(len(pairs), np.nan, dtype=np.float32)
                    for places, part in comparator.iter_logits(pairs):
                        logits[places] = part
                        progress.update(len(places))
                else:
                    logits = comparator.logits(pairs)
                    progress.update(len(pairs))
                asking = flows.send(_dealt(logits, asking))
        except StopIteration as end:
            rankings: list[Ranking] = end.value
            return rankings


async def drive_async(flows: RankFlows, comparator: Comparator) -> list[Ranking]:
    """Like `drive`; a comparator that only computes runs in a thread."""
    try:
        asking = next(flows)
        while True:
            pairs = [pair for pairs in asking for pair in pairs]
            if isinstance(comparator, AsyncComparator):
                logits = await comparator.alogits(pairs)
            else:
                logits = await asyncio.to_thread(comparator.logits, pairs)
            asking = flows.send(_dealt(logits, asking))
    except StopIteration as end:
        rankings: list[Ranking] = end.value
        return rankings


def _dealt(logits: NDArray[np.float32], asking: list[list[Pair]]) -> list[NDArray[np.float32]]:
    """The flat logits cut back into one piece a flow, checked."""
    flat = np.asarray(logits, dtype=np.float32)
    expected = sum(map(len, asking))
    if flat.shape != (expected,):
        raise ModelOutputError(
            f"the comparator was asked {expected} pairs and answered with shape {flat.shape}"
        )
    if np.isinf(flat).any():
        raise ModelOutputError(
            f"the comparator answered {int(np.isinf(flat).sum())} of {expected} pairs with infinity"
        )
    return np.split(flat, list(accumulate(map(len, asking)))[:-1])


@contextmanager
def _progress(show: bool) -> Iterator[tqdm[Any]]:
    from tqdm import tqdm

    bar: tqdm[Any]
    with tqdm(total=0, unit="pair", desc="comparing", disable=not show) as bar:
        yield bar
