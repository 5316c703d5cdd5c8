"""GenFuserSynthesizer: one response from the best responses, behind the gate."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from llama_index.core.base.response.schema import (
    RESPONSE_TYPE,
    AsyncStreamingResponse,
    Response,
    StreamingResponse,
)
from llama_index.core.callbacks import CallbackManager, CBEventType, EventPayload
from llama_index.core.instrumentation.events.synthesis import (
    SynthesizeEndEvent,
    SynthesizeStartEvent,
)
from llama_index.core.llms import LLM
from llama_index.core.llms.mock import MockLLM
from llama_index.core.prompts import BasePromptTemplate
from llama_index.core.prompts.mixin import PromptDictType
from llama_index.core.response_synthesizers import BaseSynthesizer
from llama_index.core.schema import NodeWithScore, QueryType, TextNode
from llama_index.core.types import RESPONSE_TEXT_TYPE
from llama_index_instrumentation import get_dispatcher

from blender_core.blend import Blender
from blender_core.errors import InputError
from blender_core.fusion.fuser import Fuser
from blender_core.outcomes import Blend
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.shipped import shared_response_ranker
from llamaindex_blender.handlers import watched_by
from llamaindex_blender.in_order import InOrder
from llamaindex_blender.llm_fuser import LLMFuser
from llamaindex_blender.panel import Panel

__all__ = ["GenFuserSynthesizer"]

dispatcher = get_dispatcher(__name__)

_PROMPT = "fusion_prompt"


class GenFuserSynthesizer(BaseSynthesizer):
    """Ranks responses, fuses the best, and keeps the fused text only if it beats the best one.

    Usable wherever LlamaIndex takes a synthesizer, also as `RouterQueryEngine`'s ``summarizer``.
    The response's source nodes are those of the responses that its text was made of
    (`ResponseNode`); a node that is no response is its own source. Its metadata is that of these
    responses, and tells under ``blend`` how it came about. A response that is picked stays what
    its engine gave: an object of an ``output_cls``, too.

    Args:
        fuser: a `Fuser` such as `GenFuser`, or an LLM; None returns the best response as it is.
        ranker: orders the responses and decides about the fused one; None is the shipped
            `JointRanker()`, with responses that answer nothing behind all others.
        top_k: how many of the best are fused.
        verify: whether a fused text must beat the best response in both orders. A response that
            is checked cannot stream while it is written: it comes as one piece.
        confidence: how probable it must be that a fused text is better; see `Blender`.
        ranked: whether responses come best first already, as from `PairRankerRerank`.
        prompt: of an LLM that fuses; see `LLMFuser`. Also ``update_prompts({"fusion_prompt": …})``.
        streaming: whether `synthesize` gives a stream.
        callback_manager: LlamaIndex's.
        empty_response: the text where there are no responses; None is LlamaIndex's own.

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
        confidence: float | None = None,
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
        self._ranked = ranked
        judge = shared_response_ranker(ranker)
        self._blender = Blender(
            InOrder(judge) if ranked else judge,
            fuser,
            top_k=top_k,
            verify=verify,
            confidence=confidence,
        )

    def _get_prompts(self) -> PromptDictType:
        return {_PROMPT: self._fuser.prompt} if isinstance(self._fuser, LLMFuser) else {}

    def _update_prompts(self, prompts: PromptDictType) -> None:
        if _PROMPT in prompts:
            if not isinstance(self._fuser, LLMFuser):
                raise InputError("there is no LLM that fuses, and so no prompt to update")
            self._fuser.prompt = prompts[_PROMPT]

    def get_response(
        self, query_str: str, text_chunks: Sequence[str], *, fuse: bool = True, **_: Any
    ) -> RESPONSE_TEXT_TYPE:
        """One text from responses; a stream of it where `streaming` is set.

        Args:
            query_str: the query.
            text_chunks: the responses; best first, if `ranked` is set.
            fuse: False only picks the best.
            **_: not used.
        """
        panel = self._panel_of(text_chunks)
        if self._streaming:
            return self._pieces(query_str, panel, Response(None), fuse=fuse)
        with self._watched() as blender:
            return panel.text(blender.blend(query_str, panel.candidates, fuse=fuse))

    async def aget_response(
        self, query_str: str, text_chunks: Sequence[str], *, fuse: bool = True, **_: Any
    ) -> RESPONSE_TEXT_TYPE:
        """Like `get_response`, without blocking the event loop."""
        panel = self._panel_of(text_chunks)
        if self._streaming:
            return self._apieces(query_str, panel, Response(None), fuse=fuse)
        with self._watched() as blender:
            return panel.text(await blender.ablend(query_str, panel.candidates, fuse=fuse))

    def synthesize(
        self,
        query: QueryType,
        nodes: list[NodeWithScore],
        additional_source_nodes: Sequence[NodeWithScore] | None = None,
        *,
        fuse: bool = True,
        **_: Any,
    ) -> RESPONSE_TYPE:
        """One response from responses, whose texts are read without their metadata.

        Args:
            query: what they respond to.
            nodes: the responses; best first, if `ranked` is set.
            additional_source_nodes: of what is made of them.
            fuse: False only picks the best.
            **_: not used.
        """
        text = query if isinstance(query, str) else query.query_str
        panel = Panel(nodes, additional_source_nodes or (), ranked=self._ranked)
        with self._reported(query) as making:
            if not nodes:
                making.response = (
                    StreamingResponse(self._empty_response_generator())
                    if self._streaming
                    else Response(self._empty_response)
                )
            elif self._streaming:
                streamed: Any = StreamingResponse(None, panel.sources())  # type: ignore[arg-type]
                streamed.response_gen = self._pieces(text, panel, streamed, fuse=fuse)
                making.response = streamed
            else:
                with self._watched() as blender:
                    blend = blender.blend(text, panel.candidates, fuse=fuse)
                making.response = panel.response(blend)
        return making.response

    async def asynthesize(
        self,
        query: QueryType,
        nodes: list[NodeWithScore],
        additional_source_nodes: Sequence[NodeWithScore] | None = None,
        *,
        fuse: bool = True,
        **_: Any,
    ) -> RESPONSE_TYPE:
        """Like `synthesize`, without blocking the event loop."""
        text = query if isinstance(query, str) else query.query_str
        panel = Panel(nodes, additional_source_nodes or (), ranked=self._ranked)
        with self._reported(query) as making:
            if not nodes:
                making.response = (
                    AsyncStreamingResponse(self._empty_response_agenerator())
                    if self._streaming
                    else Response(self._empty_response)
                )
            elif self._streaming:
                streamed: Any = AsyncStreamingResponse(None, panel.sources())  # type: ignore[arg-type]
                streamed.response_gen = self._apieces(text, panel, streamed, fuse=fuse)
                making.response = streamed
            else:
                with self._watched() as blender:
                    blend = await blender.ablend(text, panel.candidates, fuse=fuse)
                making.response = panel.response(blend)
        return making.response

    def _pieces(
        self, query: str, panel: Panel, response: Any, *, fuse: bool
    ) -> Generator[str, None, None]:
        """A text in pieces; when they have ended, the response is told how it came about."""
        self._fuser_is_watched()
        streamed = False
        for part in self._blender.stream(query, panel.candidates, fuse=fuse):
            if not isinstance(part, Blend):
                streamed = True
                yield part
                continue
            if not streamed:
                yield panel.text(part)
            panel.tell(response, part)

    async def _apieces(
        self, query: str, panel: Panel, response: Any, *, fuse: bool
    ) -> AsyncGenerator[str, None]:
        self._fuser_is_watched()
        streamed = False
        async with aclosing(self._blender.astream(query, panel.candidates, fuse=fuse)) as parts:
            async for part in parts:
                if not isinstance(part, Blend):
                    streamed = True
                    yield part
                    continue
                if not streamed:
                    yield panel.text(part)
                panel.tell(response, part)

    @contextmanager
    def _watched(self) -> Iterator[Blender]:
        """What blends, under the eyes of the handlers."""
        self._fuser_is_watched()
        with watched_by(self._callback_manager):
            yield self._blender

    def _fuser_is_watched(self) -> None:
        if isinstance(self._fuser, LLMFuser):
            self._fuser.callback_manager = self._callback_manager

    def _panel_of(self, texts: Sequence[str]) -> Panel:
        nodes = [NodeWithScore(node=TextNode(text=text)) for text in texts]
        return Panel(nodes, (), ranked=self._ranked)

    @contextmanager
    def _reported(self, query: QueryType) -> Iterator[_Making]:
        """LlamaIndex's events of both kinds around a response that is made."""
        dispatcher.event(SynthesizeStartEvent(query=query))
        making = _Making()
        text = query if isinstance(query, str) else query.query_str
        payload: dict[str, Any] = {EventPayload.QUERY_STR: text}
        with self._callback_manager.event(CBEventType.SYNTHESIZE, payload=payload) as event:
            yield making
            event.on_end(payload={EventPayload.RESPONSE: making.response})
        dispatcher.event(SynthesizeEndEvent(query=query, response=making.response))


@dataclass
class _Making:
    """A response that is being made."""

    response: RESPONSE_TYPE = field(default_factory=lambda: Response(None))
