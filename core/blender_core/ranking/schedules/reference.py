"""Every candidate against one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from blender_core.errors import InputError
from blender_core.ranking.matrix import margins, order_and_ranks
from blender_core.ranking.schedules.schedule import Ending, Rounds

__all__ = ["Reference", "ReferenceMode", "reference_index"]

ReferenceMode = Literal["longest", "shortest", "median_length", "first", "last"]


@dataclass(frozen=True, slots=True)
class Reference:
    """Compare every candidate with one reference, in both orders: 2(N - 1) passes, one round.

    The order is that of the margins over the reference.

    Args:
        mode: which candidate is the reference (LLM-Blender's `rank_with_ref`): the longest or
            shortest by number of characters (the first one on ties), the one at place N // 2 of
            the stable sort by length, the first, or the last.

    Raises:
        InputError: there is no such mode.
    """

    mode: ReferenceMode = "longest"

    def __post_init__(self) -> None:
        if self.mode not in get_args(ReferenceMode):
            raise InputError(
                f"unknown reference mode {self.mode!r}; known: {', '.join(get_args(ReferenceMode))}"
            )

    def rounds(self, lengths: Sequence[int]) -> Rounds:
        """See `Schedule.rounds`."""
        reference = reference_index(lengths, self.mode)
        others = [index for index in range(len(lengths)) if index != reference]
        if not others:
            return None
        matrix = yield [
            pair for other in others for pair in ((reference, other), (other, reference))
        ]
        # A candidate that could not be compared is taken to be as good as the reference.
        lead = np.nan_to_num(margins(matrix)[:, reference])
        _, ranks = order_and_ranks(lead.tolist())
        return Ending(ranks)


def reference_index(lengths: Sequence[int], mode: ReferenceMode) -> int:
    """Place of the reference among candidates of these lengths.

    >>> [reference_index([3, 1, 2], mode) for mode in ("longest", "shortest", "median_length")]
    [0, 1, 2]
    """
    by_length = sorted(range(len(lengths)), key=lambda index: lengths[index])
    places: dict[ReferenceMode, int] = {
        "longest": max(range(len(lengths)), key=lambda index: lengths[index]),
        "shortest": by_length[0],
        "median_length": by_length[len(lengths) // 2],
        "first": 0,
        "last": len(lengths) - 1,
    }
    return places[mode]
