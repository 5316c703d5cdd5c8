"""BlendedQueryEngine: several query engines as one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import LLM
from llama_index.core.query_engine import RetrieverQueryEngine

from blender_core.fusion.fuser import Fuser
from blender_core.ranking.ranker import Ranker
from llamaindex_blender.rerank import PairRankerRerank
from llamaindex_blender.responses import Responder, ResponseRetriever
from llamaindex_blender.synthesizer import GenFuserSynthesizer

__all__ = ["BlendedQueryEngine"]


class BlendedQueryEngine(RetrieverQueryEngine):
    """Asks several query engines, compares their responses, returns the best or a fused one.

    It is LlamaIndex's own `RetrieverQueryEngine` of three parts: `ResponseRetriever`,
    `PairRankerRerank` and `GenFuserSynthesizer`.
    """

    @classmethod
    def from_engines(
        cls,
        engines: Mapping[str, Responder],
        *,
        ranker: Ranker | None = None,
        fuser: Fuser | LLM | None = None,
        top_k: int = 3,
        verify: bool = True,
        timeout: float | None = None,
        deadline: float | None = None,
        min_answers: int = 1,
        streaming: bool = False,
        callback_manager: CallbackManager | None = None,
        **rerank: Any,
    ) -> BlendedQueryEngine:
        """Make one engine of several.

        Args:
            engines: query engines (or LLMs) by name.
            ranker: compares the responses; None is the shipped `JointRanker()`.
            fuser: writes one response from the best: a `Fuser` or an LLM; None returns the best.
            top_k: how many of the best are fused.
            verify: whether a fused text must beat the best response in both orders.
            timeout: seconds an engine may take.
            deadline: seconds all engines together may take.
            min_answers: how many must respond.
            streaming: whether the response is a stream.
            callback_manager: LlamaIndex's.
            **rerank: further settings of `PairRankerRerank`.

        Raises:
            InputError: a setting is not usable.
        """
        return cls(
            retriever=ResponseRetriever(
                engines,
                timeout=timeout,
                deadline=deadline,
                min_answers=min_answers,
                callback_manager=callback_manager,
            ),
            node_postprocessors=[PairRankerRerank(ranker=ranker, top_n=top_k, **rerank)],
            response_synthesizer=GenFuserSynthesizer(
                fuser,
                ranker=ranker,
                top_k=top_k,
                verify=verify,
                ranked=True,
                streaming=streaming,
                callback_manager=callback_manager,
            ),
            callback_manager=callback_manager,
        )
