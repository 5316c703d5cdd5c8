"""A graph that is paused or redirected inside a blend is paused or redirected."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.errors import GraphBubbleUp, GraphInterrupt
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from blender_core import ConsensusRanker, PairRanker
from langchain_blender import Blend, BlendedChatModel, BlendedLLM, ChatComparator

KINDS = pytest.mark.parametrize("kind", [Blend, BlendedChatModel, BlendedLLM])
ROLES = pytest.mark.parametrize("role", ["member", "judge", "fuser"])


def asking(text: str) -> RunnableLambda[Any, Any]:
    return RunnableLambda(lambda messages: AIMessage(str(interrupt(text))))


def giving(text: str) -> RunnableLambda[Any, Any]:
    return RunnableLambda(lambda messages: AIMessage(text))


def settings(role: str, asked: Any) -> dict[str, Any]:
    """Of a blend in which that one asks a person."""
    members = {"bot": giving("The bot's opinion."), "other": giving("Another opinion.")}
    if role == "member":
        return {"members": {**members, "human": asked}, "ranker": ConsensusRanker()}
    if role == "judge":
        judge = ChatComparator(asked, structured=False, max_concurrency=1)
        return {"members": members, "ranker": PairRanker(judge)}
    return {"members": members, "ranker": ConsensusRanker(), "fuser": asked, "verify": False}


@ROLES
@KINDS
def test_an_interrupt_pauses_the_graph_and_is_resumed(kind, role):
    def node(state: Any) -> Any:
        answer = kind(**settings(role, asking("Your opinion?"))).invoke(state["messages"])
        return {"messages": [answer if isinstance(answer, AIMessage) else AIMessage(answer)]}

    graph = StateGraph(MessagesState).add_node("n", node).add_edge(START, "n").add_edge("n", END)
    app = graph.compile(checkpointer=InMemorySaver())
    config = {"configurable": {"thread_id": "1"}}
    paused = app.invoke({"messages": [("user", "hi")]}, config)
    assert [one.value for one in paused["__interrupt__"]] == ["Your opinion?"]
    resumed = app.invoke(Command(resume="A"), config)
    if role != "judge":  # which asks about every pair
        assert resumed["messages"][-1].text


@ROLES
@KINDS
async def test_it_passes_as_it_was_raised_in_every_way(kind, role):
    class Redirected(GraphBubbleUp):
        pass

    def raising(_: Any) -> Any:
        raise Redirected

    blend = kind(**settings(role, RunnableLambda(raising)))
    with pytest.raises(Redirected):
        blend.invoke("q")
    with pytest.raises(Redirected):
        await blend.ainvoke("q")
    with pytest.raises(Redirected):
        list(blend.stream("q"))
    with pytest.raises(Redirected):
        [piece async for piece in blend.astream("q")]
    with pytest.raises(Redirected):
        blend.batch(["q"])
    with pytest.raises(Redirected):
        await blend.abatch(["q"])


def test_handlers_see_what_was_raised():
    from langchain_core.callbacks import BaseCallbackHandler

    seen: list[BaseException] = []

    class Handler(BaseCallbackHandler):
        def on_llm_error(self, error: BaseException, **_: Any) -> None:
            seen.append(error)

    def raising(_: Any) -> Any:
        raise GraphInterrupt

    model = BlendedChatModel(members=[RunnableLambda(raising)], ranker=ConsensusRanker())
    with pytest.raises(GraphInterrupt):
        model.invoke("q", {"callbacks": [Handler()]})
    assert [type(error) for error in seen] == [GraphInterrupt]


@KINDS
def test_an_interrupt_by_the_keyboard_passes(kind):
    def raising(_: Any) -> Any:
        raise KeyboardInterrupt

    blend = kind(**settings("fuser", RunnableLambda(raising)))
    with pytest.raises(KeyboardInterrupt):
        blend.invoke("q")
