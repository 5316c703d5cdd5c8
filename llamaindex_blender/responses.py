"""ResponseRetriever: several query engines (or LLMs) answer; each response is a node."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.response.schema import AsyncStreamingResponse, StreamingResponse
from llama_index.core.bridge.pydantic import Field, field_validator
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import LLM
from llama_index.core.schema import Document, ImageNode, NodeWithScore, QueryBundle, TextNode
from llama_index_instrumentation import get_dispatcher

from blender_core.checks import positive, seconds
from blender_core.errors import InputError, describe
from blender_core.members import Replies, aask, ask, unused_name
from blender_core.threads import in_own_thread
from llamaindex_blender.failing import Failing
from llamaindex_blender.handlers import hand_on
from llamaindex_blender.sync_only import is_sync_only

__all__ = ["Asked", "ResponseNode", "ResponseRetriever", "names_of"]

dispatcher = get_dispatcher(__name__)
logger = logging.getLogger(__name__)

Responder = BaseQueryEngine | LLM
"""Who can answer a query."""

_NOTHING = "Empty Response"
"""What LlamaIndex's synthesizers say where no node was found."""

_EMPTY = "gave an empty response"


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of one query to all members.

    Attributes:
        failures: why each member that has no response has none, by name.
        seconds: how long each took.
    """

    failures: Mapping[str, str]
    seconds: Mapping[str, float]


class ResponseNode(TextNode):
    """A response as a node.

    Attributes:
        name: who gave it; in the metadata as well, kept out of prompts.
        source_nodes: what the response was made of.
        response: as the engine gave it, with its metadata and, of an engine with an
            ``output_cls``, its object; None for an LLM's. Not saved with the node.
        asked: what became of the query that this is a response to. Not saved either.
    """

    name: str = Field(description="Who gave the response.")
    source_nodes: list[NodeWithScore] = Field(
        default_factory=list, description="What the response was made of."
    )
    response: Any = Field(default=None, exclude=True, repr=False, description="As it was given.")
    asked: Asked | None = Field(
        default=None, exclude=True, repr=False, description="What became of the query."
    )

    @classmethod
    def class_name(cls) -> str:
        """The name by which LlamaIndex knows this kind."""
        return "ResponseNode"

    @field_validator("source_nodes", mode="before")
    @classmethod
    def _nodes_of_their_kinds(cls, given: Any) -> Any:
        # LlamaIndex itself does not restore a node with a score from its dict.
        return [_restored(one) if isinstance(one, dict) else one for one in given]


def names_of(nodes: Iterable[NodeWithScore]) -> list[str]:
    """For each node who gave the response, or its place if it is no response; no name twice."""
    names: dict[str, None] = {}
    for place, node in enumerate(nodes):
        name = node.node.name if isinstance(node.node, ResponseNode) else f"response {place}"
        names[unused_name(name, names)] = None
    return list(names)


def _restored(saved: dict[str, Any]) -> NodeWithScore:
    kinds = {kind.class_name(): kind for kind in (TextNode, ImageNode, Document, ResponseNode)}
    kind = kinds.get(saved["node"].get("class_name"), TextNode)
    return NodeWithScore(node=kind.from_dict(saved["node"]), score=saved.get("score"))


class ResponseRetriever(BaseRetriever):
    """Asks several query engines or LLMs at the same time; their responses are what it retrieves.

    Whoever raises, is too slow or has nothing to say costs only its own response, and is logged.
    An engine that found nothing, and says so as LlamaIndex does, has responded: where all did,
    nothing is retrieved.

    Args:
        members: who is asked, by name: query engines, or LLMs (which get the query as it is).
        timeout: seconds a member may take.
        deadline: seconds all members together may take.
        min_answers: how many must respond; fewer are a `QuorumError` with each one's own error.
        callback_manager: LlamaIndex's.

    Raises:
        InputError: there is no member, or one is neither a query engine nor an LLM.
    """

    def __init__(
        self,
        members: Mapping[str, Responder],
        *,
        timeout: float | None = None,
        deadline: float | None = None,
        min_answers: int = 1,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        super().__init__(callback_manager=callback_manager)
        self._members = _checked(members)
        seconds("timeout", timeout)
        seconds("deadline", deadline)
        if positive("min_answers", min_answers) > len(self._members):
            raise InputError(f"'min_answers' is {min_answers} of only {len(self._members)} members")
        self._limits: dict[str, Any] = {
            "timeout": timeout,
            "deadline": deadline,
            "min_answers": min_answers,
        }
        self._failing = Failing(logger)
        self._blocking: frozenset[str] = frozenset()

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        calls = {name: self._call(name, member) for name, member in self._members.items()}
        return self._nodes(ask(calls, query_bundle, **self._limits))

    @dispatcher.span
    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        calls = {name: self._async_call(name, member) for name, member in self._members.items()}
        answers = await aask(calls, query_bundle, **self._limits)
        self._blocking |= answers.blocking  # from now on these are asked in threads
        return self._nodes(answers)

    def _call(self, name: str, member: Responder) -> Callable[[QueryBundle], _Outcome]:
        def respond(query: QueryBundle) -> _Outcome:
            if isinstance(member, LLM):
                return _node(name, _handed_on(self, member).complete(query.query_str).text, None)
            response: Any = member.query(query)
            if isinstance(response, StreamingResponse):
                response = response.get_response()
            elif isinstance(response, AsyncStreamingResponse):
                raise TypeError("gave an async stream to a sync query")
            return _outcome(name, member, response)

        return respond

    def _async_call(
        self, name: str, member: Responder
    ) -> Callable[[QueryBundle], Awaitable[_Outcome]]:
        if name in self._blocking or is_sync_only(member):
            return in_own_thread(self._call(name, member))

        async def respond(query: QueryBundle) -> _Outcome:
            if isinstance(member, LLM):
                said = await _handed_on(self, member).acomplete(query.query_str)
                return _node(name, said.text, None)
            response: Any = await member.aquery(query)
            if isinstance(response, AsyncStreamingResponse):
                response = await response.get_response()
            elif isinstance(response, StreamingResponse):
                # Reading it may take as long as writing it.
                response = await in_own_thread(StreamingResponse.get_response)(response)
            return _outcome(name, member, response)

        return respond

    def _nodes(self, answers: Replies[_Outcome]) -> list[NodeWithScore]:
        nothing = {n: a for n, a in answers.answers.items() if isinstance(a, ValueError)}
        failures = {**answers.failures, **nothing}
        self._failing.note(failures)
        asked = Asked({name: describe(e) for name, e in failures.items()}, answers.seconds)
        return [
            NodeWithScore(node=node.model_copy(update={"asked": asked}))
            for node in answers.answers.values()
            if isinstance(node, ResponseNode)
        ]


_Outcome: TypeAlias = ResponseNode | ValueError
"""A response, or that nothing was found."""


def _outcome(name: str, engine: BaseQueryEngine, response: Any) -> _Outcome:
    synthesizer = getattr(engine, "_response_synthesizer", None)
    nothing = getattr(synthesizer, "_empty_response", _NOTHING)
    if str(response) in (nothing, _NOTHING) and not response.source_nodes:
        return ValueError(_EMPTY)
    return _node(name, "" if response.response is None else str(response), response)


def _node(name: str, text: str, response: Any) -> ResponseNode:
    """The response as a node.

    Raises:
        ValueError: it says nothing.
    """
    if not text.strip():
        raise ValueError(_EMPTY)
    return ResponseNode(
        text=text,
        name=name,
        source_nodes=[] if response is None else response.source_nodes,
        response=response,
        extra_info={"source": name},
        excluded_llm_metadata_keys=["source"],
        excluded_embed_metadata_keys=["source"],
    )


def _handed_on(retriever: ResponseRetriever, llm: LLM) -> LLM:
    hand_on(llm, retriever.callback_manager)
    return llm


def _checked(members: object) -> dict[str, Responder]:
    if not isinstance(members, Mapping):
        raise InputError(
            f"'members' must map names to query engines or LLMs, got {type(members).__name__}"
        )
    if not members:
        raise InputError("'members' is empty: there is nobody to ask")
    for name, member in members.items():
        if not isinstance(name, str) or not name:
            raise InputError(f"a member's name must be a text, got {name!r}")
        if not isinstance(member, BaseQueryEngine | LLM):
            raise InputError(
                f"member {name!r} must be a query engine or an LLM, got {type(member).__name__}"
            )
    return dict(members)
