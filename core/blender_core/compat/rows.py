"""Results in the shapes of the original: one row of numbers, or of texts, an input."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.outcomes import Ranking

__all__ = ["Rows", "get_topk_candidates_from_ranks", "ranks_or_scores", "shaped"]

Rows = NDArray[Any] | list[NDArray[Any]]
"""A 2-D array, or a list of arrays where inputs have different numbers of candidates."""


def ranks_or_scores(rankings: Sequence[Ranking], scores: bool) -> Rows:
    """Scores as float32, or ranks as int32."""
    if scores:
        return shaped([np.array(ranking.scores, np.float32) for ranking in rankings])
    return shaped([np.array(ranking.ranks, np.int32) for ranking in rankings])


def shaped(rows: list[NDArray[Any]]) -> Rows:
    """One array if all rows are of one length."""
    return np.stack(rows) if len({len(row) for row in rows}) == 1 else rows


def get_topk_candidates_from_ranks(
    ranks: Iterable[Iterable[float]],
    candidates: Iterable[Sequence[str]],
    top_k: int | None = None,
) -> list[list[str]]:
    """Every input's best candidates, best first; equal ranks keep their order.

    Args:
        ranks: one a candidate, the smallest is best.
        candidates: one row an input.
        top_k: how many of each row; None takes all.

    >>> get_topk_candidates_from_ranks([[3, 1, 2]], [["a", "b", "c"]], top_k=2)
    [['b', 'c']]
    """
    return [
        [text for _, text in sorted(zip(row, texts, strict=True), key=lambda pair: pair[0])][:top_k]
        for row, texts in zip(ranks, candidates, strict=True)
    ]
