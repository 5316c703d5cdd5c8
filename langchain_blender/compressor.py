"""PairRankerCompressor: documents for a query, compared two by two, best first."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from langchain_core.callbacks import Callbacks
from langchain_core.documents import BaseDocumentCompressor, Document
from pydantic import ConfigDict, Field, PrivateAttr

from blender_core.candidates import Ranking, Task
from blender_core.errors import InputError
from blender_core.ranking.pair_ranker import PairRanker
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.schedules import Schedule
from langchain_blender.tracing import Steps, TracedRanker

__all__ = ["PairRankerCompressor"]


class PairRankerCompressor(BaseDocumentCompressor):
    """Reranks documents by pairwise comparison; for `ContextualCompressionRetriever` and the like.

    The documents given are never changed: those returned are new, with ``rank`` (1 is best) and
    ``score`` (a float, higher is better) added to their metadata.

    Args:
        ranker: compares; None is the shipped `PairRanker()`.
        top_n: how many documents are returned; None for all of them.
        schedule: which pairs are compared, for a `PairRanker`: ``"full"`` compares all N(N-1),
            ``"knockout"`` finds the best of a long list with N-1 or fewer. None is the ranker's.

    Raises:
        ValidationError: a schedule is given for a ranker that has none, or is unknown.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    ranker: Ranker | None = Field(default=None, exclude=True)
    top_n: int | None = Field(default=3, ge=1)
    schedule: str | Schedule | None = None
    _chosen: Ranker = PrivateAttr()
