"""LLMs as one: chat and complete, every way of calling, tools, agents; judges and evaluators."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import numpy as np
import pytest
from llama_index.core.agent.workflow import FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LLMMetadata,
    LogProb,
    MessageRole,
)
from llama_index.core.evaluation import BaseEvaluator
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.llms import LLM, CustomLLM, MockLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.query_engine import CustomQueryEngine
from llama_index.core.tools import FunctionTool
from openai_server import RECORDS
from pydantic import ValidationError
from retrieval_pipeline import client
from talking_llms import Talker, says
from watching import watched_loop

from blender_core import PairRanker
from blender_core.candidates import Pair
from blender_core.errors import InputError, QuorumError
from blender_core.testing import ScriptedComparator, ScriptedFuser
from llamaindex_blender import (
    BlendedLLM,
    LLMComparator,
    PairRankerEvaluator,
    PickBestAnswer,
    ResponseRetriever,
)

# LlamaIndex's workflows still use names that pydantic and they themselves have given up.
AGENTS = pytest.mark.filterwarnings("ignore::DeprecationWarning")


def longest(pair: Any) -> float:
    return float(len(pair.first) - len(pair.second))


LONGEST = PairRanker(ScriptedComparator(longest))
MESSAGES = [
    ChatMessage(role=MessageRole.SYSTEM, content="Be brief."),
    ChatMessage(role=MessageRole.USER, content="q"),
]


def blended(*texts: str, **settings: Any) -> BlendedLLM:
    members = {f"m{place}": says(text) for place, text in enumerate(texts)}
    return BlendedLLM(**{"members": members, "ranker": LONGEST, **settings})


async def chat(llm: LLM) -> Any:
    return llm.chat(MESSAGES)


async def achat(llm: LLM) -> Any:
    return await llm.achat(MESSAGES)


async def stream_chat(llm: LLM) -> Any:
    return list(llm.stream_chat(MESSAGES))[-1]


async def astream_chat(llm: LLM) -> Any:
    return [piece async for piece in await llm.astream_chat(MESSAGES)][-1]


async def complete(llm: LLM) -> Any:
    return llm.complete("q")


async def acomplete(llm: LLM) -> Any:
    return await llm.acomplete("q")


async def stream_complete(llm: LLM) -> Any:
    return list(llm.stream_complete("q"))[-1]


async def astream_complete(llm: LLM) -> Any:
    return [piece async for piece in await llm.astream_complete("q")][-1]


CHATS = [chat, achat, stream_chat, astream_chat]
WAYS = pytest.mark.parametrize(
    "called", [*CHATS, complete, acomplete, stream_complete, astream_complete]
)


def text(response: Any) -> str:
    if isinstance(response, ChatResponse):
        return response.message.content or ""
    return str(response.text)


@WAYS
async def test_the_best_answer_wins(called):
    response = await called(blended("a", "ccc", "bb"))
    assert text(response) == "ccc"
    if isinstance(response, ChatResponse):
        told = response.additional_kwargs["blend"]
        assert told["order"] == ["m1", "m2", "m0"]
        assert told["verdict"]["reason"] == "no fuser"


@WAYS
@pytest.mark.parametrize("fuser", [ScriptedFuser("from both"), says("from both")])
async def test_a_better_fused_text_is_kept(called, fuser):
    assert text(await called(blended("a", "bb", fuser=fuser))).strip() == "from both"
    assert text(await called(blended("a", "b" * 20, fuser=fuser))) == "b" * 20


@WAYS
async def test_whoever_fails_costs_only_its_own_answer(called):
    members = {
        "raises": Talker(error=RuntimeError("broken")),
        "blank": says(" "),
        "fine": says("fine"),
    }
    assert text(await called(BlendedLLM(members=members, ranker=LONGEST))) == "fine"
    with pytest.raises(QuorumError, match="broken"):
        await called(BlendedLLM(members=members, ranker=LONGEST, min_answers=2))


@pytest.mark.parametrize("called", [stream_chat, astream_chat, stream_complete, astream_complete])
async def test_a_fused_text_streams_where_nobody_checks_it(called):
    llm = blended("a", "bb", fuser=says("one two three"), verify=False)
    pieces = {
        stream_chat: lambda: llm.stream_chat(MESSAGES),
        stream_complete: lambda: llm.stream_complete("q"),
    }
    if called in pieces:
        deltas = [piece.delta for piece in pieces[called]()]
    elif called is astream_chat:
        deltas = [piece.delta async for piece in await llm.astream_chat(MESSAGES)]
    else:
        deltas = [piece.delta async for piece in await llm.astream_complete("q")]
    assert "".join(deltas).strip() == "one two three"
    assert len([delta for delta in deltas if delta]) == 3


async def test_members_answer_at_the_same_time_and_are_cancelled_together():
    members = {f"m{place}": Talker(seconds=0.3) for place in range(5)}
    llm = BlendedLLM(members=members, ranker=LONGEST)
    start = time.perf_counter()
    llm.chat(MESSAGES)
    await llm.achat(MESSAGES)
    assert time.perf_counter() - start < 1.5
    call = asyncio.create_task(llm.achat(MESSAGES))
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [member.gone for member in members.values()] == [["q"]] * 5


async def test_a_hundred_at_once_get_their_own_answers():
    members = {"long": Talker(seconds=0.01), "short": Talker(says=lambda question: question)}
    llm = BlendedLLM(members=members, ranker=LONGEST)
    answers = await asyncio.gather(*(llm.acomplete(f"question {i}") for i in range(100)))
    assert [str(a) for a in answers] == [f"You asked: question {i}" for i in range(100)]


async def test_members_without_an_async_way_do_not_block_the_loop():
    class Sync(CustomLLM):
        @property
        def metadata(self) -> LLMMetadata:
            return LLMMetadata()

        def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            time.sleep(0.3)
            return CompletionResponse(text="slowly")

        def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
            raise NotImplementedError

    class Engine(CustomQueryEngine):
        def custom_query(self, query_str: str) -> str:
            time.sleep(0.3)
            return "slowly"

    llm = BlendedLLM(members={"one": Sync(), "two": Sync()}, ranker=LONGEST)
    retriever = ResponseRetriever({"engine": Engine(), "llm": Sync()})
    async with watched_loop() as watch:
        assert (await llm.acomplete("q")).text == "slowly"
        assert len(await retriever.aretrieve("q")) == 2
    assert watch.late < 0.25


def test_metadata_are_what_all_can_do():
    members = [Talker(window=1000), Talker(window=500)]
    llm = BlendedLLM(members=members, ranker=LONGEST)
    assert list(llm.members) == ["talker", "talker #2"]
    assert llm.metadata.context_window == 500
    assert llm.metadata.is_function_calling_model
    assert not BlendedLLM(
        members=[Talker(), Talker(tools=False)]
    ).metadata.is_function_calling_model
    assert llm.metadata.model_name == "blend"
    assert (llm.class_name(), LLM in BlendedLLM.__mro__) == ("BlendedLLM", True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"members": {}}, "'members' is empty"),
        ({"members": {"a": "gpt"}}, "member 'a' must be an LLM, got str"),
        ({"members": [says("a")], "min_answers": 2}, "'min_answers' is 2 of only 1"),
        ({"members": [says("a")], "top_k": 0}, "greater than or equal to 1"),
        ({"members": [says("a")], "ranker": "mini"}, "'ranker' must be a Ranker or None, got str"),
        ({"members": [says("a")], "fuser": "gpt"}, "fuser must be a Fuser or None, got str"),
    ],
)
def test_settings_are_checked(settings, words):
    with pytest.raises((ValidationError, InputError), match=words):
        BlendedLLM(**settings)


@pytest.mark.parametrize("called", CHATS)
async def test_members_calls_hang_under_the_blends(called):
    handler = SimpleSpanHandler()
    root = get_dispatcher()
    before = list(root.span_handlers)
    root.add_span_handler(handler)
    try:
        await called(blended("a", "bb"))
    finally:
        root.span_handlers = before
    by_id = {span.id_: span for span in handler.completed_spans}
    inner = [s for s in by_id.values() if s.id_.startswith("Talker.")]
    assert len(inner) == 2
    if called in (chat, achat):
        assert {s.parent_id.split("-")[0] for s in inner} == {f"BlendedLLM.{called.__name__}"}


# Tools and agents


def lookup(question: str) -> str:
    """Look something up."""
    return f"in 1874 for {question}"


@AGENTS
@pytest.mark.parametrize("streaming", [True, False])
async def test_a_function_agent_runs_on_a_blend(streaming):
    llm = BlendedLLM(
        members={"one": Talker(), "two": says("It is done, and well done.")},
        ranker=LONGEST,
        fuser=ScriptedFuser("never for calls"),
    )
    agent = FunctionAgent(tools=[lookup], llm=llm, streaming=streaming)
    result = await agent.run("Look up x.")
    assert result.tool_calls[0].tool_output.content == "in 1874 for Look up x."
    assert result.response.content == "You asked: in 1874 for Look up x."


def test_a_member_that_cannot_call_tools_costs_its_answer():
    llm = BlendedLLM(members={"able": Talker(), "plain": MockLLM()}, ranker=LONGEST)
    tool = FunctionTool.from_defaults(lookup)
    response = llm.chat_with_tools([tool], user_msg="Look up x.")
    [call] = llm.get_tool_calls_from_response(response)
    assert (call.tool_name, call.tool_kwargs) == ("lookup", {"question": "Look up x."})
    told = response.additional_kwargs["blend"]
    assert "cannot call tools" in told["failures"]["plain"]
    assert told["verdict"]["reason"] == "not asked to fuse"
    with pytest.raises(ValueError, match="calls no tool"):
        llm.get_tool_calls_from_response(llm.chat(MESSAGES))


@AGENTS
async def test_agents_use_the_tool_that_picks():
    picker = PickBestAnswer(LONGEST)
    assert isinstance(picker, FunctionTool)
    assert picker(question="q", answers=["a", "bb"]).content == "bb"
    assert (await picker.acall(question="q", answers=["a", "bb"])).content == "bb"
    asked = {"question": "q", "answers": ["a", "bb"]}
    said = iter(
        [
            f"Thought: pick\nAction: pick_best_answer\nAction Input: {json.dumps(asked)}",
            "Thought: I can answer without using any more tools.\nAnswer: It is bb.",
        ]
    )
    react = ReActAgent(tools=[picker], llm=Talker(says=lambda _: next(said)), streaming=False)
    result = await react.run("Which?")
    assert result.tool_calls[0].tool_output.content == "bb"
    assert str(result) == "It is bb."
    with pytest.raises(ValidationError, match="at least 1 item"):
        picker(question="q", answers=[])


# Judges


PAIR = Pair("q", "first", "second")


@pytest.mark.parametrize(("reply", "logit"), [("A", 1.0), ("B.", -1.0), ("Neither", np.nan)])
async def test_an_llm_judges_by_letters(reply, logit):
    comparator = LLMComparator(says(reply), structured=False)
    expected = np.array([logit], np.float32)
    np.testing.assert_array_equal(comparator.logits([PAIR]), expected)
    np.testing.assert_array_equal(await comparator.alogits([PAIR]), expected)


async def test_log_probabilities_are_used_where_both_letters_have_one():
    class Sure(Talker):
        def _answer(self, messages, kwargs):
            response = super()._answer(messages, kwargs)
            response.logprobs = [[LogProb(token="A", logprob=-0.5), LogProb(token="B", logprob=-2)]]
            return response

    comparator = LLMComparator(Sure(says=lambda _: "A"), structured=False)
    assert comparator.logits([PAIR]).tolist() == [1.5]
    assert (await comparator.alogits([PAIR])).tolist() == [1.5]


async def test_a_real_client_judges_with_objects(port):
    comparator = LLMComparator(client(port, "judge-object", is_function_calling_model=True))
    ranking = await PairRanker(comparator).arank("q", ["a", "ccc", "bb"])
    assert ranking.order == (1, 2, 0)
    assert PairRanker(comparator).rank("q", ["a", "ccc", "bb"]).order == (1, 2, 0)


def test_a_failed_judgement_is_a_hole(caplog):
    ranker = PairRanker(LLMComparator(Talker(error=RuntimeError("away")), structured=False))
    ranking = ranker.rank("q", ["a", "b"])
    assert np.isnan(ranking.matrix[0, 1])
    assert "2 of 2 judgements failed, the first: RuntimeError: away" in caplog.text


def test_what_is_no_llm_or_prompt_is_refused():
    with pytest.raises(InputError, match="'llm' must be an LLM, got str"):
        LLMComparator("gpt")
    with pytest.raises(InputError, match="the prompt has no variable"):
        LLMComparator(says("A"), prompt=PromptTemplate("{question}"))


# The evaluator


@pytest.mark.parametrize(
    ("response", "second", "score", "passing"),
    [("aaa", "b", 1.0, True), ("a", "bbb", 0.0, False), ("a", "b", 0.5, None)],
)
async def test_a_response_is_evaluated_against_a_second_one(response, second, score, passing):
    evaluator = PairRankerEvaluator(LONGEST)
    assert isinstance(evaluator, BaseEvaluator)
    for found in (
        await evaluator.aevaluate(query="q", response=response, second_response=second),
        await evaluator.aevaluate(query="q", response=response, reference=second),
    ):
        assert (found.score, found.passing, found.invalid_result) == (score, passing, False)
        assert found.pairwise_source == ("neither" if passing is None else "original")


async def test_orders_that_disagree_are_a_tie_and_holes_are_invalid():
    first = PairRankerEvaluator(PairRanker(ScriptedComparator(lambda pair: 1.0)))
    found = await first.aevaluate(query="q", response="a", second_response="b")
    assert (found.score, found.passing) == (0.5, None)
    away = PairRankerEvaluator(PairRanker(ScriptedComparator(lambda pair: np.nan)))
    found = await away.aevaluate(query="q", response="a", second_response="b")
    assert found.invalid_result
    with pytest.raises(InputError, match="are needed"):
        await away.aevaluate(query="q", response="a")


def test_evaluating_without_a_loop_and_with_the_shipped_ranker():
    found = PairRankerEvaluator().evaluate(
        query="What is 2 + 2?", response="It is 4.", second_response="I do not know, sorry."
    )
    assert found.score in (0.0, 0.5, 1.0)
    assert "of these it proves nothing" in (found.feedback or "")  # it picks in blends, too


def test_recorded_answers_through_real_clients(port):
    record = json.loads(RECORDS.read_text(encoding="utf-8").splitlines()[0])
    models = [candidate["model"] for candidate in record["candidates"]][:4]
    llm = BlendedLLM(
        members={name: client(port, "fine", name) for name in models}
        | {"down": client(port, "down"), "nonsense": client(port, "nonsense")},
        ranker=LONGEST,
    )
    answer = llm.complete(record["instruction"])
    texts = {c["model"]: c["text"] for c in record["candidates"]}
    assert answer.text == max((texts[name] for name in models), key=len)
