"""The tool, the compressor, the middleware, the judge and the fuser, as their users meet them."""

from __future__ import annotations

import asyncio
import logging
import math
from typing import Any

import numpy as np
import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ToolStrategy
from langchain_core.documents import Document
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate, PromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from pydantic import BaseModel, ValidationError
from talking_models import Talker

from blender_core import ConsensusRanker, PairRanker
from blender_core.candidates import Pair
from blender_core.errors import InputError
from blender_core.prompting.judge import Judgement
from blender_core.testing import ScriptedComparator, ScriptedFuser
from langchain_blender import (
    BlendedChatModel,
    BlendMiddleware,
    ChatComparator,
    ChatFuser,
    PairRankerCompressor,
    PickBestAnswer,
)


def longest(pair: Any) -> float:
    return float(len(pair.first) - len(pair.second))


LONGEST = PairRanker(ScriptedComparator(longest))


def says(text: str, **fields: Any) -> Talker:
    return Talker(says=lambda question: text, **fields)


# PickBestAnswer


@pytest.mark.parametrize("asynchronous", [True, False])
def test_the_tool_gives_the_best_answer_and_the_ranking_as_artifact(asynchronous):
    picker = PickBestAnswer(ranker=LONGEST)
    args = {"question": "q", "answers": ["a", "ccc", "bb"]}
    call = {"name": picker.name, "args": args, "id": "1", "type": "tool_call"}
    message = asyncio.run(picker.ainvoke(call)) if asynchronous else picker.invoke(call)
    assert isinstance(message, ToolMessage)
    assert message.content == "ccc"
    assert message.artifact["order"] == [1, 2, 0]
    assert message.artifact["ranks"] == [3, 1, 2]
    assert message.artifact["answers"] == args["answers"]


def test_the_tool_works_without_any_setting():
    picked = PickBestAnswer().invoke(
        {"question": "2 + 2?", "answers": ["It is 4.", "I don't know.", ""]}
    )
    assert picked == "It is 4."


@pytest.mark.parametrize("answers", [[], "[]", [1, None], None])
def test_the_tool_refuses_what_are_no_answers(answers):
    with pytest.raises(ValidationError, match="answers"):
        PickBestAnswer(ranker=LONGEST).invoke({"question": "q", "answers": answers})


def test_an_agent_uses_the_tool():
    class Agent(Talker):
        def _calls(self, messages, kwargs):
            if isinstance(messages[-1], ToolMessage):
                return []
            args = {"question": "q", "answers": ["a", "bb"]}
            return [{"name": "pick_best_answer", "args": args, "id": "1", "type": "tool_call"}]

    agent = create_agent(Agent(), tools=[PickBestAnswer(ranker=LONGEST)])
    messages = agent.invoke({"messages": [HumanMessage("Pick.")]})["messages"]
    assert messages[-1].text == "You asked: bb"


# PairRankerCompressor

DOCUMENTS = [Document("a", metadata={"page": 1}, id="x"), Document("ccc"), Document("bb")]


@pytest.mark.parametrize("asynchronous", [True, False])
@pytest.mark.parametrize("schedule", [None, "full", "active", "bubble", "knockout"])
def test_documents_come_back_best_first_as_new_ones(asynchronous, schedule):
    compressor = PairRankerCompressor(ranker=LONGEST, top_n=2, schedule=schedule)
    if asynchronous:
        found = asyncio.run(compressor.acompress_documents(DOCUMENTS, "q"))
    else:
        found = compressor.compress_documents(DOCUMENTS, "q")
    assert found[0].page_content == "ccc"
    assert found[0].metadata["blend_rank"] == 1
    assert len(found) == 2
    assert all(type(document.metadata["blend_score"]) is float for document in found)
    assert DOCUMENTS[0].metadata == {"page": 1}
    assert not DOCUMENTS[1].metadata


def test_all_documents_keep_what_they_had():
    found = PairRankerCompressor(ranker=LONGEST, top_n=None).compress_documents(DOCUMENTS, "q")
    assert [document.page_content for document in found] == ["ccc", "bb", "a"]
    assert (found[2].metadata["page"], found[2].id) == (1, "x")
    assert [document.metadata["blend_rank"] for document in found] == [1, 2, 3]


def test_few_comparisons_of_a_long_list():
    comparator = ScriptedComparator(longest)
    documents = [Document("w" * place) for place in range(40)]
    compressor = PairRankerCompressor(ranker=PairRanker(comparator), top_n=1, schedule="knockout")
    assert compressor.compress_documents(documents, "q")[0].page_content == "w" * 39
    assert sum(map(len, comparator.calls)) < 80


@pytest.mark.parametrize("documents", [[], [Document("")], [Document("same"), Document("same")]])
def test_edges_of_a_list_of_documents(documents):
    found = PairRankerCompressor(ranker=LONGEST).compress_documents(documents, "q")
    assert [d.page_content for d in found] == [d.page_content for d in documents]


def test_documents_are_ranked_by_relevance_unless_you_say_otherwise():
    answer = "Damaged goods may be sent back within 30 days of delivery."
    texts = [
        "Standard shipping takes three to five working days.",
        "Express shipping takes one to two working days and costs 9.90 euros.",
        answer,
        "International shipping takes seven to fourteen working days.",
    ]
    given = [Document(text) for text in texts]
    question = "How long do I have to return a damaged item?"
    found = PairRankerCompressor(top_n=None).compress_documents(given, question)
    assert found[0].page_content == answer
    scores = [document.metadata["blend_score"] for document in found]
    assert 1.0 > scores[0] > 0.4 > scores[1] > 0.0
    [alone] = PairRankerCompressor().compress_documents([Document(answer)], question)
    assert alone.metadata["blend_score"] == pytest.approx(scores[0], abs=1e-5)
    [first] = PairRankerCompressor(ranker=LONGEST, top_n=1).compress_documents(given, question)
    assert first.page_content == texts[1]


@pytest.mark.parametrize("asynchronous", [True, False])
def test_what_a_document_says_of_itself_is_never_written_over(asynchronous):
    own = {"score": 0.47, "rank": 3, "relevance_score": 0.2}
    compressor = PairRankerCompressor(ranker=LONGEST)
    given = [Document("cats", metadata=own), Document("dogs", metadata=own)]
    if asynchronous:
        found = asyncio.run(compressor.acompress_documents(given, "Who barks?"))
    else:
        found = compressor.compress_documents(given, "Who barks?")
    assert all(own.items() <= document.metadata.items() for document in found)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"schedule": "fastest"}, "unknown schedule 'fastest'"),
        ({"schedule": "full", "ranker": ConsensusRanker()}, "a ConsensusRanker has none"),
        ({"top_n": 0}, "greater than or equal to 1"),
        ({"ranker": "mini"}, "instance of Ranker"),
    ],
)
def test_settings_of_the_compressor_are_checked(settings, words):
    with pytest.raises(ValidationError, match=words):
        PairRankerCompressor(**settings)


# BlendMiddleware


@tool
def magic(number: int) -> int:
    """Do magic to a number."""
    return number + 2


class Verdict(BaseModel):
    """The final word."""

    word: str


@pytest.mark.parametrize("asynchronous", [True, False])
def test_an_agents_model_calls_are_answered_by_the_blend(asynchronous):
    own = Talker()
    members = {"one": Talker(), "two": says("It is five, and here is why.")}
    agent = create_agent(
        own, tools=[magic], middleware=[BlendMiddleware(members=members, ranker=LONGEST)]
    )
    given = {"messages": [HumanMessage("What is magic of 3?")]}
    done = asyncio.run(agent.ainvoke(given)) if asynchronous else agent.invoke(given)
    kinds = [message.type for message in done["messages"]]
    assert kinds == ["human", "ai", "tool", "ai"]
    assert done["messages"][2].content == "5"
    assert done["messages"][-1].text == "It is five, and here is why."
    assert sorted(done["messages"][-1].response_metadata["blend"]["order"]) == ["one", "two"]
    assert own.asked == []


@pytest.mark.parametrize("response_format", [Verdict, ToolStrategy(Verdict)])
def test_structured_output_of_an_agent_is_intact(response_format):
    middleware = BlendMiddleware(members=[says("yes"), says("no")], ranker=LONGEST)
    agent = create_agent(
        Talker(), tools=[], middleware=[middleware], response_format=response_format
    )
    done = agent.invoke({"messages": [HumanMessage("So?")]})
    assert done["structured_response"] == Verdict(word="yes")


# ChatComparator


def structured_judge(better: str, **fields: Any) -> Any:
    class Judge(Talker):
        def _answer(self, messages, stop, kwargs):
            self.asked.append(str(messages[-1].text))
            args = {"better": better, **fields}
            return AIMessage("", tool_calls=[{"name": "Judgement", "args": args, "id": "1"}])

    return Judge()


PAIR = Pair("q", "first", "second")


@pytest.mark.parametrize(
    ("better", "fields", "logit"),
    [
        ("A", {"confidence": 0.9}, math.log(9)),
        ("B", {"confidence": 0.9}, -math.log(9)),
        ("A", {}, math.log(3)),
        ("tie", {"confidence": 1.0}, 0.0),
        ("A", {"confidence": 1.0}, math.log(99)),
        ("C", {}, math.nan),
        ("A", {"confidence": 7}, math.nan),
    ],
)
async def test_a_structured_verdict_is_a_logit(better, fields, logit):
    comparator = ChatComparator(structured_judge(better, **fields))
    expected = np.array([logit], np.float32)
    np.testing.assert_array_equal(comparator.logits([PAIR]), expected)
    np.testing.assert_array_equal(await comparator.alogits([PAIR]), expected)


async def test_both_orders_are_asked_each_as_itself():
    judge = structured_judge("A", confidence=0.9)
    ranking = PairRanker(ChatComparator(judge)).rank("q", ["one", "two"])
    # At the same time, so in whatever order.
    orders = [prompt.index("one") < prompt.index("two") for prompt in judge.asked]
    assert sorted(orders) == [False, True]
    assert ranking.scores[0] == ranking.scores[1]  # it always says A: a tie, and no coin flip


@pytest.mark.parametrize("asynchronous", [True, False])
def test_failed_judgements_are_holes_and_the_rest_decides(asynchronous, caplog):
    def judge(messages: Any) -> AIMessage:
        prompt = str(messages[-1].text)
        if "broken" in prompt:
            raise RuntimeError("the judge is tired")
        return AIMessage("A" if prompt.index("good") < prompt.index("bad") else "B")

    ranker = PairRanker(ChatComparator(RunnableLambda(judge), structured=False))
    answers = ["bad", "broken", "good"]
    with caplog.at_level(logging.WARNING):
        if asynchronous:
            ranking = asyncio.run(ranker.arank("q", answers))
        else:
            ranking = ranker.rank("q", answers)
    assert ranking.order.index(2) < ranking.order.index(0)
    assert np.isnan(ranking.matrix[0, 1])
    assert not np.isnan(ranking.matrix[0, 2])
    assert "4 of 6 judgements failed, the first: RuntimeError: the judge is tired" in caplog.text


async def test_a_slow_judgement_is_a_hole():
    comparator = ChatComparator(Talker(seconds=5.0), structured=False, timeout=0.05)
    assert np.isnan(comparator.logits([PAIR])).all()
    assert np.isnan(await comparator.alogits([PAIR])).all()


async def test_judgements_are_asked_for_in_bounded_number():
    running, most = 0, 0

    async def judge(_: Any) -> AIMessage:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.005)
        running -= 1
        return AIMessage("A")

    comparator = ChatComparator(RunnableLambda(judge), structured=False, max_concurrency=3)
    await comparator.alogits([Pair("q", str(i), "x") for i in range(20)])
    assert most == 3


@pytest.mark.parametrize(
    ("content", "logit"),
    [
        ([{"token": "A", "logprob": -0.1}, {"token": "B", "logprob": -2.1}], 2.0),
        ([{"token": " b", "logprob": -0.1}, {"token": "A", "logprob": -2.1}], -2.0),
        ([{"token": "B", "logprob": -0.1}, {"token": "x", "logprob": -9.0}], -1.0),
    ],
)
def test_log_probabilities_are_used_where_both_letters_have_one(content, logit):
    letter = content[0]["token"].strip().upper()
    metadata = {"logprobs": {"content": [{**content[0], "top_logprobs": content}]}}
    judge = RunnableLambda(lambda _: AIMessage(letter, response_metadata=metadata))
    [found] = ChatComparator(judge, structured=False).logits([PAIR])
    assert found == pytest.approx(logit)


def test_a_judge_without_structured_output_is_refused_at_once():
    for judge in (FakeListChatModel(responses=["A"]), RunnableLambda(lambda _: "A")):
        with pytest.raises(InputError, match="structured=False"):
            ChatComparator(judge)


def test_nothing_to_judge_asks_nobody():
    judge = says("A")
    assert ChatComparator(judge, structured=False).logits([]).shape == (0,)
    assert judge.asked == []


@pytest.mark.parametrize(("confidence", "logit"), [(0.5, 0.0), (0.75, math.log(3))])
def test_a_judgements_logit(confidence, logit):
    assert Judgement(better="A", confidence=confidence).logit() == pytest.approx(logit)
    assert Judgement(better="B", confidence=confidence).logit() == pytest.approx(-logit)


# Prompts


@pytest.mark.parametrize(
    "make", [ChatFuser, lambda m, **p: ChatComparator(m, structured=False, **p)]
)
def test_prompts_that_cannot_be_filled_are_refused(make):
    model = says("A")
    with pytest.raises(InputError, match="the prompt has no variable"):
        make(model, prompt=ChatPromptTemplate.from_template("{question}"))
    with pytest.raises(InputError, match="must be a prompt template, got str"):
        make(model, prompt="{question} {answers}")
    template = "{question} {answers} {first} {second} {nonsense}"
    with pytest.raises(InputError, match="the prompt asks for"):
        make(model, prompt=ChatPromptTemplate.from_template(template))


def test_prompts_can_be_replaced():
    model = says("fused")
    prompt = PromptTemplate.from_template("Mix {answers} for {question}")
    assert ChatFuser(model, prompt=prompt).fuse("What?", ["a", "b"]) == "fused"
    assert model.asked[0].startswith("Mix <answer-1-")
    judge = says("B")
    prompt = PromptTemplate.from_template("{first} or {second}, {question}")
    comparator = ChatComparator(judge, structured=False, prompt=prompt)
    assert comparator.logits([PAIR]).tolist() == [-1.0]
    assert judge.asked[0].startswith("<answer-A-")


# ChatFuser


async def test_a_chat_model_fuses_in_every_way():
    fuser = ChatFuser(says("one two three"))
    assert fuser.fuse("q", ["a", "b"]) == "one two three"
    assert await fuser.afuse("q", ["a", "b"]) == "one two three"
    assert list(fuser.stream("q", ["a", "b"])) == ["one ", "two ", "three"]
    assert [p async for p in fuser.astream("q", ["a", "b"])] == ["one ", "two ", "three"]


def test_a_fuser_may_be_another_blend():
    inner = BlendedChatModel(members=[says("a"), says("from both")], ranker=LONGEST)
    model = BlendedChatModel(
        members=[says("a"), says("b")], ranker=LONGEST, fuser=inner, verify=True
    )
    assert model.invoke("q").text == "from both"


def test_a_fuser_of_the_core_serves_as_well():
    model = BlendedChatModel(
        members=[says("a"), says("b")], ranker=LONGEST, fuser=ScriptedFuser("scripted")
    )
    assert model.invoke("q").text == "scripted"


@pytest.mark.parametrize(
    "answers",
    [
        ["5", "It is 4", "4, it is"],
        '["5", "It is 4", "4, it is"]',
        {"1": "5", "2": "It is 4", "3": "4, it is"},
        '{"1": "5", "2": "It is 4", "3": "4, it is"}',
        [{"answer": "5"}, {"text": "It is 4"}, {"content": "4, it is"}],
        {"answers": ["5", "It is 4", "4, it is"]},
        [5, "It is 4", "4, it is"],
    ],
    ids=["list", "text", "numbered", "numbered text", "objects", "nested", "number"],
)
async def test_answers_are_read_as_models_write_them(answers):
    tool = PickBestAnswer(ranker=ConsensusRanker())
    call = {"name": tool.name, "args": {"question": "2 + 2?", "answers": answers}, "id": "1"}
    for message in (
        tool.invoke({**call, "type": "tool_call"}),
        await tool.ainvoke({**call, "type": "tool_call"}),
    ):
        assert message.content == "It is 4"
        assert message.artifact["answers"] == ["5", "It is 4", "4, it is"]


def test_one_answer_is_the_best():
    tool = PickBestAnswer(ranker=ConsensusRanker())
    assert tool.invoke({"question": "2 + 2?", "answers": "It is [4]"}) == "It is [4]"
