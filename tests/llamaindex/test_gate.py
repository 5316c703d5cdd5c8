"""A fused text that wins by next to nothing is not kept."""

from __future__ import annotations

import asyncio

import pytest
from talking_llms import says

from blender_core import PairRanker
from blender_core.belief.calibrator import Calibrator
from blender_core.testing import ScriptedComparator, ScriptedFuser
from llamaindex_blender import BlendedLLM

SCORES = {"It opened in 1874.": 1.0, "Nobody knows it.": 0.0, "It opened in May 1874.": 1.1}
CASES = [(None, False), (0.5, True), (0.9, False)]


def settings(confidence):
    return {
        "ranker": PairRanker(ScriptedComparator(SCORES), calibrator=Calibrator(1.0)),
        "fuser": ScriptedFuser("It opened in May 1874."),
        "confidence": confidence,
    }


@pytest.mark.parametrize(("confidence", "fused"), CASES)
def test_a_narrow_win_is_kept_only_where_that_is_enough(confidence, fused):
    wanted = "It opened in May 1874." if fused else "It opened in 1874."
    members = {"a": says("It opened in 1874."), "b": says("Nobody knows it.")}
    llm = BlendedLLM(members=members, **settings(confidence))
    assert llm.complete("When?").text == wanted
    assert asyncio.run(llm.acomplete("When?")).text == wanted
