"""What a blended response was made of, and what it tells of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llama_index.core.schema import NodeWithScore

from blender_core.outcomes import Blend
from llamaindex_blender.responses import ResponseNode

__all__ = ["sources_of", "tell", "without_metadata"]


class Bare(NodeWithScore):
    """A node whose text is read without its metadata, and the node itself."""

    original: NodeWithScore


def without_metadata(nodes: Sequence[NodeWithScore]) -> list[Bare]:
    """The nodes as a synthesizer reads them: their texts alone."""
    return [
        Bare(
            node=one.node.model_copy(
                update={"excluded_llm_metadata_keys": list(one.node.metadata)}
            ),
            score=one.score,
            original=one,
        )
        for one in nodes
    ]


def tell(response: Any, blend: Blend, source_nodes: Sequence[NodeWithScore]) -> None:
    """Write into a response how it came about, and of what its text was made."""
    count = len(blend.ranking.candidates)
    names = [_name(node, place) for place, node in enumerate(source_nodes[:count])]
    places = [int(source) for source in blend.sources]
    response.source_nodes = [
        *sources_of([source_nodes[place] for place in places]),
        *source_nodes[count:],
    ]
    response.metadata = {
        **{node.node.node_id: node.node.metadata for node in response.source_nodes},
        "blend": {
            **blend.report(),
            "order": [names[place] for place in blend.ranking.order],
            "scores": dict(zip(names, blend.ranking.scores, strict=True)),
            "sources": [names[place] for place in places],
        },
    }


def _name(node: NodeWithScore, place: int) -> str:
    return node.node.name if isinstance(node.node, ResponseNode) else f"response {place}"


def sources_of(used: Sequence[NodeWithScore]) -> list[NodeWithScore]:
    """What the responses were made of, each node once, with its best score."""
    found: dict[str, NodeWithScore] = {}
    for response in used:
        node = response.node
        own = node.source_nodes if isinstance(node, ResponseNode) else []
        for source in own or [response.original if isinstance(response, Bare) else response]:
            known = found.get(source.node.node_id)
            if known is None or (source.score or 0.0) > (known.score or 0.0):
                found[source.node.node_id] = source
    return list(found.values())
