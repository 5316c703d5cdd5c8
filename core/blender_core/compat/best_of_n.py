"""Best or worst first: by a bubble pass along the original's random lines, or by all ranks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_core.candidates import Pair, Task
from blender_core.comparison.answered import numbers
from blender_core.comparison.comparator import Comparator
from blender_core.flows import lockstep
from blender_core.outcomes import Ranking
from blender_core.ranking.aggregation import max_logits
from blender_core.ranking.drivers import drive
from blender_core.ranking.flow import rank_flow
from blender_core.ranking.schedules import Bubble

__all__ = ["bubble_orders", "sorted_order"]


def sorted_order(ranking: Ranking, *, worst: bool) -> list[int]:
    """Indices of the candidates, best or worst first; ties in input order."""
    sign = -1 if worst else 1
    return sorted(range(len(ranking.ranks)), key=lambda index: sign * ranking.ranks[index])


def bubble_orders(
    tasks: Sequence[Task],
    comparator: Comparator,
    batch_size: int,
    *,
    worst: bool,
) -> list[list[int]]:
    """For each task the survivor of a bubble pass, then the others in the order they lost."""
    lines = _random_lines([len(task.candidates) for task in tasks], batch_size)
    flows = lockstep(
        rank_flow(task, Bubble(line=line), max_logits)
        for task, line in zip(tasks, lines, strict=True)
    )
    judge = _Negated(comparator) if worst else comparator
    rankings = drive(flows, judge)
    return [_order(ranking, line) for ranking, line in zip(rankings, lines, strict=True)]


@dataclass(frozen=True, slots=True)
class _Negated:
    """A comparator of the contrary opinion: what survives its bubble pass is the worst."""

    comparator: Comparator

    def logits(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        return -numbers(self.comparator.logits(pairs), len(pairs))


def _random_lines(counts: Sequence[int], batch_size: int) -> list[tuple[int, ...]]:
    """A random line an input, drawn as the original draws: the inputs of a batch share one.

    Before the first line the original, by starting a ``DataLoader``, draws a number it has no use
    for; so do we, to have the same lines for the same seed.
    """
    import torch

    lines: list[tuple[int, ...]] = []
    if max(counts) > 1:
        torch.empty((), dtype=torch.int64).random_()
    for start in range(0, len(counts), batch_size):
        drawn: dict[int, tuple[int, ...]] = {1: (0,)}
        for count in counts[start : start + batch_size]:
            if count not in drawn:
                drawn[count] = tuple(torch.randperm(count).tolist())
            lines.append(drawn[count])
    return lines


def _order(ranking: Ranking, line: Sequence[int]) -> list[int]:
    place = {index: step for step, index in enumerate(line)}
    # Whoever lost meets nobody further down the line, so the last one met dates the defeat. (On
    # the diagonal a candidate meets itself: a challenger may lose to one from before it.)
    met = ~np.isnan(ranking.matrix)
    lost_at = [max(place[int(other)] for other in np.flatnonzero(row)) for row in met]
    survivor, *others = ranking.order
    return [survivor, *sorted(others, key=lost_at.__getitem__)]
