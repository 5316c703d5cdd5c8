"""PairRankerCompressor: documents for a query, best first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field, PlainValidator, model_validator
from typing_extensions import Self

from blender_core.errors import InputError
from blender_core.outcomes import Ranking
from blender_core.ranking.later import LaterRanker, Once
from blender_core.ranking.pair_ranker import PairRanker
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.schedules import Schedule, active_for, schedule_named
from blender_core.ranking.shipped import shared_passage_ranker, shipped_pair_ranker
from langchain_blender.traced import TracedRanker
from langchain_blender.tracing import Steps

__all__ = ["PairRankerCompressor"]


def _schedule(given: Any) -> str | Schedule | None:
    if given is not None:
        schedule_named(given)
    checked: str | Schedule | None = given
    return checked


class PairRankerCompressor(BaseDocumentCompressor):
    """Reranks documents for a query; for `ContextualCompressionRetriever` and the like.

    The documents given are never changed: those returned are new, and to their metadata are added
    ``blend_rank`` (1 is best) and ``blend_score`` (a float, higher is better; by default the
    probability that the document is relevant, 0 to 1).

    Args:
        ranker: orders the documents; None is `PassageRanker()`, which says how relevant each is.
        top_n: how many documents are returned; None for all of them.
        schedule: which pairs are compared, for a `PairRanker`, or with no ranker for the shipped
            one: ``"full"`` compares all N(N-1), ``"knockout"`` finds the best of a long list with
            2(N-1) or fewer, ``"active"`` the `top_n` best with as few as that takes. None is the
            ranker's.

    Raises:
        ValidationError: a schedule is given for a ranker that has none, or is unknown.

    >>> from blender_core.testing import ScriptedComparator
    >>> ranker = PairRanker(ScriptedComparator({"cats": 0.0, "dogs": 1.0}))
    >>> documents = [Document("cats"), Document("dogs", metadata={"score": 0.4})]
    >>> [best] = PairRankerCompressor(ranker=ranker, top_n=1).compress_documents(documents, "Wuff?")
    >>> best.page_content, best.metadata
    ('dogs', {'score': 0.4, 'blend_rank': 1, 'blend_score': 1.0})
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    ranker: Ranker | None = Field(default=None, exclude=True)
    top_n: int | None = Field(default=3, ge=1)
    schedule: Annotated[str | Schedule | None, PlainValidator(_schedule)] = None

    @model_validator(mode="after")
    def _schedule_has_a_ranker(self) -> Self:
        if self.schedule is not None and not isinstance(self.ranker, PairRanker | None):
            raise InputError(
                f"'schedule' is for a PairRanker; a {type(self.ranker).__name__} has none"
            )
        return self

    def compress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks = None
    ) -> list[Document]:
        """The best documents for a query, best first, as new documents.

        Args:
            documents: any number, none included.
            query: what they are to answer.
            callbacks: ranking is a run of its own, under the caller's.
        """
        if not documents:
            return []
        ranker = TracedRanker(self._ranker(), Steps({"callbacks": callbacks}))
        return self._best(documents, ranker.rank(query, [d.page_content for d in documents]))

    async def acompress_documents(
        self, documents: Sequence[Document], query: str, callbacks: Callbacks = None
    ) -> list[Document]:
        """Like `compress_documents`, without blocking the event loop."""
        if not documents:
            return []
        ranker = TracedRanker(self._ranker(), Steps({"callbacks": callbacks}))
        return self._best(documents, await ranker.arank(query, [d.page_content for d in documents]))

    def _ranker(self) -> Ranker:
        if self.schedule is None:
            return shared_passage_ranker(self.ranker)
        if isinstance(self.ranker, PairRanker):
            return self.ranker.planned(schedule=active_for(self.schedule, self.top_n))
        schedule = active_for(self.schedule, self.top_n)
        return LaterRanker(Once(lambda: shipped_pair_ranker().planned(schedule=schedule)))

    def _best(self, documents: Sequence[Document], ranking: Ranking) -> list[Document]:
        return [
            documents[place].model_copy(
                update={
                    "metadata": {
                        **documents[place].metadata,
                        "blend_rank": ranking.ranks[place],
                        "blend_score": ranking.scores[place],
                    }
                }
            )
            for place in ranking.order[: self.top_n]
        ]
