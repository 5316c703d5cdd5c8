"""What is known of the members, in every kind of blend."""

from __future__ import annotations

import asyncio

import pytest
from pydantic import ValidationError
from talking_models import Talker

from blender_core import MemberPrior, PairRanker
from blender_core.testing import ScriptedComparator, ScriptedFuser
from langchain_blender import Blend, BlendedChatModel, BlendedLLM
from langchain_blender.identity import identity

LONGER = PairRanker(ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second))))
PRIOR = MemberPrior((("short", "long", 20.0, None, 20.0),), weight=3.0)
MEMBERS = {"long": Talker(says=lambda _: "a long text"), "short": Talker(says=lambda _: "a text")}


def settings(**more):
    return {"members": MEMBERS, "ranker": LONGER, **more}


@pytest.mark.parametrize("kind", [Blend, BlendedLLM, BlendedChatModel])
def test_a_record_counts_beside_the_text_in_every_kind_of_blend(kind, tmp_path):
    PRIOR.save(tmp_path / "prior.json")
    strong = MemberPrior(PRIOR.outcomes, weight=10.0)
    for given, text in ((None, "a long text"), (strong, "a text")):
        blend = kind(**settings(members_prior=given))
        for answer in (blend.invoke("q"), asyncio.run(blend.ainvoke("q"))):
            assert (answer if isinstance(answer, str) else answer.text) == text
    strong.save(tmp_path / "prior.json")
    for path in (tmp_path / "prior.json", str(tmp_path / "prior.json")):
        assert kind(**settings(members_prior=path)).members_prior == strong
    with pytest.raises(ValidationError, match="No such file"):
        kind(**settings(members_prior=tmp_path / "nothing.json"))
    with pytest.raises(ValidationError, match="a MemberPrior or the path"):
        kind(**settings(members_prior={"long": 1.0}))


def test_what_is_told_has_both_parts_and_only_where_there_are_two():
    strong = MemberPrior(PRIOR.outcomes, weight=10.0)
    told = Blend(**settings(members_prior=strong)).invoke("q").response_metadata["blend"]
    parts = told["score_parts"]
    assert parts["text"]["long"] > 0 > parts["members"]["long"]
    for name, score in told["scores"].items():
        assert score == pytest.approx(parts["text"][name] + parts["members"][name])
    plain = Blend(**settings()).invoke("q").response_metadata["blend"]
    assert "score_parts" not in plain


def test_a_member_that_is_asked_twice_has_its_record_both_times():
    strong = MemberPrior(PRIOR.outcomes, weight=10.0)
    answers = iter(["a text", "another text"])
    members = {**MEMBERS, "short": Talker(says=lambda _: next(answers))}
    blend = Blend(members=members, ranker=LONGER, members_prior=strong, n=2)
    told = blend.invoke("q").response_metadata["blend"]["score_parts"]["members"]
    assert told["short"] == told["short (2)"] > 0 > told["long"]


def test_a_fused_text_is_judged_by_its_text():
    strong = MemberPrior(PRIOR.outcomes, weight=10.0)
    for fused, kept in (("It opened in 1874.", "It opened in 1874."), ("text", "a text")):
        blend = Blend(**settings(members_prior=strong, fuser=ScriptedFuser(fused)))
        assert blend.invoke("q").text == kept


def test_a_cache_tells_what_is_known_of_members_apart():
    plain, known = (BlendedLLM(**settings(members_prior=given)) for given in (None, PRIOR))
    again = BlendedLLM(**settings(members_prior=MemberPrior().updated(PRIOR.outcomes)))
    told = [identity(blend)["fingerprint"] for blend in (plain, known, again)]
    assert len(set(told)) == 3
    assert identity(BlendedLLM(**settings(members_prior=PRIOR)))["fingerprint"] == told[1]
