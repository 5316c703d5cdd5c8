"""ResponseRetriever: several query engines (or LLMs) answer; each response is a node."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

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
from blender_core.members import Answers, aask, ask
from blender_core.threads import in_own_thread
from llamaindex_blender.sync_only import is_sync_only

__all__ = ["ResponseNode", "ResponseRetriever"]

dispatcher = get_dispatcher(__name__)
logger = logging.getLogger(__name__)

Responder = BaseQueryEngine | LLM
"""Who can answer a query."""

_NOTHING = "Empty Response"
"""What LlamaIndex's synthesizers say where no node was found."""


class ResponseNode(TextNode):
    """A response as a node.

    Attributes:
        name: who gave it; in the metadata as well, kept out of prompts.
        source_nodes: what the response was made of.
    """

    name: str = Field(description="Who gave the response.")
    source_nodes: list[NodeWithScore] = Field(
        default_factory=list, description="What the response was made of."
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


def _restored(saved: dict[str, Any]) -> NodeWithScore:
    kinds = {kind.class_name(): kind for kind in (TextNode, ImageNode, Document, ResponseNode)}
    kind = kinds.get(saved["node"].get("class_name"), TextNode)
    return NodeWithScore(node=kind.from_dict(saved["node"]), score=saved.get("score"))


class ResponseRetriever(BaseRetriever):
    """Asks several query engines or LLMs at the same time; their responses are what it retrieves.

    Whoever raises, is too slow or has nothing to say costs only its own response, and is logged.

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

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        calls = {name: _call(name, member) for name, member in self._members.items()}
        return _nodes(ask(calls, query_bundle, **self._limits))

    @dispatcher.span
    async def _aretrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        calls = {name: _async_call(name, member) for name, member in self._members.items()}
        return _nodes(await aask(calls, query_bundle, **self._limits))


def _call(name: str, member: Responder) -> Callable[[QueryBundle], ResponseNode]:
    def respond(query: QueryBundle) -> ResponseNode:
        if isinstance(member, LLM):
            return _node(name, member.complete(query.query_str).text, [])
        response: Any = member.query(query)
        if isinstance(response, StreamingResponse):
            response = response.get_response()
        elif isinstance(response, AsyncStreamingResponse):
            raise TypeError("gave an async stream to a sync query")
        return _node(name, _text(response), response.source_nodes)

    return respond


def _async_call(name: str, member: Responder) -> Callable[[QueryBundle], Awaitable[ResponseNode]]:
    if is_sync_only(member):
        return in_own_thread(_call(name, member))

    async def respond(query: QueryBundle) -> ResponseNode:
        if isinstance(member, LLM):
            return _node(name, (await member.acomplete(query.query_str)).text, [])
        response: Any = await member.aquery(query)
        if isinstance(response, AsyncStreamingResponse):
            response = await response.get_response()
        elif isinstance(response, StreamingResponse):
            # Reading it may take as long as writing it.
            response = await in_own_thread(StreamingResponse.get_response)(response)
        return _node(name, _text(response), response.source_nodes)

    return respond


def _node(name: str, text: str, sources: list[NodeWithScore]) -> ResponseNode:
    """The response as a node.

    Raises:
        ValueError: it says nothing.
    """
    if not text.strip() or (text == _NOTHING and not sources):
        raise ValueError("gave an empty response")
    return ResponseNode(
        text=text,
        name=name,
        source_nodes=sources,
        extra_info={"source": name},
        excluded_llm_metadata_keys=["source"],
        excluded_embed_metadata_keys=["source"],
    )


def _text(response: Any) -> str:
    """A response's text; that of an object is its JSON."""
    return "" if response.response is None else str(response)


def _nodes(answers: Answers[ResponseNode]) -> list[NodeWithScore]:
    for name, error in answers.failures.items():
        logger.warning("%s gave no response: %s", name, describe(error))
    return [NodeWithScore(node=node) for node in answers.answers.values()]


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
