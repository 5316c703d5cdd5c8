"""Each member, the ranking, the fusing and the check are children of the blend's run, once each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_core.tracers.base import BaseTracer
from langchain_core.tracers.schemas import Run
from langgraph.graph import START, MessagesState, StateGraph
from talking_models import Talker

from blender_core import PairRanker
from blender_core.testing import ScriptedComparator, ScriptedFuser
from langchain_blender import Blend, BlendedChatModel, BlendedLLM, ChatComparator, ChatFuser

KINDS = [Blend, BlendedLLM, BlendedChatModel]
CALLS = ["invoke", "ainvoke", "stream", "astream", "batch", "abatch"]


class Tracer(BaseTracer):
    """Keeps whole trees, as a tracing service would get them."""

    def __init__(self) -> None:
        super().__init__(_schema_format="original+chat")
        self.trees: list[Run] = []

    def _persist_run(self, run: Run) -> None:
        self.trees.append(run)


def longest(pair: Any) -> float:
    return float(len(pair.first) - len(pair.second))


def members() -> dict[str, Talker]:
    return {
        "short": Talker(says=lambda question: "Yes."),
        "long": Talker(says=lambda question: "Yes, for sure."),
    }


def blend(kind: Any, **settings: Any) -> Any:
    return kind(
        members=members(),
        ranker=PairRanker(ScriptedComparator(longest)),
        fuser=ScriptedFuser("Yes, for sure, and more."),
        **settings,
    )


def call(runnable: Any, how: str, config: dict[str, Any], given: Any = "Is it?") -> Any:
    """Both ways of each call; the list of what came."""

    async def collected() -> list[Any]:
        return [chunk async for chunk in runnable.astream(given, config)]

    match how:
        case "invoke":
            return [runnable.invoke(given, config)]
        case "ainvoke":
            return [asyncio.run(runnable.ainvoke(given, config))]
        case "batch":
            return runnable.batch([given], config)
        case "abatch":
            return asyncio.run(runnable.abatch([given], config))
        case "stream":
            return list(runnable.stream(given, config))
        case "astream":
            return asyncio.run(collected())


def names(runs: list[Run]) -> list[str]:
    return sorted(run.name for run in runs)


def find(trees: list[Run], name: str) -> list[Run]:
    found = [run for run in trees if run.name == name]
    return found + [run for tree in trees for run in find(tree.child_runs, name)]


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_steps_are_children(kind, how):
    tracer = Tracer()
    call(blend(kind), how, {"callbacks": [tracer]})
    [root] = tracer.trees
    assert root.name == kind.__name__
    assert names(root.child_runs) == ["fuse", "long", "rank", "short", "verify"]
    assert all(run.error is None and run.end_time for run in root.child_runs)
    [rank] = find([root], "rank")
    assert rank.inputs == {
        "question": "Is it?",
        "answers": {"short": "Yes.", "long": "Yes, for sure."},
    }
    assert rank.outputs["order"] == ["long", "short"]


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_fused_text_that_streams_is_a_child_too(kind, how):
    tracer = Tracer()
    call(blend(kind, verify=False), how, {"callbacks": [tracer]})
    [root] = tracer.trees
    assert names(root.child_runs) == ["fuse", "long", "rank", "short"]


@pytest.mark.parametrize("how", CALLS)
@pytest.mark.parametrize("kind", KINDS)
def test_inside_a_chain(kind, how):
    tracer = Tracer()
    chain = ChatPromptTemplate.from_template("{q}") | blend(kind) | StrOutputParser()
    came = call(chain, how, {"callbacks": [tracer]}, {"q": "Is it?"})
    assert "".join(came) == "Yes, for sure, and more."
    [root] = tracer.trees
    [inner] = find(root.child_runs, kind.__name__)
    assert inner.parent_run_id == root.id
    assert names(inner.child_runs) == ["fuse", "long", "rank", "short", "verify"]
    assert len(find([root], "long")) == 1


def test_many_inputs_are_many_trees():
    for kind in KINDS:
        tracer = Tracer()
        blend(kind).batch(["a?", "b?", "c?"], {"callbacks": [tracer]})
        assert len(tracer.trees) == 3
        for root in tracer.trees:
            assert names(root.child_runs) == ["fuse", "long", "rank", "short", "verify"]


@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_judge_and_a_chat_model_that_fuses_hang_under_their_steps(kind, how):
    tracer = Tracer()
    judge = Talker(model_name="judge", says=lambda question: "A")
    writer = Talker(model_name="writer", says=lambda question: "All in all, yes.")
    model = kind(
        members=members(),
        ranker=PairRanker(ChatComparator(judge, structured=False)),
        fuser=ChatFuser(writer),
        verify=False,
    )
    call(model, how, {"callbacks": [tracer]})
    [root] = tracer.trees
    [rank] = find([root], "rank")
    assert names(rank.child_runs) == ["Talker", "Talker"]
    [fuse] = find([root], "fuse")
    assert names(fuse.child_runs) == ["Talker"]


def test_a_member_that_fails_is_seen_in_the_tree():
    tracer = Tracer()
    model = BlendedChatModel(
        members={"good": Talker(), "bad": Talker(error=ValueError("no credit"))},
        ranker=PairRanker(ScriptedComparator(longest)),
    )
    model.invoke("Is it?", {"callbacks": [tracer]})
    [root] = tracer.trees
    [bad] = find([root], "bad")
    assert "no credit" in str(bad.error)
    assert root.error is None


@tool
def magic(number: int) -> int:
    """Do magic to a number."""
    return number + 2


def agent_tree(root: Run) -> None:
    blends = find([root], "BlendedChatModel")
    assert len(blends) == 2  # one calls the tool, one reads its answer
    for one in blends:
        assert names(one.child_runs) == ["one", "rank", "two"]
    assert len(find([root], "one")) == 2


def agent() -> Any:
    model = BlendedChatModel(
        members={"one": Talker(), "two": Talker()},
        ranker=PairRanker(ScriptedComparator(longest)),
        fuser=None,
    )
    return create_agent(model, tools=[magic])


@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
def test_inside_an_agent(how):
    tracer = Tracer()
    given = {"messages": [HumanMessage("What is magic of 3?")]}
    call(agent(), how, {"callbacks": [tracer]}, given)
    [root] = tracer.trees
    agent_tree(root)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("asynchronous", [True, False])
def test_the_messages_stream_of_a_graph_shows_only_the_answer(verify, asynchronous):
    model = blend(BlendedChatModel, verify=verify)

    def node(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    async def anode(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    graph = (
        StateGraph(MessagesState)
        .add_node("answer", RunnableLambda(node, anode))
        .add_edge(START, "answer")
        .compile()
    )
    given = {"messages": [HumanMessage("Is it?")]}

    async def collected() -> list[Any]:
        return [part async for part in graph.astream(given, stream_mode="messages")]

    parts = (
        asyncio.run(collected())
        if asynchronous
        else list(graph.stream(given, stream_mode="messages"))
    )
    assert "".join(message.text for message, _ in parts) == "Yes, for sure, and more."
    assert len({message.id for message, _ in parts}) == 1


@pytest.mark.parametrize("asynchronous", [True, False])
def test_watched_by_a_graph_the_steps_are_still_the_blends(asynchronous):
    tracer, model = Tracer(), blend(BlendedChatModel, verify=False)

    async def anode(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    node = RunnableLambda(lambda s: {"messages": [model.invoke(s["messages"])]}, anode)
    graph = StateGraph(MessagesState).add_node("answer", node).add_edge(START, "answer").compile()
    given, config = {"messages": [HumanMessage("Is it?")]}, {"callbacks": [tracer]}

    async def read() -> None:
        async for _ in graph.astream(given, config, stream_mode="messages"):
            pass

    if asynchronous:
        asyncio.run(read())
    else:
        list(graph.stream(given, config, stream_mode="messages"))
    [root] = tracer.trees
    [inner] = find([root], "BlendedChatModel")
    assert names(inner.child_runs) == ["fuse", "long", "rank", "short"]
    assert len(find([root], "long")) == 1


def test_a_graph_streams_the_fused_tokens_of_a_chat_model():
    writer = Talker(model_name="writer", says=lambda question: "All in all, yes.")
    model = BlendedChatModel(
        members=members(),
        ranker=PairRanker(ScriptedComparator(longest)),
        fuser=writer,
        verify=False,
    )
    graph = (
        StateGraph(MessagesState)
        .add_node("answer", lambda state: {"messages": [model.invoke(state["messages"])]})
        .add_edge(START, "answer")
        .compile()
    )
    parts = list(graph.stream({"messages": [HumanMessage("Is it?")]}, stream_mode="messages"))
    texts = [message.text for message, _ in parts if message.text]
    assert texts == ["All ", "in ", "all, ", "yes."]


async def test_events_of_an_agent_name_every_step_once():
    started = [
        event["name"]
        async for event in agent().astream_events(
            {"messages": [HumanMessage("What is magic of 3?")]}, version="v2"
        )
        if event["event"] in ("on_chat_model_start", "on_chain_start")
    ]
    assert started.count("rank") == 2
    assert started.count("BlendedChatModel") == 2
    assert started.count("one") == 2


def test_tags_and_metadata_of_the_caller_reach_the_children():
    for kind in KINDS:
        tracer = Tracer()
        config = {"callbacks": [tracer], "tags": ["mine"], "metadata": {"user": "u1"}}
        blend(kind).invoke("Is it?", config)
        [root] = tracer.trees
        [member] = find([root], "long")
        assert "mine" in member.tags
        assert member.metadata["user"] == "u1"
        assert member.metadata["blend_member"] == "long"


def test_a_run_id_given_by_the_caller_is_the_blends():
    from uuid import uuid4

    for kind in KINDS:
        for how in ("invoke", "stream"):
            tracer, run_id = Tracer(), uuid4()
            call(blend(kind), how, {"callbacks": [tracer], "run_id": run_id})
            [root] = tracer.trees
            assert root.id == run_id
            assert all(run.parent_run_id == run_id for run in root.child_runs)


def test_a_blend_is_a_member_of_another():
    tracer = Tracer()
    inner = blend(BlendedChatModel)
    outer = BlendedChatModel(
        members={"inner": inner, "other": Talker()},
        ranker=PairRanker(ScriptedComparator(longest)),
    )
    answer = outer.invoke("Is it?", {"callbacks": [tracer]})
    assert isinstance(answer, AIMessage)
    [root] = tracer.trees
    assert names(root.child_runs) == ["inner", "other", "rank"]
    [below] = find([root], "inner")
    assert names(below.child_runs) == ["fuse", "long", "rank", "short", "verify"]
