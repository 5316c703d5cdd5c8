"""Real clients, a real server in another process, and everything that can go wrong between."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest
from openai_server import RECORDS

from blender_core import ConsensusRanker, PairRanker
from blender_core.errors import MemberTimeoutError, QuorumError
from blender_core.testing import ScriptedComparator
from langchain_blender import BlendedChatModel, BlendedLLM, ChatComparator

RECORDED = [json.loads(line) for line in RECORDS.read_text(encoding="utf-8").splitlines()]
QUESTION = RECORDED[0]["instruction"]
MODELS = [candidate["model"] for candidate in RECORDED[0]["candidates"]]


def by_length() -> PairRanker:
    return PairRanker(ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second))))


async def answered(model: Any, how: str, question: str = QUESTION) -> Any:
    """The answer, by each of four ways; a stream's chunks added up."""
    match how:
        case "invoke":
            return await asyncio.to_thread(model.invoke, question)
        case "ainvoke":
            return await model.ainvoke(question)
        case "stream":
            chunks = await asyncio.to_thread(lambda: list(model.stream(question)))
        case "astream":
            chunks = [chunk async for chunk in model.astream(question)]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    return whole


WAYS = pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])


@WAYS
async def test_recorded_answers_come_back_and_the_longest_wins(client, how):
    members = [client("fine", name) for name in MODELS]
    answer = await answered(BlendedChatModel(members=members, ranker=by_length()), how)
    texts = {c["model"]: c["text"] for c in RECORDED[0]["candidates"]}
    assert answer.text == max(texts.values(), key=len)
    blend = answer.response_metadata["blend"]
    assert sorted(blend["order"]) == sorted(MODELS)
    assert blend["order"] == sorted(MODELS, key=lambda name: -len(texts[name]))
    assert blend["failures"] == {}
    words = sum(len(text.split()) for text in texts.values())
    assert answer.usage_metadata["output_tokens"] == words
    assert answer.usage_metadata["input_tokens"] == 7 * len(MODELS)


@WAYS
async def test_whoever_fails_costs_only_its_own_answer(client, how):
    members = {
        "fine": client("fine", MODELS[0]),
        "hanging": client("hanging", MODELS[1]),
        "cut": client("cut", MODELS[1]),
        "nonsense": client("nonsense", MODELS[1]),
        "down": client("down", MODELS[1]),
        "limited": client("limited", MODELS[1], max_retries=2),
    }
    model = BlendedChatModel(members=members, ranker=by_length(), timeout=2.0)
    answer = await answered(model, how, f"{how}: what is it?")
    blend = answer.response_metadata["blend"]
    assert sorted(blend["order"]) == ["fine", "limited"]
    assert sorted(blend["failures"]) == ["cut", "down", "hanging", "nonsense"]
    assert "timeout of 2 s" in blend["failures"]["hanging"]
    assert "out of order" in blend["failures"]["down"]
    assert answer.text.endswith(f"says: {how}: what is it?")


@WAYS
async def test_below_the_quorum_the_error_carries_every_members_own(client, how):
    members = {
        "fine": client("fine"),
        "down": client("down"),
        "hanging": client("hanging"),
        "nonsense": client("nonsense"),
        "limited": client("limited"),
    }
    model = BlendedChatModel(members=members, ranker=by_length(), deadline=1.0, min_answers=2)
    with pytest.raises(QuorumError) as caught:
        await answered(model, how, f"quorum by {how}?")
    failures = caught.value.failures
    assert list(failures) == ["down", "hanging", "nonsense", "limited"]
    assert (failures["down"].status_code, failures["limited"].status_code) == (500, 429)
    assert isinstance(failures["hanging"], MemberTimeoutError)
    assert caught.value.answered == ("fine",)
    assert "slow down" in str(caught.value)


@WAYS
async def test_all_failing_is_an_error_with_all_of_them(client, how):
    members = {"down": client("down"), "nonsense": client("nonsense"), "cut": client("cut")}
    with pytest.raises(QuorumError, match="0 of 3 members answered, 1 needed") as caught:
        await answered(BlendedChatModel(members=members, ranker=by_length()), how)
    assert list(caught.value.failures) == ["down", "nonsense", "cut"]


@WAYS
async def test_a_stream_that_is_cut_is_no_answer_where_members_stream(client, how):
    members = {"fine": client("fine"), "cut": client("cut", streaming=True)}
    answer = await answered(BlendedChatModel(members=members, ranker=by_length()), how)
    assert list(answer.response_metadata["blend"]["failures"]) == ["cut"]


def test_members_answer_at_the_same_time(client):
    members = {f"m{place}": client("slow") for place in range(4)}
    start = time.perf_counter()
    BlendedLLM(members=members, ranker=ConsensusRanker()).invoke("Hm?")
    assert time.perf_counter() - start < 3.0  # one after the other they take four seconds


@WAYS
async def test_tool_calls_come_through(client, how):
    def weather(city: str) -> str:
        """The weather in a city."""
        return city

    members = {"one": client("tool"), "two": client("tool"), "words": client("fine")}
    model = BlendedChatModel(members=members, ranker=by_length()).bind_tools([weather])
    answer = await answered(model, how, "Rome")
    assert [call["name"] for call in answer.tool_calls] == ["weather"]
    assert answer.tool_calls[0]["args"] == {"city": "Rome"}
    assert answer.response_metadata["blend"]["verdict"]["reason"] == "not asked to fuse"


@pytest.mark.parametrize("logprobs", [False, True])
@WAYS
async def test_everything_runs_on_api_models_alone(client, how, logprobs):
    options = {"logprobs": True, "top_logprobs": 5} if logprobs else {}
    judge = ChatComparator(client("judge", **options), structured=False)
    model = BlendedChatModel(
        members=[client("fine", name) for name in MODELS[:3]],
        ranker=PairRanker(judge),
        fuser=client("fine", "writer"),
        verify=False,
    )
    answer = await answered(model, how)
    assert answer.text.startswith("writer says: <question-")
    blend = answer.response_metadata["blend"]
    texts = {c["model"]: c["text"] for c in RECORDED[0]["candidates"]}
    assert blend["order"] == sorted(MODELS[:3], key=lambda name: -len(texts[name]))
    assert blend["scores"][blend["order"][0]] == pytest.approx(4 / 3 * (2.0 if logprobs else 1.0))
    assert answer.usage_metadata["input_tokens"] == 7 * (3 + 6 + 1)


async def test_a_judge_that_is_away_costs_the_ranking_not_the_answer(client, caplog):
    judge = ChatComparator(client("down"), structured=False)
    model = BlendedChatModel(
        members=[client("fine", n) for n in MODELS[:2]], ranker=PairRanker(judge)
    )
    answer = await model.ainvoke(QUESTION)
    assert answer.text == RECORDED[0]["candidates"][0]["text"]
    assert answer.response_metadata["blend"]["unjudged"] == 2
    assert "2 of 2 judgements failed" in caplog.text
