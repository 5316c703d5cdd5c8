"""What can be asked to compare two answers.

A comparator answers pairs and knows nothing of tournaments. Only `Comparator` is required; the
other protocols are offers that drivers take up where a comparator makes them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from blender_core.candidates import Pair

__all__ = ["AsyncComparator", "Comparator", "RoundsComparator", "StreamingComparator"]


@runtime_checkable
class Comparator(Protocol):
    """Anything that can say which of two answers is better."""

    def logits(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        """Compare, one directional pass a pair.

        Returns:
            float32[len(pairs)]: > 0 where the first-shown answer is better; NaN where the
            comparator could not say (the pair stays a hole in the matrix).
        """
        ...


@runtime_checkable
class StreamingComparator(Comparator, Protocol):
    """A comparator that reports its answers batch by batch, so that progress can be shown."""

    def iter_logits(
        self, pairs: Sequence[Pair]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Yield (places in `pairs`, their logits) until every pair has its answer."""
        ...


@runtime_checkable
class RoundsComparator(Comparator, Protocol):
    """A comparator that gains from knowing that more rounds about the same answers will come."""

    def remembering(self) -> AbstractContextManager[None]:
        """What is entered before the first round and left after the last one."""
        ...


@runtime_checkable
class AsyncComparator(Comparator, Protocol):
    """A comparator that waits for a network rather than computes."""

    async def alogits(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        """Like `logits`, without blocking the event loop."""
        ...
