"""PairRankerRerank: passages or synthesized responses, best first for a query."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from llama_index.core.bridge.pydantic import (
    ConfigDict,
    Field,
    PrivateAttr,
    field_serializer,
    model_validator,
)
from llama_index.core.callbacks import CBEventType, EventPayload
from llama_index.core.instrumentation.events.rerank import ReRankEndEvent, ReRankStartEvent
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import MetadataMode, NodeWithScore, QueryBundle
from llama_index_instrumentation import get_dispatcher
from typing_extensions import Self

from blender_core.belief.member_prior import MemberPrior
from blender_core.candidates import Candidate
from blender_core.errors import InputError
from blender_core.outcomes import Ranking
from blender_core.ranking.aggregation import aggregation_named
from blender_core.ranking.later import LaterRanker, Once
from blender_core.ranking.pair_ranker import PairRanker
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.schedules import active_for, schedule_named
from blender_core.ranking.shipped import (
    shared,
    shared_passage_ranker,
    shared_response_ranker,
    shipped_pair_ranker,
)
from blender_core.thoughts import without_thoughts
from llamaindex_blender.handlers import watched_by
from llamaindex_blender.pickling import check_picklable
from llamaindex_blender.ranked_nodes import ranked_nodes
from llamaindex_blender.responses import ResponseNode, names_of

__all__ = ["PairRankerRerank"]

dispatcher = get_dispatcher(__name__)

_DEFAULTS = ("full", "max_logits")


class PairRankerRerank(BaseNodePostprocessor):
    """Ranks nodes for the query and returns the best, as new ones.

    What the nodes are decides who ranks them, unless you do: responses that several engines
    synthesized (`ResponseNode`, from `ResponseRetriever`) are compared two by two as answers, by
    `JointRanker()`, and those that answer nothing are behind all others; nodes of other kinds are
    passages, and `PassageRanker()` says how relevant each is.

    A node's score is 0 to 1, as `SimilarityPostprocessor` wants it: of passages the probability
    that it is relevant, of responses the probability that it is better than another one drawn at
    random, and never above that of a node ranked higher. The score it had is kept in its metadata
    as ``retrieval_score``. There too, and kept out of prompts, are ``blend_rank`` (1 is best; ties
    share one) and ``blend_win_probability``; these are calibrated where the ranker is, as the
    shipped ones, else by its own logits.

    Args:
        ranker: orders the texts, whatever the nodes are.
        model: hub id or folder of a pairwise ranker, in place of `ranker`.
        top_n: how many nodes are returned at most.
        schedule: which pairs are compared, by name; for pairwise rankers, and with neither
            `ranker` nor `model` for `PairRanker()`. ``"active"`` looks for the `top_n` best.
        aggregation: how comparisons become scores, by name; likewise.
        min_margin: drops nodes that the best one beats by more than this logit (mean of both
            orders); None drops none.
        members_prior: what is known of those who gave the responses, by their names, a
            `MemberPrior` or the path of its file, as ``blended-llm fit-members`` writes it; it
            counts beside what the ranker says. Of nodes that are no `ResponseNode`, nothing is.
        metadata_mode: which metadata is read with a node's text; None reads what an embedding
            would (`MetadataMode.EMBED`) of passages, and none of responses.
        keep_retrieval_score: whether to keep the score that a node came with.

    Raises:
        ValidationError: unknown schedule or aggregation, or one that the ranker has no use for;
            both `ranker` and `model`; a number out of range.
    """

    model_config = ConfigDict(extra="forbid")

    ranker: Any = Field(default=None, description="Orders the texts.")
    model: str | None = Field(default=None, description="Hub id or folder of a pairwise ranker.")
    top_n: int = Field(default=3, ge=1, description="How many nodes are returned at most.")
    schedule: str = Field(default="full", description="Which pairs are compared.")
    aggregation: str = Field(default="max_logits", description="How comparisons become scores.")
    min_margin: float | None = Field(
        default=None, ge=0, description="Drops nodes that the best beats by more than this logit."
    )
    members_prior: MemberPrior | str | Path | None = Field(
        default=None, description="What is known of those who responded, or its file."
    )
    metadata_mode: MetadataMode | None = Field(
        default=None, description="Which metadata is read with a node's text."
    )
    keep_retrieval_score: bool = Field(
        default=True, description="Whether to keep the score that a node came with."
    )
    _loading: tuple[tuple[Any, ...], Ranker] | None = PrivateAttr(default=None)

    @classmethod
    def class_name(cls) -> str:
        """The name by which LlamaIndex knows this kind."""
        return "PairRankerRerank"

    @model_validator(mode="after")
    def _settings_go_together(self) -> Self:
        schedule_named(self.schedule)
        aggregation_named(self.aggregation)
        if isinstance(self.ranker, str):
            raise InputError(
                f"this was saved with a ranker that is an object, a {self.ranker}, which cannot "
                "be restored: give model=, or put the ranker in its place"
            )
        if self.ranker is None:
            return self
        if not isinstance(self.ranker, Ranker):
            raise InputError(f"'ranker' must be a Ranker, got {type(self.ranker).__name__}")
        if self.model is not None:
            raise InputError("give 'ranker' or 'model', not both")
        if self._asks_otherwise and not isinstance(self.ranker, PairRanker):
            raise InputError(
                f"'schedule' and 'aggregation' are for a PairRanker; "
                f"a {type(self.ranker).__name__} has none"
            )
        return self

    @field_serializer("ranker")
    def _ranker_by_name(self, ranker: Any) -> str | None:
        return None if ranker is None else type(ranker).__name__

    @property
    def ranking(self) -> Ranker:
        """What ranks responses, by the settings as they are now; loaded when it is first asked."""
        given = self.members_prior
        settings = (self.ranker, self.model, self.schedule, self.aggregation, given)
        if self._loading is None or self._loading[0] != settings:
            loaded_as_it_is = self.model is None and not self._asks_otherwise
            ranker = self.ranker if loaded_as_it_is else LaterRanker(Once(self._load))
            prior = None if given is None else MemberPrior.of(given)
            ranker = shared(shared_response_ranker(ranker), prior)
            self._loading = settings, ranker
        return self._loading[1]

    def __getstate__(self) -> dict[str, Any]:
        """What is pickled.

        Raises:
            TypeError: the ranker cannot be; LlamaIndex would leave it out in silence.
        """
        self._loading = None
        check_picklable(self)
        state: dict[str, Any] = super().__getstate__()
        return state

    @property
    def _asks_otherwise(self) -> bool:
        return (self.schedule, self.aggregation) != _DEFAULTS

    def _postprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        with _reported(self, nodes, query_bundle) as reranking:
            if nodes:
                with watched_by(self.callback_manager):
                    ranking = self._ranker_of(nodes).rank(reranking.query, self._texts(nodes))
                reranking.nodes = self._best(nodes, ranking)
        return reranking.nodes

    @dispatcher.span
    async def _apostprocess_nodes(
        self, nodes: list[NodeWithScore], query_bundle: QueryBundle | None = None
    ) -> list[NodeWithScore]:
        with _reported(self, nodes, query_bundle) as reranking:
            if nodes:
                ranker, texts = self._ranker_of(nodes), self._texts(nodes)
                with watched_by(self.callback_manager):
                    ranking = await ranker.arank(reranking.query, texts)
                reranking.nodes = self._best(nodes, ranking)
        return reranking.nodes

    def _load(self) -> Ranker:
        plan: dict[str, Any] = {
            "schedule": active_for(self.schedule, self.top_n),
            "aggregation": self.aggregation,
        }
        if self.model is not None:
            return PairRanker.from_pretrained(self.model, **plan)
        ranker = shipped_pair_ranker() if self.ranker is None else self.ranker
        return ranker.planned(**plan)

    def _ranker_of(self, nodes: list[NodeWithScore]) -> Ranker:
        """Who ranks these nodes."""
        if self.ranker is None and self.model is None and not self._asks_otherwise:
            return self.ranking if _are_responses(nodes) else shared_passage_ranker(None)
        return self.ranking

    def _texts(self, nodes: list[NodeWithScore]) -> list[Candidate]:
        mode = MetadataMode.NONE if _are_responses(nodes) else MetadataMode.EMBED
        if self.metadata_mode is not None:
            mode = self.metadata_mode
        texts = [node.node.get_content(metadata_mode=mode) for node in nodes]
        if not _are_responses(nodes):
            return [Candidate(text) for text in texts]
        return [
            Candidate(without_thoughts(text) or text, source=name)
            for text, name in zip(texts, names_of(nodes), strict=True)
        ]

    def _best(self, nodes: list[NodeWithScore], ranking: Ranking) -> list[NodeWithScore]:
        kept = ranked_nodes(
            nodes,
            ranking,
            min_margin=self.min_margin,
            keep_retrieval_score=self.keep_retrieval_score,
        )
        return list(islice(kept, self.top_n))


def _are_responses(nodes: list[NodeWithScore]) -> bool:
    return all(isinstance(node.node, ResponseNode) for node in nodes)


@dataclass
class _Reranking:
    """A ranking under way: the query's text, and what comes out."""

    query: str
    nodes: list[NodeWithScore] = field(default_factory=list)


@contextmanager
def _reported(
    rerank: PairRankerRerank, nodes: list[NodeWithScore], query_bundle: QueryBundle | None
) -> Iterator[_Reranking]:
    """LlamaIndex's events of both kinds around a ranking, also where it fails.

    Raises:
        InputError: there is no query.
    """
    if query_bundle is None:
        raise InputError(
            "comparing needs the query: give query_str= or query_bundle= to postprocess_nodes"
        )
    reranking = _Reranking(query_bundle.query_str)
    name = rerank.model or type(rerank.ranker or rerank).__name__
    dispatcher.event(
        ReRankStartEvent(query=query_bundle, nodes=nodes, top_n=rerank.top_n, model_name=name)
    )
    payload: dict[str, Any] = {
        EventPayload.NODES: nodes,
        EventPayload.MODEL_NAME: name,
        EventPayload.QUERY_STR: reranking.query,
        EventPayload.TOP_K: rerank.top_n,
    }
    try:
        with rerank.callback_manager.event(CBEventType.RERANKING, payload=payload) as event:
            yield reranking
            event.on_end(payload={EventPayload.NODES: reranking.nodes})
    finally:
        dispatcher.event(ReRankEndEvent(nodes=reranking.nodes))
