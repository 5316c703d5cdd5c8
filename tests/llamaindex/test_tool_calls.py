"""Which answer of several LLMs or engines wins: calls that fit, answers that answer something."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage, ChatResponse, MessageRole, ToolCallBlock
from llama_index.core.query_engine import CustomQueryEngine
from llama_index.core.tools import FunctionTool
from talking_llms import Talker

from blender_core import PairRanker
from blender_core.testing import ScriptedComparator, ScriptedFuser
from llamaindex_blender import BlendedLLM, BlendedQueryEngine

LONGEST = PairRanker(ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second))))
REFUSAL = "I'm sorry, but I can't help with that. I have no access to any weather data at all."
PROSE = "It is sunny in Rome, with 24 degrees and hardly any wind; the night will be mild."


class Said(Talker):
    """Gives one message, whatever it is asked."""

    message: Any

    def _answer(self, messages: Any, kwargs: Any) -> ChatResponse:
        return ChatResponse(message=self.message.model_copy())


def call(name: str = "get_weather", /, **args: Any) -> Said:
    block = ToolCallBlock(tool_call_id="1", tool_name=name, tool_kwargs=args)
    return Said(message=ChatMessage(role=MessageRole.ASSISTANT, blocks=[block]))


def words(text: str) -> Said:
    return Said(message=ChatMessage(role=MessageRole.ASSISTANT, content=text))


def get_weather(city: str, days: int = 1) -> str:
    """The weather in a city."""
    return f"{city} {days}"


TOOLS = [FunctionTool.from_defaults(get_weather)]
ASKED = [ChatMessage(role=MessageRole.USER, content="What is the weather in Rome?")]


def sync(llm: BlendedLLM) -> ChatResponse:
    return llm.chat_with_tools(TOOLS, chat_history=ASKED)


def in_a_loop(llm: BlendedLLM) -> ChatResponse:
    return asyncio.run(llm.achat_with_tools(TOOLS, chat_history=ASKED))


def streamed(llm: BlendedLLM) -> ChatResponse:
    return list(llm.stream_chat_with_tools(TOOLS, chat_history=ASKED))[-1]


WAYS = pytest.mark.parametrize("way", [sync, in_a_loop, streamed])


def called(llm: BlendedLLM, response: ChatResponse) -> list[Any]:
    calls = llm.get_tool_calls_from_response(response, error_on_no_tool_call=False)
    return [(one.tool_name, one.tool_kwargs) for one in calls]


@WAYS
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (call("multi_tool_use.parallel", uses="get_weather"), "there is no tool"),
        (call(location="Rome, Italy"), "do not fit: 'city' is missing"),
        (call(city="Rome", country="Italy"), "there is no 'country'"),
        (call(city="Rome", days="some"), "do not fit"),
        (words(REFUSAL), "answers nothing"),
    ],
)
def test_a_call_that_fits_stands_before_what_does_not(way, wrong, why):
    llm = BlendedLLM(members={"wrong": wrong, "right": call(city="Rome")}, ranker=LONGEST)
    response = way(llm)
    assert called(llm, response) == [("get_weather", {"city": "Rome"})]
    told = response.additional_kwargs["blend"]
    assert (told["order"], told["sources"]) == (["right", "wrong"], ["right"])
    assert why in told["set_aside"]["wrong"]


@WAYS
def test_equal_calls_are_votes(way):
    members = {
        "long": call(city="Roma, the capital of Italy"),
        "one": call(city="Rome", days=2),
        "two": Said(
            message=ChatMessage(
                role=MessageRole.ASSISTANT,
                blocks=[
                    ToolCallBlock(
                        tool_name="get_weather", tool_kwargs='{"days": 2, "city": "Rome"}'
                    )
                ],
            )
        ),
    }
    llm = BlendedLLM(members=members, ranker=LONGEST)
    response = way(llm)
    assert called(llm, response) == [("get_weather", {"city": "Rome", "days": 2})]
    told = response.additional_kwargs["blend"]
    assert (told["order"], told["sources"]) == (["one", "two", "long"], ["one"])


@WAYS
def test_words_stand_beside_calls_and_all_stand_where_nothing_fits(way):
    llm = BlendedLLM(members={"call": call(city="Rome"), "words": words(PROSE)}, ranker=LONGEST)
    assert way(llm).message.content == PROSE
    llm = BlendedLLM(members={"no": words(REFUSAL), "wrong": call(town="Rome")}, ranker=LONGEST)
    response = way(llm)
    assert response.message.content == REFUSAL
    assert "set_aside" not in response.additional_kwargs["blend"]


# Answers that answer nothing


class Says(CustomQueryEngine):
    text: str

    def custom_query(self, query_str: str) -> str:
        return self.text


ANSWER = "The Lorvian bridge was opened in 1874, after six years of construction."
QUESTION = "When was the Lorvian bridge opened?"


@pytest.mark.parametrize(
    "nothing",
    [
        "The provided context does not contain information to answer this question.",
        "I don't know.",
        REFUSAL,
    ],
)
async def test_an_engine_that_found_nothing_does_not_win(nothing):
    engines = {"knows_not": Says(text=nothing), "nor_i": Says(text=nothing), "": Says(text=ANSWER)}
    engines = {name or "knows": engine for name, engine in engines.items()}
    engine = BlendedQueryEngine.from_engines(engines)
    assert str(engine.query(QUESTION)) == ANSWER
    assert str(await engine.aquery(QUESTION)) == ANSWER
    # Who gives a ranker has it decide.
    engine = BlendedQueryEngine.from_engines(engines, ranker=LONGEST)
    assert str(engine.query(QUESTION)) == max(nothing, ANSWER, key=len)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("streaming", [True, False])
def test_a_fuser_that_refuses_costs_the_fusing(verify, streaming):
    engine = BlendedQueryEngine.from_engines(
        {"a": Says(text=ANSWER), "b": Says(text="It opened in 1874.")},
        fuser=ScriptedFuser(REFUSAL),
        ranker=LONGEST,
        verify=verify,
        streaming=streaming,
    )
    response = engine.query(QUESTION)
    text = "".join(response.response_gen) if streaming else str(response)
    assert text == ANSWER
    verdict = response.metadata["blend"]["verdict"]
    assert verdict["reason"] == "fused text answers nothing"
    llm = BlendedLLM(
        members={"a": words(ANSWER), "b": words("It opened in 1874.")},
        fuser=ScriptedFuser(REFUSAL),
        ranker=LONGEST,
        verify=verify,
    )
    last = list(llm.stream_chat(ASKED))[-1] if streaming else llm.chat(ASKED)
    assert last.message.content == ANSWER
    told = last.additional_kwargs["blend"]["verdict"]
    assert told["reason"] == "fused text answers nothing"
