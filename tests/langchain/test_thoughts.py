"""What a model thinks before it answers is not its answer."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda
from talking_models import Talker

from blender_core import ConsensusRanker, PairRanker
from blender_core.candidates import Pair
from blender_core.testing import ScriptedComparator
from langchain_blender import Blend, BlendedChatModel, BlendedLLM, ChatComparator, ChatFuser

KINDS = pytest.mark.parametrize("kind", [Blend, BlendedChatModel, BlendedLLM])
THOUGHT = "<think>\nTwo and two. I am sure that it is four, and nothing else.\n</think>\n\n"


FUSED = "It is four, as two and two have always been in arithmetic, wherever one counts them."


def giving(message: AIMessage | str) -> RunnableLambda[Any, Any]:
    return RunnableLambda(lambda messages: message)


def text_of(answer: Any) -> str:
    return answer if isinstance(answer, str) else str(answer.text)


FORMS = {
    "tag": AIMessage(THOUGHT + "4"),
    "closing tag": AIMessage("Two and two.\n</think>\n\n4"),
    "block": AIMessage([{"type": "reasoning", "reasoning": "Two."}, {"type": "text", "text": "4"}]),
    "anthropic": AIMessage(
        [{"type": "thinking", "thinking": "Two.", "signature": "s"}, {"type": "text", "text": "4"}]
    ),
    "deepseek": AIMessage("4", additional_kwargs={"reasoning_content": "Two and two."}),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [Blend, BlendedChatModel])
def test_rankers_and_fusers_do_not_see_thoughts_and_messages_keep_them(kind, form):
    comparator = ScriptedComparator(lambda pair: 0.0)
    asked: list[str] = []

    def fuser(messages: Any) -> AIMessage:
        asked.append(str(messages[-1].content))
        return AIMessage("")

    members = {"thinks": giving(FORMS[form]), "other": giving("It is 5.")}
    settings = {"members": members, "ranker": PairRanker(comparator)}
    answer = kind(**settings, fuser=RunnableLambda(fuser)).invoke("2 + 2?")
    assert {pair.first for call in comparator.calls for pair in call} == {"4", "It is 5."}
    assert "Two" not in asked[0]
    assert answer.content == FORMS[form].content
    assert answer.additional_kwargs == FORMS[form].additional_kwargs
    plain = kind(**settings, keep_thoughts=False).invoke("2 + 2?")
    assert plain.text == "4"
    assert "Two" not in str((plain.content, plain.additional_kwargs))


@pytest.mark.parametrize("how", ["invoke", "ainvoke", "stream", "astream"])
@KINDS
async def test_a_fused_text_has_none(kind, how):
    blend = kind(
        members=[giving("four"), giving("It is 4.")],
        ranker=ConsensusRanker(),
        fuser=Talker(says=lambda question: THOUGHT + FUSED),
        verify=False,
    )
    if how == "stream":
        pieces = list(blend.stream("2 + 2?"))
    elif how == "astream":
        pieces = [piece async for piece in blend.astream("2 + 2?")]
    else:
        pieces = [blend.invoke("2 + 2?") if how == "invoke" else await blend.ainvoke("2 + 2?")]
    assert "".join(map(text_of, pieces)) == FUSED
    if "stream" in how:
        assert len(pieces) > 3


def test_thoughts_alone_stand_behind_an_answer():
    members = {"thinks": giving(AIMessage("<think>Let me see, it may be")), "other": giving("5")}
    told = Blend(members=members, ranker=ConsensusRanker()).invoke("q").response_metadata["blend"]
    assert told["order"] == ["other", "thinks"]
    assert told["set_aside"] == {"thinks": "says nothing but thoughts"}


def test_a_judge_may_think():
    judge = ChatComparator(
        Talker(
            says=lambda question: "<think>A or B? A is better.</think>\nThe better answer is B."
        ),
        structured=False,
    )
    assert judge.judge(Pair("q", "a", "b")) == -1.0


def test_a_fuser_alone_leaves_them_out():
    assert ChatFuser(giving(AIMessage(THOUGHT + "4"))).fuse("2 + 2?", ["4", "four"]) == "4"
