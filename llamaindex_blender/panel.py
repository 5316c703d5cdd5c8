"""Panel: responses as candidates for the core, and a blend of them as a response of LlamaIndex."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from llama_index.core.base.response.schema import PydanticResponse, Response
from llama_index.core.schema import MetadataMode, NodeWithScore
from pydantic import BaseModel

from blender_core.candidates import Candidate
from blender_core.outcomes import Blend
from blender_core.thoughts import without_thoughts
from llamaindex_blender.ranked_nodes import RankedNode
from llamaindex_blender.responses import Asked, ResponseNode, names_of

__all__ = ["Panel"]

_NUMBERS = ("passes", "stopped_because", "probability_best", "calibrated")
"""What a report tells of a ranking that was made."""


class Panel:
    """The responses to one query.

    Args:
        nodes: the responses.
        more_sources: of whatever is made of them.
        ranked: whether they come best first.

    Attributes:
        candidates: the responses as the core sees them: without metadata, and without the thoughts
            before an answer.
    """

    def __init__(
        self,
        nodes: Sequence[NodeWithScore],
        more_sources: Iterable[NodeWithScore],
        *,
        ranked: bool,
    ) -> None:
        self._by_name = dict(zip(names_of(nodes), nodes, strict=True))
        self._more_sources = list(more_sources)
        self._ranked = ranked
        self.candidates = [
            Candidate(without_thoughts(_text(node)) or _text(node), source=name)
            for name, node in self._by_name.items()
        ]

    def text(self, blend: Blend) -> str:
        """The text of a blend; of a response that was picked, as it was given."""
        return blend.text if blend.fused else _text(self._by_name[blend.sources[0]])

    def response(self, blend: Blend) -> Response | PydanticResponse:
        """A blend as a response: where an object was picked, with that object."""
        picked = None if blend.fused else _given(self._by_name[blend.sources[0]])
        value = getattr(picked, "response", None)
        response: Response | PydanticResponse = (
            PydanticResponse(value) if isinstance(value, BaseModel) else Response(self.text(blend))
        )
        self.tell(response, blend)
        return response

    def tell(self, response: Any, blend: Blend) -> None:
        """Write into a response how it came about, of what, and what the engines said of that."""
        used = [self._by_name[name] for name in blend.sources]
        response.source_nodes = self.sources(used)
        said: dict[str, Any] = {}
        for node in reversed(used):
            said |= getattr(_given(node), "metadata", None) or {}
        response.metadata = {
            **{node.node.node_id: node.node.metadata for node in response.source_nodes},
            **said,
            "blend": self._report(blend),
        }

    def sources(self, used: Iterable[NodeWithScore] | None = None) -> list[NodeWithScore]:
        """What these responses, or all, were made of.

        Of one response all its nodes, in their order, which citations count on; of several each
        once, with its best score.
        """
        own = [_sources(node) for node in (self._by_name.values() if used is None else used)]
        if len(own) == 1:
            return [*own[0], *self._more_sources]
        found: dict[tuple[str, str], NodeWithScore] = {}
        for source in (source for sources in own for source in sources):
            key = source.node.node_id, _text(source)
            if key not in found or (source.score or 0.0) > (found[key].score or 0.0):
                found[key] = source
        return [*found.values(), *self._more_sources]

    def _report(self, blend: Blend) -> dict[str, Any]:
        """How it came about; what is not known of the ranking is not there."""
        report = blend.report() if not self._ranked else self._report_of_ranked(blend)
        asked = next(filter(None, map(_asked, self._by_name.values())), None)
        if asked is not None:
            report |= {"failures": dict(asked.failures), "seconds": dict(asked.seconds)}
        return report

    def _report_of_ranked(self, blend: Blend) -> dict[str, Any]:
        nodes = list(self._by_name.values())
        rankings = [node.ranking for node in nodes if isinstance(node, RankedNode)]
        if len(rankings) == len(nodes) and all(one is rankings[0] for one in rankings):
            return replace(blend, ranking=rankings[0]).report()
        report = {key: told for key, told in blend.report().items() if key not in _NUMBERS}
        scores = {name: node.score for name, node in self._by_name.items()}
        return report | {"scores": {name: s for name, s in scores.items() if s is not None}}


def _text(node: NodeWithScore) -> str:
    return node.node.get_content(metadata_mode=MetadataMode.NONE)


def _given(node: NodeWithScore) -> Any:
    """The response as its engine gave it, if it is known."""
    return node.node.response if isinstance(node.node, ResponseNode) else None


def _asked(node: NodeWithScore) -> Asked | None:
    return node.node.asked if isinstance(node.node, ResponseNode) else None


def _sources(node: NodeWithScore) -> list[NodeWithScore]:
    own = node.node.source_nodes if isinstance(node.node, ResponseNode) else []
    return own or [node]
