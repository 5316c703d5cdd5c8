"""A fused text that wins by next to nothing is not kept."""

from __future__ import annotations

import asyncio

import pytest
from talking_models import Talker

from blender_core import PairRanker
from blender_core.belief.calibrator import Calibrator
from blender_core.testing import ScriptedComparator, ScriptedFuser
from langchain_blender import Blend, BlendedChatModel, BlendedLLM
from langchain_blender.identity import identity

SCORES = {"It opened in 1874.": 1.0, "Nobody knows it.": 0.0, "It opened in May 1874.": 1.1}
MEMBERS = {
    "a": Talker(says=lambda _: "It opened in 1874."),
    "b": Talker(says=lambda _: "Nobody knows it."),
}


@pytest.mark.parametrize("kind", [Blend, BlendedChatModel, BlendedLLM])
@pytest.mark.parametrize(("confidence", "fused"), [(None, False), (0.5, True), (0.9, False)])
def test_a_narrow_win_is_kept_only_where_that_is_enough(kind, confidence, fused):
    blend = kind(
        members=MEMBERS,
        ranker=PairRanker(ScriptedComparator(SCORES), calibrator=Calibrator(1.0)),
        fuser=ScriptedFuser("It opened in May 1874."),
        confidence=confidence,
    )
    for answer in (blend.invoke("When?"), asyncio.run(blend.ainvoke("When?"))):
        text = answer if isinstance(answer, str) else answer.text
        assert text == ("It opened in May 1874." if fused else "It opened in 1874.")


def test_a_cache_tells_gates_apart():
    blends = [
        BlendedLLM(members=MEMBERS, ranker=PairRanker(ScriptedComparator(SCORES)), confidence=sure)
        for sure in (None, 0.6)
    ]
    assert identity(blends[0])["fingerprint"] != identity(blends[1])["fingerprint"]
