"""Nodes as a ranking leaves them: new ones, best first, with what is told of each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from llama_index.core.bridge.pydantic import Field
from llama_index.core.schema import BaseNode, NodeWithScore
from numpy.typing import NDArray
from scipy.special import expit

from blender_core.outcomes import Ranking
from blender_core.ranking.matrix import completed

__all__ = ["RankedNode", "ranked_nodes"]

_RANK = "blend_rank"
_WIN_PROBABILITY = "blend_win_probability"
_OURS = (_RANK, _WIN_PROBABILITY)
_RETRIEVAL_SCORE = "retrieval_score"
"""LlamaIndex's own name for it; where a node has one already, that one stays."""


class RankedNode(NodeWithScore):
    """A node that knows the ranking it comes from.

    Attributes:
        ranking: of all nodes, of which this is one. Not saved with the node.
    """

    ranking: Any = Field(default=None, exclude=True, repr=False, description="Of all nodes.")


def ranked_nodes(
    nodes: list[NodeWithScore],
    ranking: Ranking,
    *,
    min_margin: float | None,
    keep_retrieval_score: bool,
) -> Iterator[RankedNode]:
    """The nodes, best first, but for those that the best one beats by more than `min_margin`."""
    matrix = completed(ranking.matrix).astype(np.float64)
    margins = (matrix - matrix.T) / 2.0  # [i, j]: by how much i beats j, both orders
    best = ranking.order[0]
    score = 1.0
    for place in ranking.order:
        chance = _win_probability(ranking, margins, place)
        # Of comparisons, the course of a tournament decides the order: no score is above that of
        # a node that is ranked higher.
        score = ranking.scores[place] if ranking.absolute else min(score, chance)
        if min_margin is not None and margins[best, place] > min_margin:
            continue
        told: dict[str, Any] = {_RANK: ranking.ranks[place]}
        if len(nodes) > 1 and place not in ranking.left_out:
            told[_WIN_PROBABILITY] = chance
        node = _told(nodes[place].node, nodes[place].score, told, keep_retrieval_score)
        yield RankedNode(node=node, score=float(score), ranking=ranking)


def _win_probability(ranking: Ranking, margins: NDArray[np.float64], place: int) -> float:
    """How likely it beats another one drawn at random; 1 where there is none, 0 if left out."""
    if place in ranking.left_out:
        return 0.0
    chances = [
        ranking.probability(place, other)
        if ranking.is_calibrated
        else float(expit(margins[place, other]))
        for other in range(len(margins))
        if other != place and other not in ranking.left_out
    ]
    return sum(chances) / len(chances) if chances else 1.0


def _told(
    node: BaseNode, retrieval_score: float | None, told: dict[str, Any], keep_retrieval_score: bool
) -> BaseNode:
    kept = {key: value for key, value in node.metadata.items() if key not in _OURS}
    hidden = [*_OURS]
    is_retrieved = retrieval_score is not None and _RANK not in node.metadata
    if keep_retrieval_score and is_retrieved and _RETRIEVAL_SCORE not in kept:
        told[_RETRIEVAL_SCORE] = retrieval_score
        hidden.append(_RETRIEVAL_SCORE)
    excluded = {
        name: [*(key for key in getattr(node, name) if key not in hidden), *hidden]
        for name in ("excluded_llm_metadata_keys", "excluded_embed_metadata_keys")
    }
    return node.model_copy(update={"metadata": {**kept, **told}, **excluded})
