"""What a call wants of its answer's form holds for a fused text, too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.structured_output import ProviderStrategy
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import RunnableLambda
from langchain_core.utils.function_calling import convert_to_openai_tool
from pydantic import BaseModel, Field
from talking_models import Talker

from blender_core import ConsensusRanker, PairRanker
from blender_core.errors import InputError
from blender_core.testing import ScriptedComparator, ScriptedFuser
from langchain_blender import Blend, BlendedChatModel

LONGEST = PairRanker(ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second))))


class Obeying(BaseChatModel):
    """Gives its text as it is asked to, and remembers what it was asked."""

    text: str
    asked: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "obeying"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=[convert_to_openai_tool(tool) for tool in tools], **kwargs)

    def with_structured_output(self, schema: Any = None, **kwargs: Any) -> Any:
        if kwargs.get("method") not in ("json_schema", "json_mode"):
            return super().with_structured_output(schema, **kwargs)
        strict = {"strict": kwargs["strict"]} if "strict" in kwargs else {}
        return self.bind(response_format={"type": kwargs["method"]}, **strict) | RunnableLambda(str)

    def _generate(
        self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> ChatResult:
        self.asked.append({**kwargs, **({"stop": stop} if stop else {})})
        text = self.text
        if kwargs.get("response_format"):
            text = json.dumps({"value": text})
        for word in stop or []:
            text = text.partition(word)[0]
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])


def blended(kind: Any = BlendedChatModel, **settings: Any) -> Any:
    return kind(
        **{
            "members": [Obeying(text="four STOP a"), Obeying(text="4 STOP b")],
            "fuser": Obeying(text="It is 4. STOP and more"),
            "verify": False,
            "ranker": ConsensusRanker(),
            **settings,
        }
    )


async def texts(blend: Any, **options: Any) -> list[str]:
    """In every way of calling."""
    return [
        blend.invoke("2 + 2?", **options).text,
        (await blend.ainvoke("2 + 2?", **options)).text,
        "".join(chunk.text for chunk in blend.stream("2 + 2?", **options)),
        "".join([chunk.text async for chunk in blend.astream("2 + 2?", **options)]),
    ]


@pytest.mark.parametrize("kind", [Blend, BlendedChatModel])
@pytest.mark.parametrize("fuser", ["chat", "other"])
async def test_a_fused_text_stops_where_it_has_to(kind, fuser):
    text = "It is 4. STOP and more"
    fuser = Obeying(text=text) if fuser == "chat" else ScriptedFuser(text)
    assert set(await texts(blended(kind, fuser=fuser), stop=["STOP"])) == {"It is 4. "}


@pytest.mark.parametrize("kind", [Blend, BlendedChatModel])
async def test_a_fused_text_is_json_where_it_has_to_be(kind):
    for text in await texts(blended(kind), response_format={"type": "json_object"}):
        assert json.loads(text) == {"value": "It is 4. STOP and more"}


async def test_where_a_fuser_cannot_it_is_not_fused():
    blend = blended(fuser=ScriptedFuser("It is 4."))
    for options in ({"response_format": {"type": "json_object"}}, {"max_tokens": 5}):
        answer = blend.invoke("2 + 2?", **options)
        verdict = answer.response_metadata["blend"]["verdict"]
        assert verdict["reason"] == "fusing failed"
        assert ("is no JSON" in verdict["error"]) or ("tokens" in verdict["error"])


def test_a_limit_of_tokens_reaches_the_fuser():
    fuser = Obeying(text="It is 4.")
    blended(fuser=fuser).invoke("2 + 2?", max_tokens=5, temperature=0)
    assert fuser.asked == [{"max_tokens": 5}]


def test_an_answer_that_is_no_json_stands_behind_one_that_is():
    members = {"words": Talker(says=lambda q: "It is four, I think."), "json": Obeying(text="4")}
    blend = BlendedChatModel(members=members, ranker=LONGEST)
    told = blend.invoke("q", response_format={"type": "json_object"}).response_metadata["blend"]
    assert told["order"] == ["json", "words"]


# Structured output in a provider's own way


class Answer(BaseModel):
    """An answer."""

    value: str


@pytest.mark.parametrize("method", ["json_schema", "json_mode"])
@pytest.mark.parametrize("schema", [Answer, Answer.model_json_schema()], ids=["class", "dict"])
async def test_members_give_objects_in_their_own_way(method, schema):
    members = {name: Obeying(text=text) for name, text in (("a", "5"), ("b", "4"), ("c", "4"))}
    model = blended(members=members, ranker=LONGEST)
    structured = model.with_structured_output(schema, method=method, strict=True)
    want = Answer(value="4") if schema is Answer else {"value": "4"}
    assert structured.invoke("2 + 2?") == want
    assert await structured.ainvoke("2 + 2?") == want
    assert members["a"].asked[0] == {"response_format": {"type": method}, "strict": True}
    raw = model.with_structured_output(schema, method=method, include_raw=True).invoke("2 + 2?")
    assert raw["parsed"] == want
    assert raw["raw"].response_metadata["blend"]["votes"] == {"a": 1, "b": 2}


def test_a_provider_strategy_works_with_a_fuser():
    agent = create_agent(blended(), [], response_format=ProviderStrategy(Answer))
    state = agent.invoke({"messages": [("user", "2 + 2?")]})
    assert state["structured_response"] == Answer(value="It is 4. STOP and more")


def test_what_is_unknown_is_refused():
    model = blended()
    with pytest.raises(InputError, match="'method' must be"):
        model.with_structured_output(Answer, method="telepathy")
    with pytest.raises(InputError, match="are unknown"):
        model.with_structured_output(Answer, foo=1)
    with pytest.raises(InputError, match="gives no structured output by 'json_schema'"):
        BlendedChatModel(members={"f": RunnableLambda(str)}, ranker=LONGEST).with_structured_output(
            Answer, method="json_schema"
        )


def test_strict_reaches_the_members():
    members = [Obeying(text="4")]
    blended(members=members).with_structured_output(Answer, strict=True).invoke("q")
    assert members[0].asked[0]["strict"] is True


# Tools


def search(q: str) -> str:
    """Search."""
    return q


def test_what_the_blend_binds_stands_in_place_of_what_a_member_had_bound():
    member = Talker(says=lambda question: "4")
    for bound in (
        member.bind_tools([search]),
        member.bind_tools([search], tool_choice="search").with_config(tags=["x"]),
        member.bind_tools([search]).with_fallbacks([member.bind_tools([search])]),
    ):
        model = BlendedChatModel(members=[bound], ranker=ConsensusRanker())
        assert model.with_structured_output(Answer).invoke("2 + 2?") == Answer(value="4")
