"""Which of a record's pairs are learnt from (LLM-Blender, section 3.2, and its program)."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from blender_core.training.config import SamplingName

__all__ = ["draw_pairs"]


def draw_pairs(
    mode: SamplingName,
    scores: NDArray[Any],
    generator: torch.Generator,
    *,
    num_pos: int = 1,
    num_neg: int = 1,
    ratio: float = 0.5,
) -> list[tuple[int, int]]:
    """Draw pairs of candidates, each in a random order.

    With n the smaller of `num_pos` and `num_neg`, and candidates sorted best first:

    * ``every``: all N(N - 1)/2 pairs.
    * ``all_pair``: n of these, by chance.
    * ``top_bottom``: the k-th of the n best with the k-th of the n worst, for each k. For n > N/2
      the two halves overlap, and a candidate can meet itself.
    * ``uniform``: every ``int(1/ratio)``-th candidate with the next such one.
    * ``random``: the share `ratio` of all pairs, at least one, by chance.
    * ``top_random``: each of the n best with one of the others, by chance.
    * ``random_bottom``: one of the others, by chance, with each of the n worst.

    The first four draw what LLM-Blender's program draws with torch seeded alike; the last three
    are offered by that program, but fail in it.

    Args:
        mode: one of the above.
        scores: float[N] or float[N, n_tasks], higher is better; tasks are added up.
        generator: source of chance.
        num_pos: how many of the best.
        num_neg: how many of the worst.
        ratio: 0 < ratio <= 1.

    Returns:
        Pairs of indices into `scores`, the answer shown first and the one shown second.
    """
    count = len(scores)
    if count < 2:
        return []
    total = torch.as_tensor(np.asarray(scores, dtype=np.float32)).reshape(count, -1).sum(1)
    best_first: list[int] = total.sort(descending=True, stable=True).indices.tolist()
    n = min(num_pos, num_neg, count)
    every = list(combinations(range(count), 2))
    match mode:
        case "every":
            pairs = every
        case "all_pair":
            pairs = _shuffled(every, generator)[: min(num_pos, num_neg)]
        case "top_bottom":
            pairs = list(zip(best_first[:n], best_first[-n:], strict=True))
        case "uniform":
            pairs = list(pairwise(best_first[:: int(1.0 / ratio)]))
        case "random":
            pairs = _shuffled(every, generator)[: max(1, round(ratio * len(every)))]
        case "top_random":
            pairs = [(k, _another(k, count, generator)) for k in best_first[:n]]
        case "random_bottom":
            pairs = [(_another(k, count, generator), k) for k in best_first[-n:]]
    swap = (torch.rand(len(pairs), generator=generator) >= 0.5).tolist()
    return [(b, a) if swapped else (a, b) for (a, b), swapped in zip(pairs, swap, strict=True)]


def _shuffled(pairs: list[tuple[int, int]], generator: torch.Generator) -> list[tuple[int, int]]:
    return [pairs[k] for k in torch.randperm(len(pairs), generator=generator).tolist()]


def _another(one: int, count: int, generator: torch.Generator) -> int:
    """Any of 0 .. count - 1 but the one."""
    drawn = int(torch.randint(count - 1, (), generator=generator))
    return drawn + int(drawn >= one)
