"""BlendedQueryEngine: several query engines as one."""

from __future__ import annotations

from collections.abc import Mapping
from os import PathLike

from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import LLM
from llama_index.core.query_engine import RetrieverQueryEngine

from blender_core.belief.member_prior import MemberPrior
from blender_core.checks import positive
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
        members_prior: MemberPrior | str | PathLike[str] | None = None,
        fuser: Fuser | LLM | None = None,
        top_k: int = 3,
        verify: bool = True,
        confidence: float | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        min_answers: int = 1,
        streaming: bool = False,
        model: str | None = None,
        schedule: str = "full",
        aggregation: str = "max_logits",
        min_margin: float | None = None,
        empty_response: str | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> BlendedQueryEngine:
        """Make one engine of several.

        Args:
            engines: query engines (or LLMs) by name.
            ranker: compares the responses; None is the shipped `JointRanker()`.
            members_prior: what is known of the engines by their names; see `PairRankerRerank`.
            fuser: writes one response from the best: a `Fuser` or an LLM; None returns the best.
            top_k: how many of the best are fused.
            verify: whether a fused text must beat the best response in both orders.
            confidence: how probable it must be that a fused text is better; see `Blender`.
            timeout: seconds an engine may take.
            deadline: seconds all engines together may take.
            min_answers: how many must respond.
            streaming: whether the response is a stream.
            model: hub id or folder of a pairwise ranker, in place of `ranker`.
            schedule: which pairs are compared, for pairwise rankers.
            aggregation: how comparisons become scores, for pairwise rankers.
            min_margin: drops responses that the best one beats by more than this logit.
            empty_response: the text where no engine found anything; None is LlamaIndex's own.
            callback_manager: LlamaIndex's.

        Raises:
            InputError: a setting is not usable (some are a pydantic ValidationError).
        """
        rerank = PairRankerRerank(
            ranker=ranker,
            members_prior=None if members_prior is None else MemberPrior.of(members_prior),
            model=model,
            top_n=positive("top_k", top_k),
            schedule=schedule,
            aggregation=aggregation,
            min_margin=min_margin,
        )
        return cls(
            retriever=ResponseRetriever(
                engines,
                timeout=timeout,
                deadline=deadline,
                min_answers=min_answers,
                callback_manager=callback_manager,
            ),
            node_postprocessors=[rerank],
            response_synthesizer=GenFuserSynthesizer(
                fuser,
                ranker=rerank.ranking,  # who ranks also decides about the fused text
                top_k=top_k,
                verify=verify,
                confidence=confidence,
                ranked=True,
                streaming=streaming,
                callback_manager=callback_manager,
                empty_response=empty_response,
            ),
            callback_manager=callback_manager,
        )
