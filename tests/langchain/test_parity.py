"""Sync and async do the same: every scenario runs through every way of calling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from talking_models import Talker

from blender_core import PairRanker
from blender_core.errors import InputError, QuorumError
from blender_core.testing import ScriptedComparator, ScriptedFuser
from langchain_blender import Blend, BlendedChatModel, BlendedLLM


def says(text: str) -> Talker:
    return Talker(says=lambda question: text)


def add(number: int) -> int:
    """Add one to a number."""
    return number + 1


@dataclass
class Scenario:
    """A blend, what it answers (or raises), and what it tells of it."""

    members: dict[str, Any]
    text: str | None = None
    error: type[Exception] | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    told: dict[str, Any] = field(default_factory=dict)
    verdict: str | None = None
    tools: bool = False


BROKEN = Talker(error=RuntimeError("broken"))
SCENARIOS = {
    "the best is picked": Scenario(
        {"a": says("a"), "b": says("bbb"), "c": says("cc")},
        "bbb",
        told={"order": ["b", "c", "a"], "fused": False, "sources": ["b"], "failures": {}},
        verdict="no fuser",
    ),
    "one member": Scenario({"a": says("a")}, "a", told={"order": ["a"], "passes": 0}),
    "a better fused text is kept": Scenario(
        {"a": says("a"), "b": says("bb")},
        "fused",
        settings={"fuser": ScriptedFuser("fused")},
        told={"fused": True, "sources": ["b", "a"]},
        verdict="fused text won",
    ),
    "a worse fused text is not": Scenario(
        {"a": says("aaa"), "b": says("bb")},
        "aaa",
        settings={"fuser": ScriptedFuser("f")},
        told={"fused": False, "sources": ["a"]},
        verdict="fused text lost",
    ),
    "unless nobody checks": Scenario(
        {"a": says("aaa"), "b": says("bb")},
        "f",
        settings={"fuser": ScriptedFuser("f"), "verify": False},
        told={"fused": True},
    ),
    "a chat model fuses": Scenario(
        {"a": says("aaa"), "b": says("bb")},
        "All in all: a.",
        settings={"fuser": says("All in all: a.")},
        told={"fused": True},
    ),
    "a fuser that fails": Scenario(
        {"a": says("aaa"), "b": says("bb")},
        "aaa",
        settings={"fuser": BROKEN},
        verdict="fusing failed",
    ),
    "only the best are fused": Scenario(
        {"a": says("a"), "b": says("bbb"), "c": says("cc")},
        "b+c (fused)",
        settings={
            "fuser": ScriptedFuser(lambda t: f"{t.candidates[0].source}+c (fused)"),
            "top_k": 2,
        },
        told={"sources": ["b", "c"]},
    ),
    "a member that raises": Scenario(
        {"a": BROKEN, "b": says("bb")},
        "bb",
        told={"order": ["b"], "failures": {"a": "RuntimeError: broken"}},
    ),
    "a member that is slow": Scenario(
        {"a": Talker(seconds=5.0), "b": says("bb")},
        "bb",
        settings={"timeout": 0.1},
        told={"failures": {"a": "MemberTimeoutError: no answer within the timeout of 0.1 s"}},
    ),
    "a deadline for all": Scenario(
        {"a": Talker(seconds=5.0), "b": says("bb")}, "bb", settings={"deadline": 0.1}
    ),
    "a member that says nothing": Scenario(
        {"a": says(" "), "b": says("bb")},
        "bb",
        told={"failures": {"a": "ValueError: gave an empty answer (finish_reason: stop)"}},
    ),
    "a member that gives no message": Scenario(
        {"a": RunnableLambda(lambda _: 7), "b": says("bb")},
        "bb",
        told={"failures": {"a": "TypeError: answered with int, expected an AIMessage"}},
    ),
    "a member that gives plain text": Scenario(
        {"a": RunnableLambda(lambda _: "text"), "b": says("bb")}, "text"
    ),
    "no quorum": Scenario(
        {"a": BROKEN, "b": says("bb")}, error=QuorumError, settings={"min_answers": 2}
    ),
    "nobody": Scenario({"a": BROKEN, "b": BROKEN}, error=QuorumError),
    "best of n": Scenario(
        {"a": says("a"), "b": says("bb")},
        "bb",
        settings={"n": 2},
        told={"order": ["b", "b (2)", "a", "a (2)"]},
    ),
    "retries and fallbacks of members": Scenario(
        {
            "a": BROKEN.with_retry(stop_after_attempt=2, wait_exponential_jitter=False),
            "b": BROKEN.with_fallbacks([says("bb")]),
            "c": says("c").bind(stop=None),
        },
        "bb",
        told={"order": ["b", "c"]},
    ),
    "calls of tools are picked": Scenario(
        {"a": says("a"), "b": says("b").bind(stop=None), "c": says("c").with_fallbacks([])},
        "",
        settings={"fuser": ScriptedFuser("never")},
        told={"fused": False},
        verdict="not asked to fuse",
        tools=True,
    ),
    "a member that cannot call tools": Scenario(
        {"a": says("a"), "b": RunnableLambda(lambda _: "b")}, error=InputError, tools=True
    ),
}


async def by_invoke(model: Any, **kwargs: Any) -> Any:
    return await asyncio.to_thread(model.invoke, "add to 3", **kwargs)


async def by_ainvoke(model: Any, **kwargs: Any) -> Any:
    return await model.ainvoke("add to 3", **kwargs)


async def by_batch(model: Any, **kwargs: Any) -> Any:
    return (await asyncio.to_thread(model.batch, ["add to 3", "add to 3"], **kwargs))[0]


async def by_abatch(model: Any, **kwargs: Any) -> Any:
    return (await model.abatch(["add to 3", "add to 3"], **kwargs))[1]


async def by_stream(model: Any, **kwargs: Any) -> Any:
    return summed(await asyncio.to_thread(lambda: list(model.stream("add to 3", **kwargs))))


async def by_astream(model: Any, **kwargs: Any) -> Any:
    return summed([chunk async for chunk in model.astream("add to 3", **kwargs)])


async def by_events(model: Any, **kwargs: Any) -> Any:
    """What the last event says; the events themselves are LangChain's business."""
    async for event in model.astream_events("add to 3", version="v2", **kwargs):
        last = event
    return last["data"]["output"]


def summed(chunks: list[Any]) -> Any:
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    return whole


WAYS = [by_invoke, by_ainvoke, by_batch, by_abatch, by_stream, by_astream, by_events]


CASES = [
    (kind, name)
    for kind in (Blend, BlendedChatModel, BlendedLLM)
    for name, scenario in SCENARIOS.items()
    if not (kind is BlendedLLM and scenario.tools)  # text has no tools
]


def longest(pair: Any) -> float:
    return float(len(pair.first) - len(pair.second))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("kind", "name"), CASES)
async def test_every_way_of_calling_does_the_same(kind, name, way: Callable[..., Any]):
    scenario = SCENARIOS[name]
    model = kind(
        members=scenario.members,
        ranker=PairRanker(ScriptedComparator(longest)),
        **scenario.settings,
    )
    options: dict[str, Any] = {}
    if scenario.tools:
        tools = Talker().bind_tools([add]).kwargs["tools"]
        options = {"tools": tools, "tool_choice": "any"}
    if scenario.error is not None:
        with pytest.raises(scenario.error):
            await way(model, **options)
        return
    answer = await way(model, **options)
    if kind is BlendedLLM:
        text = answer if isinstance(answer, str) else answer["generations"][0][0]["text"]
        assert text == scenario.text
        return
    assert isinstance(answer, AIMessage)
    assert answer.text == scenario.text
    told = answer.response_metadata["blend"]
    assert {key: told[key] for key in scenario.told} == scenario.told
    if scenario.verdict is not None:
        assert told["verdict"]["reason"] == scenario.verdict
    if scenario.tools:
        assert [(call["name"], call["args"]) for call in answer.tool_calls] == [
            ("add", {"number": 3})
        ]
