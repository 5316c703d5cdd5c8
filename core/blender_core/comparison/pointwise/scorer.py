"""What can be asked to score answers one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["PointwiseScorer", "StreamingScorer"]


@runtime_checkable
class PointwiseScorer(Protocol):
    """Anything that can say how good an answer is."""

    def scores(self, items: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        """Score (question, answer) pairs.

        Returns:
            float32[len(items)], higher is better. An item's score does not depend on the others.
        """
        ...


@runtime_checkable
class StreamingScorer(PointwiseScorer, Protocol):
    """A scorer that reports batch by batch, so that progress can be shown."""

    def iter_scores(
        self, items: Sequence[tuple[str, str]]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Yield (places in `items`, their scores) until every item has its score."""
        ...
