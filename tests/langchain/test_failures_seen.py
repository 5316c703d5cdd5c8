"""Who calls a blend catches what its members raised, and whoever watches it sees who fails."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import (
    ModelFallbackMiddleware,
    ModelRetryMiddleware,
    SummarizationMiddleware,
)
from langchain_core.exceptions import ContextOverflowError
from langchain_core.messages import HumanMessage
from pydantic import ValidationError
from talking_models import Talker

from blender_core import ConsensusRanker
from blender_core.errors import QuorumError
from langchain_blender import Blend, BlendedChatModel, BlendedLLM, BlendMiddleware, failing

KINDS = pytest.mark.parametrize("kind", [Blend, BlendedChatModel, BlendedLLM])
QUESTION = {"messages": [("user", "2 + 2?")]}


class BusyError(ConnectionError):
    """As a provider that is busy raises it."""

    status_code = 429


def busy() -> list[Talker]:
    return [Talker(model_name=name, error=BusyError("slow down")) for name in ("one", "two")]


def spare() -> Talker:
    return Talker(says=lambda question: "The spare's answer.")


@KINDS
async def test_fallbacks_see_what_all_members_raised(kind):
    blend = kind(members=busy(), ranker=ConsensusRanker())
    model = blend.with_fallbacks([spare()], exceptions_to_handle=(BusyError,))
    for answer in (model.invoke("q"), await model.ainvoke("q")):
        assert getattr(answer, "text", answer) == "The spare's answer."
    with pytest.raises(QuorumError) as caught:
        blend.invoke("q")
    assert isinstance(caught.value, BusyError)
    assert set(caught.value.failures) == {"one", "two"}


@KINDS
def test_a_retry_sees_what_all_members_raised(kind):
    members = busy()
    blend = kind(members=members, ranker=ConsensusRanker())
    retried = blend.with_retry(
        retry_if_exception_type=(BusyError,), stop_after_attempt=3, wait_exponential_jitter=False
    )
    with pytest.raises(BusyError):
        retried.invoke("q")
    assert len(members[0].asked) == 3


def test_a_retry_of_an_agent_sees_it():
    members = busy()
    retry = ModelRetryMiddleware(
        max_retries=2, retry_on=(BusyError,), initial_delay=0.0, on_failure="error"
    )
    agent = create_agent(
        BlendedChatModel(members=members, ranker=ConsensusRanker()), [], middleware=[retry]
    )
    with pytest.raises(BusyError):
        agent.invoke(QUESTION)
    assert len(members[0].asked) == 3


def test_an_agent_that_summarizes_cuts_what_is_too_long():
    class Small(Talker):
        limit: int = 12_000

        def _answer(self, messages: Any, stop: Any, kwargs: Any) -> Any:
            if sum(len(m.text) for m in messages) > self.limit:
                raise ContextOverflowError("prompt is too long")
            return super()._answer(messages, stop, kwargs)

    blend = BlendedChatModel(members=[Small(), Small()], ranker=ConsensusRanker())
    summarizing = SummarizationMiddleware(
        blend, trigger=("messages", 20), keep=("messages", 2), trim_tokens_to_summarize=None
    )
    agent = create_agent(Talker(), [], middleware=[summarizing])
    history = [HumanMessage(f"{i} " + "blah " * 100) for i in range(30)]
    assert len(agent.invoke({"messages": history})["messages"]) < 10


@pytest.mark.parametrize("blend_first", [True, False])
async def test_a_fallback_works_on_both_sides_of_a_blend(blend_first):
    fallback = ModelFallbackMiddleware(spare())
    blend = BlendMiddleware(members=busy(), ranker=ConsensusRanker())
    middleware = [blend, fallback] if blend_first else [fallback, blend]
    agent = create_agent(Talker(), [], middleware=middleware)
    for state in (agent.invoke(QUESTION), await agent.ainvoke(QUESTION), agent.invoke(QUESTION)):
        assert state["messages"][-1].text == "The spare's answer."
    assert len(blend.model.members["one"].asked) == 3


@KINDS
def test_a_member_that_fails_is_told_once(kind, caplog, monkeypatch):
    monkeypatch.setattr(failing, "_told", {})
    members = {"bad": Talker(error=BusyError("slow down")), "good": spare()}
    blend = kind(members=members, ranker=ConsensusRanker())
    with caplog.at_level(logging.WARNING, logger="langchain_blender"):
        for _ in range(3):
            blend.invoke("q")
        members["bad"].error = TimeoutError("late")
        blend.invoke("q")
    assert [record.getMessage() for record in caplog.records] == [
        "member 'bad' has no answer: BusyError: slow down",
        "member 'bad' has no answer: TimeoutError: late",
    ]


def test_an_llm_tells_how_its_answer_came_about():
    blend = BlendedLLM(members=[spare(), *busy()], ranker=ConsensusRanker())
    result = blend.generate(["q"])
    assert set(result.llm_output["blend"]["failures"]) == {"one", "two"}
    assert result.generations[0][0].generation_info["blend"]["order"] == ["talker"]


# Settings that nobody knows


@KINDS
@pytest.mark.parametrize("word", ["foo", "seed", "model_kwargs"])
def test_unknown_settings_are_refused(kind, word):
    with pytest.raises(ValidationError, match=f"unknown setting '{word}': set it on the members"):
        kind(members=[spare()], **{word: 1})


def test_what_every_chat_model_is_given_is_warned_of():
    with pytest.warns(UserWarning, match="ignores it: unknown setting 'temperature'"):
        BlendedChatModel(members=[spare()], temperature=0)
    for kind in (Blend, BlendedLLM):
        with pytest.raises(ValidationError, match="unknown setting 'temperature'"):
            kind(members=[spare()], temperature=0)
