"""Packing rows of different lengths into batches that hardly pad."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["pack", "padding_share"]


def pack(
    lengths: Sequence[int], max_batch_tokens: int, max_padding: float = 0.05
) -> list[list[int]]:
    """Group rows of similar length.

    Rows are sorted by length, longest first, so that running out of memory shows at once. A batch
    ends where the next row would exceed the token budget, or where padding the next row to the
    longest would bring the batch's share of padding above `max_padding`.

    Args:
        lengths: tokens of each row.
        max_batch_tokens: rows times longest row of a batch; a longer row is a batch of its own.
        max_padding: share of a batch's tokens that may be padding, 0 to 1.

    Returns:
        Batches of places in `lengths`; every place occurs once.

    >>> pack([10, 99, 10, 100], max_batch_tokens=200)
    [[3, 1], [0, 2]]
    """
    batches: list[list[int]] = []
    longest = real = 0
    for place in sorted(range(len(lengths)), key=lambda place: -lengths[place]):
        length = lengths[place]
        rows = len(batches[-1]) + 1 if batches else 1
        computed = rows * longest
        if (
            not batches
            or computed > max_batch_tokens
            or computed - (real + length) > max_padding * computed
        ):
            batches.append([])
            longest, real = length, 0
        batches[-1].append(place)
        real += length
    return batches


def padding_share(lengths: Sequence[int], batches: Sequence[Sequence[int]]) -> float:
    """Share of all computed tokens that are padding, 0 to 1."""
    computed = sum(len(batch) * max(lengths[place] for place in batch) for batch in batches)
    padding = computed - sum(lengths[place] for batch in batches for place in batch)
    return padding / computed if computed else 0.0
