"""How much sequences have in common, for all pairs at once."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["longer", "numbered", "overlaps", "symmetric"]

_BLOCK = 1 << 15

Ids = Sequence[NDArray[np.int64]]
"""N sequences of numbers, of any lengths."""


def numbered(sequences: Iterable[Iterable[Hashable]]) -> list[NDArray[np.int64]]:
    """The sequences with every different element replaced by a number."""
    numbers: dict[Hashable, int] = {}
    return [
        np.array([numbers.setdefault(item, len(numbers)) for item in sequence], dtype=np.int64)
        for sequence in sequences
    ]


def longer(grams: Ids, items: Ids, order: int) -> list[NDArray[np.int64]]:
    """N-grams of the next order, numbered.

    Args:
        grams: numbers of the sequences' (order - 1)-grams.
        items: numbers of their elements.
        order: of the n-grams to be made, 2 or more.
    """
    width = 1 + max((int(item.max()) for item in items if len(item)), default=0)
    keys = [
        gram[:-1] * width + item[order - 1 :] if len(gram) else gram
        for gram, item in zip(grams, items, strict=True)
    ]
    # Numbered afresh, so that the keys of the next order cannot overflow.
    numbers = np.unique(np.concatenate(keys), return_inverse=True)[1]
    return np.split(numbers.astype(np.int64), np.cumsum([len(key) for key in keys])[:-1])


def overlaps(grams: Ids) -> NDArray[np.float64]:
    """Size of the multiset intersection of every two sequences.

    Returns:
        float64[N, N], symmetric, whole numbers; lengths on the diagonal.
    """
    count = len(grams)
    owners = np.repeat(np.arange(count), [len(gram) for gram in grams])
    values = np.concatenate(grams)
    order = np.lexsort((values, owners))
    owners, values = owners[order], values[order]
    # The k-th occurrence of a value in a sequence is an element of its own: what two multisets
    # have in common is then what two sets have in common, a scalar product.
    starts = np.ones(len(values), dtype=bool)
    starts[1:] = (values[1:] != values[:-1]) | (owners[1:] != owners[:-1])
    places = np.arange(len(values))
    occurrence = places - np.maximum.accumulate(np.where(starts, places, 0))
    keys = values * (int(occurrence.max(initial=0)) + 1) + occurrence
    columns, holders = np.unique(keys, return_inverse=True, return_counts=True)[1:]
    shared = holders > 1
    dense = np.cumsum(shared) - 1
    kept = shared[columns]
    owners, columns = owners[kept], dense[columns[kept]]
    by_column = np.argsort(columns, kind="stable")
    owners, columns = owners[by_column], columns[by_column]
    result = np.zeros((count, count))
    width = int(shared.sum())
    for start in range(0, width, _BLOCK):
        low, high = np.searchsorted(columns, [start, start + _BLOCK])
        block = np.zeros((count, min(_BLOCK, width - start)), dtype=np.float32)
        block[owners[low:high], columns[low:high] - start] = 1.0
        result += block @ block.T
    np.fill_diagonal(result, [len(gram) for gram in grams])
    return result


def symmetric(directed: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean of both directions, float64[N, N]."""
    return (directed + directed.T) / 2.0
