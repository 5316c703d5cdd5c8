"""Configs act the same, usage is counted once, and the answer's tokens are seen, however called."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.callbacks import BaseCallbackHandler, UsageMetadataCallbackHandler
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, trim_messages
from langchain_core.runnables import ConfigurableField, RunnableLambda
from talking_models import Talker

from blender_core import ConsensusRanker, PairRanker
from langchain_blender import Blend, BlendedChatModel, BlendedLLM, ChatComparator

KINDS = pytest.mark.parametrize("kind", [Blend, BlendedChatModel, BlendedLLM])


def text_of(answer: Any) -> str:
    return answer if isinstance(answer, str) else str(answer.text)


async def in_every_way(runnable: Any, config: Any) -> list[str]:
    """The text of all ways of calling, directly and in a chain."""
    texts = []
    for each in (runnable, RunnableLambda(lambda question: question) | runnable):
        texts += [
            text_of(each.invoke("q", config)),
            text_of(await each.ainvoke("q", config)),
            "".join(map(text_of, each.stream("q", config))),
            "".join([text_of(piece) async for piece in each.astream("q", config)]),
            text_of(each.batch(["q"], config)[0]),
            text_of((await each.abatch(["q"], config))[0]),
        ]
    return texts


@KINDS
async def test_what_is_configurable_reaches_the_members(kind):
    member = FakeListChatModel(responses=["default"]).configurable_fields(
        responses=ConfigurableField(id="said")
    )
    blend = kind(members=[member], ranker=ConsensusRanker())
    config = {"configurable": {"said": ["configured"]}}
    assert await in_every_way(blend, config) == ["configured"] * 12
    assert await in_every_way(blend, None) == ["default"] * 12


@KINDS
@pytest.mark.parametrize("in_chain", [True, False])
def test_max_concurrency_bounds_the_members(kind, in_chain):
    import threading

    running, most, lock = 0, 0, threading.Lock()

    def member(_: Any) -> AIMessage:
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        threading.Event().wait(0.02)
        with lock:
            running -= 1
        return AIMessage("a")

    blend: Any = kind(members=[RunnableLambda(member)] * 6, ranker=ConsensusRanker())
    runnable = RunnableLambda(lambda question: question) | blend if in_chain else blend
    runnable.invoke("q", {"max_concurrency": 2})
    list(runnable.stream("q", {"max_concurrency": 2}))
    assert most == 2


class Watching(BaseCallbackHandler):
    """Notes each model's tags and metadata, and adds up what usage it is told."""

    def __init__(self) -> None:
        self.tags: list[set[str]] = []
        self.metadata: list[dict[str, Any]] = []
        self.tokens = 0

    def on_chat_model_start(
        self, *_: Any, tags: Any = None, metadata: Any = None, **__: Any
    ) -> None:
        self.tags.append(set(tags or ()))
        self.metadata.append(metadata or {})

    def on_llm_end(self, response: Any, **_: Any) -> None:
        for [generation] in response.generations:
            usage = getattr(getattr(generation, "message", None), "usage_metadata", None)
            self.tokens += usage["total_tokens"] if usage else 0


@KINDS
async def test_tags_and_metadata_reach_the_members(kind):
    handler = Watching()
    config = {"callbacks": [handler], "tags": ["mine"], "metadata": {"who": "me"}}
    await in_every_way(kind(members=[Talker()], ranker=ConsensusRanker()), config)
    assert len(handler.tags) >= 12
    assert all("mine" in tags for tags in handler.tags)
    assert all(metadata["who"] == "me" for metadata in handler.metadata)


@KINDS
async def test_every_counter_counts_usage_once(kind):
    blend = kind(
        members=[
            Talker(model_name="one", tokens=10),
            Talker(model_name="two", tokens=5, says=str.upper),
        ],
        ranker=PairRanker(
            ChatComparator(
                Talker(model_name="judge", tokens=3, says=lambda q: "A"), structured=False
            )
        ),
        fuser=Talker(model_name="writer", tokens=2, says=lambda q: "Both."),
        verify=False,
        n=2,
    )

    by_model, by_hand = UsageMetadataCallbackHandler(), Watching()
    texts = await in_every_way(blend, {"callbacks": [by_model, by_hand]})
    counted = {name: usage["total_tokens"] for name, usage in by_model.usage_metadata.items()}
    assert by_hand.tokens == sum(counted.values())
    assert counted["one"] == 2 * 10 * 2 * len(texts)
    if kind is not BlendedLLM:
        answer = blend.invoke("q")
        told = answer.response_metadata["blend"]
        assert answer.usage_metadata["total_tokens"] == sum(counted.values()) / len(texts)
        assert told["total_usage"] == answer.usage_metadata
        assert told["step_usage"]["fuse"]["total_tokens"] == 4


@pytest.mark.filterwarnings("ignore:astream_events version='v1'")
@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("in_agent", [True, False])
async def test_events_show_the_answers_tokens_alone(in_agent, version, verify):
    members = {
        name: FakeListChatModel(responses=[text], sleep=0.001)
        for name, text in (("a", "Paris."), ("b", "It is Paris."), ("c", "Rome!"))
    }
    fuser = Talker(says=lambda question: "It is Paris, the capital of France, on the river Seine.")
    model = BlendedChatModel(members=members, ranker=ConsensusRanker(), fuser=fuser, verify=verify)
    runnable: Any = create_agent(model, []) if in_agent else model
    question: Any = {"messages": [("user", "Capital?")]} if in_agent else "Capital?"
    text, seen = "", set()
    async for event in runnable.astream_events(question, version=version):
        if event["event"] == "on_chat_model_stream":
            text += event["data"]["chunk"].text
        if event["event"] == "on_chat_model_end":
            seen.add(event["name"])
    assert text == (await runnable.ainvoke(question))["messages"][-1].text if in_agent else text
    assert text in ("Paris.", "It is Paris.", fuser.says(""))
    assert {"a", "b", "c"} <= seen


def test_messages_of_a_graph_are_the_answers_tokens_alone():
    members = [Talker(model_name=name, says=lambda q: "An answer of words.") for name in "ab"]
    agent = create_agent(BlendedChatModel(members=members, ranker=ConsensusRanker()), [])
    stream = agent.stream({"messages": [("user", "q")]}, stream_mode="messages")
    assert "".join(chunk.text for chunk, _ in stream) == "An answer of words."


# Counting tokens


class Counts(FakeListChatModel):
    """Counts by itself."""

    each: int = 1

    def get_num_tokens(self, text: str) -> int:
        return self.each * len(text.split())

    def get_num_tokens_from_messages(self, messages: Any, tools: Any = None) -> int:
        return sum(self.get_num_tokens(message.text) for message in messages)


def test_the_member_that_counts_most_decides():
    members = [Counts(responses=["a"]), Counts(responses=["b"], each=2).bind(stop=None)]
    history = [HumanMessage("word " * 100) for _ in range(5)]
    blend = BlendedChatModel(members=members, ranker=ConsensusRanker())
    assert blend.get_num_tokens_from_messages(history) == 1000
    assert len(trim_messages(history, max_tokens=400, token_counter=blend)) == 2
    assert blend.get_num_tokens("one two three") == 6
    assert BlendedLLM(members=members).get_num_tokens("one two three") == 6


def test_members_that_cannot_count_are_estimated_without_a_network():
    blend = BlendedChatModel(
        members=[Talker(), RunnableLambda(lambda _: AIMessage("a"))], ranker=ConsensusRanker()
    )
    assert 90 < blend.get_num_tokens_from_messages([HumanMessage("word " * 100)]) < 200
    assert 90 < blend.get_num_tokens("word " * 100) < 200
