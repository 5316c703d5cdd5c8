"""GenFuserSynthesizer: one response from the best responses, behind the gate."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterable, Sequence
from dataclasses import asdict
from typing import Any

from llama_index.core.base.response.schema import RESPONSE_TYPE
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import LLM
from llama_index.core.llms.mock import MockLLM
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.prompts.mixin import PromptDictType
from llama_index.core.response_synthesizers import BaseSynthesizer
from llama_index.core.schema import NodeWithScore
from llama_index.core.types import RESPONSE_TEXT_TYPE
from typing_extensions import Self

from blender_core.blend import Blender
from blender_core.candidates import Blend, Candidate, Ranking, Task
from blender_core.errors import InputError
from blender_core.fusion.fuser import Fuser
from blender_core.ranking.joining import shared
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.ranker import Duel, Ranker
from llamaindex_blender.llm_fuser import LLMFuser
from llamaindex_blender.responses import ResponseNode

__all__ = ["GenFuserSynthesizer"]

_PROMPT = "fusion_prompt"


class GenFuserSynthesizer(BaseSynthesizer):
    """Ranks responses, fuses the best, and keeps the fused text only if it beats the best one.

    Usable wherever LlamaIndex takes a synthesizer, also as `RouterQueryEngine`'s ``summarizer``.
    The response's source nodes are those of the responses that its text was made of
    (`ResponseNode`), each once; a node that is no response is its own source. Its metadata tells
    under ``blend`` how it came about.

    Args:
        fuser: a `Fuser` such as `GenFuser`, or an LLM; None returns the best response as it is.
        ranker: orders the responses and decides about the fused one; None is the shipped
            `JointRanker()`.
        top_k: how many of the best are fused.
        verify: whether a fused text must beat the best response in both orders. A response that
            is checked cannot stream while it is written: it comes as one piece.
        ranked: whether responses come best first already, as from `PairRankerRerank`.
        prompt: of an LLM that fuses; see `LLMFuser`. Also ``update_prompts({"fusion_prompt": …})``.
        streaming: whether `synthesize` gives a stream.
        callback_manager: LlamaIndex's.
        empty_response: the text where there are no responses.

    Raises:
        InputError: `fuser` or `ranker` are none, or there is a prompt but no LLM.
    """

    def __init__(
        self,
        fuser: Fuser | LLM | None = None,
        *,
        ranker: Ranker | None = None,
        top_k: int = 3,
        verify: bool = True,
        ranked: bool = False,
        prompt: BasePromptTemplate | None = None,
        streaming: bool = False,
        callback_manager: CallbackManager | None = None,
        empty_response: str | None = None,
    ) -> None:
        if isinstance(fuser, LLM):
            fuser = LLMFuser(fuser, prompt=prompt)
        elif prompt is not None:
            raise InputError("'prompt' is for an LLM that fuses; there is none")
        if ranker is not None and not isinstance(ranker, Ranker):
            raise InputError(f"'ranker' must be a Ranker or None, got {type(ranker).__name__}")
        # The base class wants an LLM and would make one of a default provider.
        llm = fuser.llm if isinstance(fuser, LLMFuser) else MockLLM()
        super().__init__(
            llm=llm,
            callback_manager=callback_manager,
            streaming=streaming,
            empty_response=empty_response,
        )
        self._fuser = fuser
        judge = shared(ranker)
        self._blender = Blender(
            _InOrder(judge) if ranked else judge, fuser, top_k=top_k, verify=verify
        )

    def _get_prompts(self) -> PromptDictType:
        return {_PROMPT: self._fuser.prompt} if isinstance(self._fuser, LLMFuser) else {}

    def _update_prompts(self, prompts: PromptDictType) -> None:
        if _PROMPT in prompts:
            if not isinstance(self._fuser, LLMFuser):
                raise InputError("there is no LLM that fuses, and so no prompt to update")
            self._fuser.prompt = prompts[_PROMPT]

    def get_response(
        self,
        query_str: str,
        text_chunks: Sequence[str],
        **response_kwargs: Any,  # noqa: ARG002
    ) -> RESPONSE_TEXT_TYPE:
        """One text from responses; a stream of it where `streaming` is set.

        Args:
            query_str: the query.
            text_chunks: the responses; best first, if `ranked` is set.
            **response_kwargs: not used.
        """
        if self._streaming:
            return self._stream(query_str, text_chunks)
        return _BlendedText(self._blender.blend(query_str, _candidates(text_chunks)))

    async def aget_response(
        self,
        query_str: str,
        text_chunks: Sequence[str],
        **response_kwargs: Any,  # noqa: ARG002
    ) -> RESPONSE_TEXT_TYPE:
        """Like `get_response`, without blocking the event loop."""
        if self._streaming:
            return self._astream(query_str, text_chunks)
        return _BlendedText(await self._blender.ablend(query_str, _candidates(text_chunks)))

    def _stream(self, query: str, texts: Sequence[str]) -> Generator[str, None, None]:
        streamed = False
        for part in self._blender.stream(query, _candidates(texts)):
            if isinstance(part, str):
                streamed = True
                yield part
            elif not streamed:
                yield part.text

    async def _astream(self, query: str, texts: Sequence[str]) -> AsyncGenerator[str, None]:
        streamed = False
        async for part in self._blender.astream(query, _candidates(texts)):
            if isinstance(part, str):
                streamed = True
                yield part
            elif not streamed:
                yield part.text

    def _prepare_response_output(
        self, response_str: RESPONSE_TEXT_TYPE | None, source_nodes: list[NodeWithScore]
    ) -> RESPONSE_TYPE:
        used, told = source_nodes, None
        if isinstance(response_str, _BlendedText):
            used = [source_nodes[place] for place in response_str.places]
            told = response_str.told([_name(node, i) for i, node in enumerate(source_nodes)])
            response_str = str(response_str)
        response = super()._prepare_response_output(response_str, _sources(used))
        if told is not None:
            response.metadata = {**(response.metadata or {}), "blend": told}
        return response


class _BlendedText(str):
    """The text of a blend, which knows how it came about."""

    __slots__ = ("blend",)
    blend: Blend

    def __new__(cls, blend: Blend) -> Self:
        text = super().__new__(cls, blend.text)
        text.blend = blend
        return text

    @property
    def places(self) -> list[int]:
        """Which responses the text was made of, best first."""
        return [int(source) for source in self.blend.sources]

    def told(self, names: Sequence[str]) -> dict[str, Any]:
        """What the response's metadata say."""
        ranking = self.blend.ranking
        return {
            "order": [names[place] for place in ranking.order],
            "fused": self.blend.fused,
            "sources": [names[place] for place in self.places],
            "verdict": asdict(self.blend.verdict),
            "passes": ranking.passes,
        }


class _InOrder(Ranker):
    """Takes candidates as they come, best first; another ranker fights its duels."""

    def __init__(self, ranker: Ranker) -> None:
        self._ranker = ranker

    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:  # noqa: ARG002
        return [_in_order(task) for task in tasks]

    async def arank_many(self, tasks: Iterable[Task]) -> list[Ranking]:
        return self.rank_many(tasks)

    def duel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        return self._ranker.duel_many(duels)

    async def aduel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        return await self._ranker.aduel_many(duels)


def _in_order(task: Task) -> Ranking:
    import numpy as np

    scores = [-float(place) for place in range(len(task.candidates))]
    order, ranks = order_and_ranks(scores)
    column = np.array(scores, np.float32)
    matrix = column[:, None] - column[None, :]
    return Ranking(task.candidates, order, ranks, tuple(scores), matrix, passes=0)


def _candidates(texts: Sequence[str]) -> list[Candidate]:
    """The responses, each named by its place."""
    return [Candidate(text, source=str(place)) for place, text in enumerate(texts)]


def _name(node: NodeWithScore, place: int) -> str:
    return node.node.name if isinstance(node.node, ResponseNode) else f"response {place}"


def _sources(used: Sequence[NodeWithScore]) -> list[NodeWithScore]:
    """What the responses were made of, each node once, with its best score."""
    found: dict[str, NodeWithScore] = {}
    for response in used:
        node = response.node
        own = node.source_nodes if isinstance(node, ResponseNode) else []
        for source in own or [response]:
            known = found.get(source.node.node_id)
            if known is None or (source.score or 0.0) > (known.score or 0.0):
                found[source.node.node_id] = source
    return list(found.values())
