"""Which tool call wins: one that can be carried out, and that most members made."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.tools import InjectedToolArg, StructuredTool, tool
from pydantic import BaseModel, Field
from talking_models import Talker

from blender_core import PairRanker
from blender_core.testing import ScriptedComparator
from langchain_blender import Blend, BlendedChatModel, BlendedLLM

LONGEST = PairRanker(ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second))))
REFUSAL = "I'm sorry, but I can't help with that. I have no access to any weather data at all."
PROSE = "It is sunny in Rome, with 24 degrees and hardly any wind; the night will be mild."


class Said(Talker):
    """Gives one message, whatever it is asked."""

    message: AIMessage

    def _answer(self, messages: Any, stop: Any, kwargs: Any) -> AIMessage:
        return self.message.model_copy()


def call(name: str = "get_weather", /, text: str = "", **args: Any) -> Said:
    return Said(message=AIMessage(text, tool_calls=[{"name": name, "args": args, "id": "1"}]))


def words(text: str) -> Said:
    return Said(message=AIMessage(text))


def get_weather(city: str, days: int = 1, key: Annotated[str, InjectedToolArg] = "") -> str:
    """The weather in a city."""
    return f"{city} {days} {key}"


class GetWeather(BaseModel):
    """The weather in a city."""

    city: str = Field(min_length=2)
    days: int = 1


BY_SCHEMA = {
    "title": "get_weather",
    "description": "The weather in a city.",
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
OF_MCP = StructuredTool(
    name="get_weather", description="The weather.", args_schema=BY_SCHEMA, func=get_weather
)
TOOLS = {
    "function": get_weather,
    "decorated": tool(get_weather),
    "class": GetWeather,
    "openai": {"type": "function", "function": {"name": "get_weather", "parameters": BY_SCHEMA}},
    "schema": BY_SCHEMA,
    "mcp": OF_MCP,
}
KINDS = pytest.mark.parametrize("kind", TOOLS)


def name_of(kind: str) -> str:
    return "GetWeather" if kind == "class" else "get_weather"


async def in_every_way(members: dict[str, Any], tools: list[Any], **settings: Any) -> AIMessage:
    """The message, which is the same in all ways of calling."""
    settings.setdefault("ranker", LONGEST)
    model = BlendedChatModel(members=members, **settings).bind_tools(tools)
    message = model.invoke("What is the weather in Rome?")
    streamed = list(model.stream("What is the weather in Rome?"))
    whole = streamed[0]
    for chunk in streamed[1:]:
        whole += chunk
    others = [
        await model.ainvoke("What is the weather in Rome?"),
        whole,
        *[chunk async for chunk in model.astream("What is the weather in Rome?")][-1:],
    ]
    for other in others:
        assert other.tool_calls == message.tool_calls
        told = other.response_metadata["blend"]
        assert told["order"] == message.response_metadata["blend"]["order"]
    return message


@KINDS
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (call("multi_tool_use.parallel", uses=["get_weather"], text=PROSE), "there is no tool"),
        (call(location="Rome, in the middle of Italy"), "do not fit: "),
        (words(REFUSAL), "answers nothing"),
        (
            Said(
                message=AIMessage(
                    PROSE,
                    invalid_tool_calls=[
                        {"name": "get_weather", "args": "{", "id": "1", "error": None}
                    ],
                )
            ),
            "cannot be read",
        ),
    ],
    ids=["unknown", "misfit", "refusal", "unreadable"],
)
async def test_a_call_that_fits_stands_before_what_does_not(kind, wrong, why):
    if wrong.message.tool_calls and wrong.message.tool_calls[0]["name"] == "get_weather":
        wrong = call(name_of(kind), **wrong.message.tool_calls[0]["args"])
    members = {"wrong": wrong, "right": call(name_of(kind), city="Rome")}
    message = await in_every_way(members, [TOOLS[kind]])
    assert message.tool_calls[0]["args"] == {"city": "Rome"}
    told = message.response_metadata["blend"]
    assert told["order"] == ["right", "wrong"]
    assert told["sources"] == ["right"]
    assert why in told["set_aside"]["wrong"]


@pytest.mark.parametrize("kind", ["function", "decorated", "class"])
def test_arguments_are_validated_in_full(kind):
    for args, fits in (
        ({"city": "Rome", "days": 3}, True),
        ({"city": "Rome", "days": "3"}, True),  # as the tool itself takes it
        ({"city": "Rome", "days": "some of the next ones"}, False),
        ({"city": "R"}, kind != "class"),
    ):
        members = {"a": call(name_of(kind), **args), "b": call(name_of(kind), city="Oslo")}
        model = BlendedChatModel(members=members, ranker=LONGEST).bind_tools([TOOLS[kind]])
        told = model.invoke("q").response_metadata["blend"]
        assert ("a" not in told.get("set_aside", {})) == fits, args


def test_an_answer_in_words_stands_beside_calls():
    members = {"call": call(city="Rome"), "words": words(PROSE)}
    model = BlendedChatModel(members=members, ranker=LONGEST).bind_tools([get_weather])
    message = model.invoke("q")
    assert message.text == PROSE
    assert "set_aside" not in message.response_metadata["blend"]


def test_where_nothing_fits_all_stand():
    members = {"refusal": words(REFUSAL), "wrong": call(location="Rome")}
    model = BlendedChatModel(members=members, ranker=LONGEST).bind_tools([get_weather])
    message = model.invoke("q")
    assert message.text == REFUSAL
    assert message.response_metadata["blend"]["order"] == ["refusal", "wrong"]


def test_a_providers_own_tool_may_be_called_by_any_name():
    members = {"a": call("search_results", q="Rome, the capital of Italy"), "b": call(city="Rome")}
    own = {"type": "web_search_preview"}
    model = BlendedChatModel(members=members, ranker=LONGEST).bind_tools([get_weather, own])
    assert model.invoke("q").tool_calls[0]["name"] == "search_results"


async def test_equal_calls_are_votes():
    members = {
        "long": call(city="Roma, the capital of Italy"),
        "one": call(city="Rome", days=2),
        "two": call(days=2, city="Rome", text="I look it up."),
    }
    message = await in_every_way(members, [get_weather])
    assert message.tool_calls[0]["args"] == {"city": "Rome", "days": 2}
    told = message.response_metadata["blend"]
    assert told["votes"] == {"long": 1, "one": 2}
    assert told["order"] == ["one", "two", "long"]
    # Between as many votes, the ranker decides.
    members["long too"] = members["long"]
    message = await in_every_way(members, [get_weather])
    assert message.tool_calls[0]["args"] == {"city": "Roma, the capital of Italy"}


async def test_several_calls_are_equal_in_any_order():
    rome, oslo = (
        {"name": "get_weather", "args": {"city": city}, "id": city} for city in ("Rome", "Oslo")
    )
    members = {
        "a": Said(message=AIMessage("", tool_calls=[rome, oslo])),
        "b": Said(message=AIMessage("", tool_calls=[oslo, rome])),
        "c": call(city="Rome, Oslo, and whatever else there is in the whole of Europe to see"),
    }
    message = await in_every_way(members, [get_weather])
    assert [one["args"]["city"] for one in message.tool_calls] == ["Rome", "Oslo"]


# A fused text that answers nothing


@pytest.mark.parametrize("verify", [True, False])
async def test_a_fuser_that_refuses_costs_the_fusing(verify):
    settings = {
        "members": {"a": words("It opened in 1874."), "b": words("The bridge opened in 1874.")},
        "fuser": words(REFUSAL),
        "ranker": LONGEST,
        "verify": verify,
    }
    for model in (Blend(**settings), BlendedChatModel(**settings)):
        messages = [model.invoke("When?"), await model.ainvoke("When?")]
        messages += [list(model.stream("When?"))[-1]]
        for message in messages:
            told = message.response_metadata["blend"]
            assert told["verdict"]["reason"] == "fused text answers nothing"
            assert (told["fused"], told["sources"]) == (False, ["b"])
        assert messages[0].text == "The bridge opened in 1874."
        assert "".join(chunk.text for chunk in model.stream("When?")) == messages[0].text
    assert BlendedLLM(**settings).invoke("When?") == "The bridge opened in 1874."


# Words beside calls


@pytest.mark.parametrize("choice", ["any", "required", "get_weather"])
async def test_words_stand_behind_a_call_that_has_to_be_made(choice):
    members = {"words": words(PROSE), "call": call(city="Rome")}
    model = BlendedChatModel(members=members, ranker=LONGEST)
    bound = model.bind_tools([get_weather], tool_choice=choice)
    for message in (bound.invoke("q"), await bound.ainvoke("q")):
        assert message.tool_calls
        assert message.response_metadata["blend"]["set_aside"] == {
            "words": "calls no tool, though it has to"
        }


def test_words_stand_behind_where_most_call():
    members = {"words": words(PROSE), "a": call(city="Rome"), "b": call(city="Roma")}
    model = BlendedChatModel(members=members, ranker=LONGEST).bind_tools([get_weather])
    message = model.invoke("q")
    assert message.tool_calls
    assert message.response_metadata["blend"]["order"][-1] == "words"


@pytest.mark.parametrize(
    "text",
    [
        "I can't access real-time weather data, but Rome is usually warm and sunny at this time.",
        "I'm unable to check the current weather. You could look at a site such as weather.com.",
        "As a language model I don't have access to live data. In general Rome has mild winters.",
        "I'm sorry, but I cannot help with that request, as it is beyond what I can do here.",
    ],
)
def test_who_says_that_it_cannot_stands_behind_who_calls(text):
    members = {"cannot": words(text), "call": call(city="Rome")}
    model = BlendedChatModel(members=members, ranker=LONGEST).bind_tools([get_weather])
    assert model.invoke("q").tool_calls
