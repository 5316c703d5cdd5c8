"""Limits on time are those of the whole blend."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from talking_models import Talker

from blender_core import ConsensusRanker, PairRanker
from blender_core.ranking.ranker import Ranker
from blender_core.testing import ScriptedComparator
from langchain_blender import Blend, BlendedChatModel, BlendedLLM, ChatComparator

KINDS = pytest.mark.parametrize("kind", [Blend, BlendedChatModel, BlendedLLM])
WAYS = pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
LONGEST = PairRanker(ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second))))
TOO_LONG = 5.0


def giving(text: str, seconds: float = 0.0) -> Any:
    """A model that blocks, as many do."""

    def answer(_: Any) -> AIMessage:
        time.sleep(seconds)
        return AIMessage(text)

    return RunnableLambda(answer)


class Slow(Ranker):
    """Computes for a long time."""

    def rank_many(self, tasks: Any, *, show_progress: bool = False) -> Any:
        time.sleep(TOO_LONG)
        return ConsensusRanker().rank_many(tasks)

    def duel_many(self, duels: Any) -> Any:
        raise NotImplementedError


def text_and_seconds(blend: Any, how: str) -> tuple[str, float]:
    async def called() -> Any:
        if how == "ainvoke":
            return await blend.ainvoke("2 + 2?")
        return [piece async for piece in blend.astream("2 + 2?")]

    start = time.perf_counter()
    if how == "invoke":
        got = blend.invoke("2 + 2?")
    elif how == "stream":
        got = list(blend.stream("2 + 2?"))
    else:
        got = asyncio.run(called())
    pieces = got if isinstance(got, list) else [got]
    text = "".join(one if isinstance(one, str) else one.text for one in pieces)
    return text, time.perf_counter() - start


MEMBERS = {"short": giving("4"), "long": giving("It is 4.")}


@WAYS
@KINDS
@pytest.mark.parametrize("fuser", [giving("fused", TOO_LONG), Talker(seconds=TOO_LONG)])
@pytest.mark.parametrize("limit", [{"deadline": 0.3}, {"fuser_timeout": 0.3}])
@pytest.mark.parametrize("verify", [True, False])
def test_a_slow_fuser_costs_the_fusing(kind, how, fuser, limit, verify):
    blend = kind(members=MEMBERS, ranker=LONGEST, fuser=fuser, verify=verify, **limit)
    text, seconds = text_and_seconds(blend, how)
    assert text == "It is 4."
    assert seconds < 2.5


@WAYS
def test_a_slow_judge_costs_the_ranking(how):
    judge = ChatComparator(giving("A", TOO_LONG), structured=False)
    blend = BlendedChatModel(members=MEMBERS, ranker=PairRanker(judge), deadline=0.6)
    text, seconds = text_and_seconds(blend, how)
    assert text == "4"
    assert seconds < 2.5


@WAYS
def test_a_slow_ranker_costs_the_ranking(how):
    text, seconds = text_and_seconds(Blend(members=MEMBERS, ranker=Slow(), deadline=0.6), how)
    assert text == "4"
    assert seconds < 2.5


def test_what_was_given_up_is_told():
    blend = Blend(
        members=MEMBERS, ranker=LONGEST, fuser=giving("fused", TOO_LONG), fuser_timeout=0.2
    )
    verdict = blend.invoke("q").response_metadata["blend"]["verdict"]
    assert verdict["reason"] == "fusing failed"
    assert verdict["error"] == "MemberTimeoutError: no answer within the timeout of 0.2 s"
    told = Blend(members=MEMBERS, ranker=Slow(), deadline=0.4).invoke("q")
    assert told.response_metadata["blend"]["stopped_because"] == "max_seconds"


@WAYS
def test_answers_are_ranked_where_a_member_used_up_all_the_time(how):
    members = {**MEMBERS, "hanging": giving("It is 4, I should say.", TOO_LONG)}
    blend = Blend(members=members, ranker=LONGEST, fuser=giving("fused"), deadline=0.6)
    text, seconds = text_and_seconds(blend, how)
    assert text == "It is 4."
    assert seconds < 2.5


@WAYS
def test_who_is_in_time_is_not_cut(how):
    blend = Blend(
        members=MEMBERS,
        ranker=LONGEST,
        fuser=Talker(says=lambda question: "It is 4, and no more."),
        verify=False,
        deadline=30,
        fuser_timeout=20,
    )
    assert text_and_seconds(blend, how)[0] == "It is 4, and no more."
