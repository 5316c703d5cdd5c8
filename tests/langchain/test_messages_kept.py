"""Members get what the caller sent, and nothing of what they say is lost or made up."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.language_models import FakeListLLM
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from talking_models import Talker

from blender_core import ConsensusRanker, PairRanker
from blender_core.testing import ScriptedComparator
from langchain_blender import Blend, BlendedChatModel, BlendedLLM

KINDS = pytest.mark.parametrize("kind", [Blend, BlendedChatModel, BlendedLLM])
LONGEST = PairRanker(ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second))))
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
CALL = {"name": "get", "args": {}, "id": "1"}
SENT = [
    ("system", "You are a pirate."),
    HumanMessage([{"type": "text", "text": "What is it?"}, IMAGE]),
    AIMessage("", tool_calls=[CALL]),
    ToolMessage("A ship.", tool_call_id="1"),
]


def keeping(kept: list[Any], answer: AIMessage | None = None) -> RunnableLambda[Any, Any]:
    def member(messages: Any) -> AIMessage:
        kept.append(messages)
        return answer or AIMessage("Arr.")

    return RunnableLambda(member)


def giving(message: AIMessage) -> RunnableLambda[Any, Any]:
    return RunnableLambda(lambda messages: message.model_copy())


async def in_every_way(runnable: Any, question: Any) -> list[Any]:
    """What comes of all ways of calling; of the streams, the whole."""
    streamed = list(runnable.stream(question))
    streamed_async = [piece async for piece in runnable.astream(question)]
    return [
        runnable.invoke(question),
        await runnable.ainvoke(question),
        runnable.batch([question])[0],
        (await runnable.abatch([question]))[0],
        *(
            pieces[0] if len(pieces) == 1 else sum(pieces[1:], pieces[0])
            for pieces in (streamed, streamed_async)
        ),
    ]


@KINDS
async def test_members_get_the_messages_as_they_were_sent(kind):
    got: list[Any] = []
    blend = kind(members=[keeping(got)], ranker=ConsensusRanker())
    await in_every_way(ChatPromptTemplate(SENT) | blend, {})
    await in_every_way(blend, SENT)
    assert len(got) == 12
    for messages in got:
        assert [m.type for m in messages] == ["system", "human", "ai", "tool"]
        assert messages[1].content[1] == IMAGE
        assert messages[2].tool_calls[0]["name"] == "get"


@KINDS
async def test_a_text_is_a_message_of_the_user(kind):
    got: list[Any] = []
    await in_every_way(kind(members=[keeping(got)], ranker=ConsensusRanker()), "hi")
    assert got == [[HumanMessage("hi")]] * 6


@KINDS
def test_what_is_made_for_a_text_gets_a_text(kind):
    class Noting(FakeListLLM):
        prompts: list[str]

        def _call(self, prompt: str, *args: Any, **kwargs: Any) -> str:
            self.prompts.append(prompt)
            return super()._call(prompt, *args, **kwargs)

    llm = Noting(responses=["An answer."], prompts=[])
    chain = ChatPromptTemplate([("human", "Answer: {q}")]) | Talker()
    blend = kind(members={"llm": llm, "chain": chain}, ranker=LONGEST)
    assert str(getattr(blend.invoke("hi"), "text", blend.invoke("hi"))) == "You asked: Answer: hi"
    assert set(llm.prompts) == {"hi"}


def test_a_cache_tells_images_apart():
    from langchain_core.caches import InMemoryCache

    got: list[Any] = []
    blend = BlendedLLM(members=[keeping(got)], ranker=ConsensusRanker(), cache=InMemoryCache())
    for data in ("AAAA", "BBBB", "AAAA"):
        image = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}
        blend.invoke([HumanMessage([{"type": "text", "text": "What is it?"}, image])])
    assert len(got) == 2


METADATA = {
    "finish_reason": "stop",
    "logprobs": {"content": []},
    "grounding_metadata": {"sources": ["a"]},
    "citations": ["https://example.org"],
    "safety_ratings": [],
    "id": "resp_1",
}


@pytest.mark.parametrize("kind", [Blend, BlendedChatModel])
async def test_a_picked_message_keeps_what_tells_of_the_answer(kind):
    given = AIMessage(
        "It is 4.",
        additional_kwargs={"reasoning_content": "2 + 2"},
        response_metadata={**METADATA, "model_name": "m", "token_usage": {"total_tokens": 3}},
    )
    blend = kind(members=[giving(given)], ranker=ConsensusRanker())
    for answer in await in_every_way(blend, "2 + 2?"):
        metadata = dict(answer.response_metadata)
        assert metadata.pop("blend")["sources"] == ["RunnableLambda"]
        assert metadata == METADATA
        assert answer.additional_kwargs == {"reasoning_content": "2 + 2"}


@pytest.mark.parametrize("kind", [Blend, BlendedChatModel])
async def test_a_fused_message_keeps_what_tells_of_the_fused_text(kind):
    written = AIMessage("It is fo", response_metadata={"finish_reason": "length", "id": "resp_2"})
    settings = {
        "members": [giving(AIMessage("four")), giving(AIMessage("It is 4."))],
        "fuser": giving(written),
        "verify": False,
        "ranker": LONGEST,
    }
    for answer in await in_every_way(kind(**settings), "2 + 2?"):
        assert answer.text == "It is fo"
        assert answer.response_metadata["finish_reason"] == "length"
        assert answer.response_metadata["id"] == "resp_2"


@pytest.mark.parametrize("kind", [Blend, BlendedChatModel])
async def test_a_members_chunk_is_a_message(kind):
    blend = kind(members=[giving(AIMessageChunk("An answer."))], ranker=ConsensusRanker())
    assert type(blend.invoke("q")) is AIMessage
    assert type(await blend.ainvoke("q")) is AIMessage


BROKEN = {
    "name": "f",
    "args": '{"a": 1',
    "id": "1",
    "error": "no JSON",
    "type": "invalid_tool_call",
}


@pytest.mark.parametrize("kind", [Blend, BlendedChatModel])
async def test_a_malformed_call_stays_one(kind):
    blend = kind(
        members=[giving(AIMessage("", invalid_tool_calls=[BROKEN]))], ranker=ConsensusRanker()
    )
    for answer in await in_every_way(blend, "q"):
        assert answer.tool_calls == []
        assert [(one["name"], one["args"]) for one in answer.invalid_tool_calls] == [
            ("f", '{"a": 1')
        ]


async def test_a_malformed_call_never_runs_in_an_agent():
    ran: list[int] = []

    def f(a: int) -> str:
        """F."""
        ran.append(a)
        return "done"

    class Breaks(Talker):
        def _answer(self, messages: Any, stop: Any, kwargs: Any) -> AIMessage:
            return AIMessage("", invalid_tool_calls=[BROKEN])

    agent = create_agent(BlendedChatModel(members=[Breaks()], ranker=ConsensusRanker()), [f])
    question = {"messages": [("user", "call f")]}
    done = [agent.invoke(question), await agent.ainvoke(question)]
    list(agent.stream(question, stream_mode="messages"))
    [event async for event in agent.astream_events(question, version="v2")]
    assert ran == []
    for state in done:
        assert state["messages"][-1].invalid_tool_calls[0]["args"] == '{"a": 1'


def test_a_malformed_call_stands_behind_words():
    members = {
        "broken": giving(AIMessage("Let me look that up for you.", invalid_tool_calls=[BROKEN])),
        "words": giving(AIMessage("It is 4.")),
    }
    told = Blend(members=members, ranker=LONGEST).invoke("q").response_metadata["blend"]
    assert told["order"] == ["words", "broken"]
    assert told["set_aside"] == {"broken": "the arguments of 'f' cannot be read"}


@pytest.mark.parametrize(
    "message",
    [
        AIMessage("", additional_kwargs={"audio": {"id": "a", "transcript": "Hello."}}),
        AIMessage("", additional_kwargs={"function_call": {"name": "f", "arguments": "{}"}}),
        AIMessage("", additional_kwargs={"refusal": "I won't."}),
        AIMessage([{"type": "reasoning", "reasoning": "Hm."}]),
        AIMessage([{"type": "image", "base64": "aa", "mime_type": "image/png"}]),
        AIMessage([{"type": "executable_code", "language": "PYTHON", "executable_code": "1"}]),
    ],
    ids=["audio", "function_call", "refusal", "reasoning", "image", "own"],
)
@pytest.mark.parametrize("kind", [Blend, BlendedChatModel])
async def test_what_is_no_text_is_an_answer(kind, message):
    blend = kind(members=[giving(message)], ranker=ConsensusRanker())
    for answer in [blend.invoke("q"), await blend.ainvoke("q")]:
        assert answer.content == message.content
        assert answer.additional_kwargs == message.additional_kwargs


@pytest.mark.parametrize("kind", [Blend, BlendedChatModel])
def test_an_image_of_the_question_reaches_fuser_and_judge(kind):
    from langchain_blender import ChatComparator

    seen: dict[str, str] = {}

    def model(role: str, text: str) -> RunnableLambda[Any, Any]:
        def answer(messages: Any) -> AIMessage:
            seen[role] = str(messages)
            return AIMessage(text)

        return RunnableLambda(answer)

    blend = kind(
        members=[model("member", "A cat."), model("member", "A dog.")],
        ranker=PairRanker(ChatComparator(model("judge", "A"), structured=False)),
        fuser=model("fuser", "A cat or a dog."),
        verify=False,
    )
    blend.invoke(SENT[:2])
    assert {role for role, text in seen.items() if "AAAA" in text} == {"member", "judge", "fuser"}


def test_who_takes_no_images_is_told_of_them():
    comparator = ScriptedComparator(lambda pair: 0.0)
    seen: list[str] = []

    class Blind(Talker):
        def _answer(self, messages: Any, stop: Any, kwargs: Any) -> AIMessage:
            seen.append(str(messages[-1].content))
            return AIMessage("Something.")

    Blend(
        members=[giving(AIMessage("A cat.")), giving(AIMessage("A dog."))],
        ranker=PairRanker(comparator),
        fuser=Blind(profile={"image_inputs": False}),
        verify=False,
    ).invoke([SENT[1]])
    assert comparator.calls[0][0].instruction == "What is it?\n[image]"
    assert "[image]" in seen[0]
    assert "AAAA" not in seen[0]


def test_a_fuser_that_calls_a_tool_is_told_of():
    blend = Blend(
        members=[giving(AIMessage("four")), giving(AIMessage("It is 4."))],
        fuser=giving(AIMessage("", invalid_tool_calls=[BROKEN])),
        ranker=LONGEST,
    )
    verdict = blend.invoke("2 + 2?").response_metadata["blend"]["verdict"]
    assert verdict["error"] == "ValueError: called 'f' instead of writing a text"
