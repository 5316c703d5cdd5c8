"""GenFuserSynthesizer: one response from the best responses, behind the gate."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import aclosing
from inspect import unwrap
from typing import Any
from weakref import WeakKeyDictionary

from llama_index.core.base.response.schema import RESPONSE_TYPE
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import LLM
from llama_index.core.llms.mock import MockLLM
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.prompts.mixin import PromptDictType
from llama_index.core.response_synthesizers import BaseSynthesizer
from llama_index.core.schema import NodeWithScore, QueryType
from llama_index.core.types import RESPONSE_TEXT_TYPE
from typing_extensions import Self

from blender_core.blend import Blender
from blender_core.candidates import Candidate
from blender_core.errors import InputError
from blender_core.fusion.fuser import Fuser
from blender_core.outcomes import Blend
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.shipped import shared_response_ranker
from llamaindex_blender.in_order import InOrder
from llamaindex_blender.llm_fuser import LLMFuser
from llamaindex_blender.sources import sources_of, tell, without_metadata

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
            `JointRanker()`, with responses that answer nothing behind all others.
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
        elif isinstance(fuser, LLMFuser):
            # Of its own: prompts are updated in one synthesizer, not in all that share the fuser.
            fuser = LLMFuser(fuser.llm, prompt=fuser.prompt if prompt is None else prompt)
        elif prompt is not None:
            raise InputError("'prompt' is for an LLM that fuses; there is none")
        # The base class wants an LLM, and would make one of a default provider. It never asks it.
        super().__init__(
            llm=MockLLM(),
            callback_manager=callback_manager,
            streaming=streaming,
            empty_response=empty_response,
        )
        self._fuser = fuser
        # Of each stream under way, where its blend will be found when it has ended.
        self._ended: WeakKeyDictionary[Any, list[Blend]] = WeakKeyDictionary()
        judge = shared_response_ranker(ranker)
        self._blender = Blender(
            InOrder(judge) if ranked else judge, fuser, top_k=top_k, verify=verify
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
        **response_kwargs: Any,  # noqa: ARG002 - the base class has it
    ) -> RESPONSE_TEXT_TYPE:
        """One text from responses; a stream of it where `streaming` is set.

        Args:
            query_str: the query.
            text_chunks: the responses; best first, if `ranked` is set.
            **response_kwargs: not used.
        """
        if self._streaming:
            ended: list[Blend] = []
            stream = self._stream(query_str, text_chunks, ended)
            self._ended[stream] = ended
            return stream
        return _BlendedText(self._blender.blend(query_str, _candidates(text_chunks)))

    async def aget_response(
        self,
        query_str: str,
        text_chunks: Sequence[str],
        **response_kwargs: Any,  # noqa: ARG002 - the base class has it
    ) -> RESPONSE_TEXT_TYPE:
        """Like `get_response`, without blocking the event loop."""
        if self._streaming:
            ended: list[Blend] = []
            stream = self._astream(query_str, text_chunks, ended)
            self._ended[stream] = ended
            return stream
        return _BlendedText(await self._blender.ablend(query_str, _candidates(text_chunks)))

    def synthesize(
        self,
        query: QueryType,
        nodes: list[NodeWithScore],
        additional_source_nodes: Sequence[NodeWithScore] | None = None,
        **response_kwargs: Any,
    ) -> RESPONSE_TYPE:
        """One response from responses, whose texts are read without their metadata."""
        # The span around it is that of this method, not a second one.
        made: Any = unwrap(BaseSynthesizer.synthesize)
        response: RESPONSE_TYPE = made(
            self, query, without_metadata(nodes), additional_source_nodes, **response_kwargs
        )
        return response

    async def asynthesize(
        self,
        query: QueryType,
        nodes: list[NodeWithScore],
        additional_source_nodes: Sequence[NodeWithScore] | None = None,
        **response_kwargs: Any,
    ) -> RESPONSE_TYPE:
        """Like `synthesize`, without blocking the event loop."""
        made: Any = unwrap(BaseSynthesizer.asynthesize)
        response: RESPONSE_TYPE = await made(
            self, query, without_metadata(nodes), additional_source_nodes, **response_kwargs
        )
        return response

    def _stream(
        self, query: str, texts: Sequence[str], ended: list[Blend]
    ) -> Generator[str, None, None]:
        streamed = False
        for part in self._blender.stream(query, _candidates(texts)):
            if isinstance(part, Blend):
                ended.append(part)
            if piece := _piece(part, streamed=streamed):
                streamed = True
                yield piece

    async def _astream(
        self, query: str, texts: Sequence[str], ended: list[Blend]
    ) -> AsyncGenerator[str, None]:
        streamed = False
        async with aclosing(self._blender.astream(query, _candidates(texts))) as parts:
            async for part in parts:
                if isinstance(part, Blend):
                    ended.append(part)
                if piece := _piece(part, streamed=streamed):
                    streamed = True
                    yield piece

    def _prepare_response_output(
        self, response_str: RESPONSE_TEXT_TYPE | None, source_nodes: list[NodeWithScore]
    ) -> RESPONSE_TYPE:
        if isinstance(response_str, _BlendedText):
            response = super()._prepare_response_output(str(response_str), source_nodes)
            tell(response, response_str.blend, source_nodes)
            return response
        ended = self._ended.pop(response_str, None)
        if ended is None:
            return super()._prepare_response_output(response_str, source_nodes)
        # What a stream is made of is known when it has ended.
        response = super()._prepare_response_output(response_str, sources_of(source_nodes))
        told: Any = response
        if isinstance(response_str, Generator):
            told.response_gen = _telling(response_str, response, ended, source_nodes)
        else:
            pieces: Any = response_str
            told.response_gen = _atelling(pieces, response, ended, source_nodes)
        return response


def _piece(part: str | Blend, *, streamed: bool) -> str:
    """What a part of a streamed blend adds to its text: a blend all of it, if none is out."""
    if isinstance(part, Blend):
        return "" if streamed else part.text
    return part


def _telling(
    pieces: Generator[str, None, None],
    response: Any,
    ended: list[Blend],
    source_nodes: Sequence[NodeWithScore],
) -> Generator[str, None, None]:
    yield from pieces
    tell(response, ended[0], source_nodes)


async def _atelling(
    pieces: AsyncGenerator[str, None],
    response: Any,
    ended: list[Blend],
    source_nodes: Sequence[NodeWithScore],
) -> AsyncGenerator[str, None]:
    async with aclosing(pieces):
        async for piece in pieces:
            yield piece
    tell(response, ended[0], source_nodes)


class _BlendedText(str):
    """The text of a blend, which knows how it came about."""

    __slots__ = ("blend",)
    blend: Blend

    def __new__(cls, blend: Blend) -> Self:
        text = super().__new__(cls, blend.text)
        text.blend = blend
        return text


def _candidates(texts: Sequence[str]) -> list[Candidate]:
    """The responses, each named by its place."""
    return [Candidate(text, source=str(place)) for place, text in enumerate(texts)]
