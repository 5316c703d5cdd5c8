"""Whatever is around a ranker, it can be asked the same and says the same."""

from __future__ import annotations

import asyncio

import pytest

from blender_core import PairRanker
from blender_core.candidates import Candidate, Task
from blender_core.evaluation.known_ranker import KnownRanker
from blender_core.ranking.joining import JoiningRanker
from blender_core.ranking.later import LaterRanker, Once
from blender_core.ranking.ranker import Duel, Ranker
from blender_core.ranking.schedules import Active
from blender_core.ranking.wrapper import RankerWrapper
from blender_core.testing import ScriptedComparator
from langchain_blender.traced import TracedRanker
from langchain_blender.tracing import Steps
from llamaindex_blender.in_order import InOrder

TEXTS = ["poor", "good", "best"]

WRAPPERS = {
    RankerWrapper: RankerWrapper,
    JoiningRanker: JoiningRanker,
    KnownRanker: lambda ranker: KnownRanker(ranker, {}),
    LaterRanker: lambda ranker: LaterRanker(Once(lambda: ranker)),
    TracedRanker: lambda ranker: TracedRanker(ranker, Steps({})),
    InOrder: InOrder,
}


def bare() -> Ranker:
    """One that leaves most pairs out unless it is asked for all of them."""
    comparator = ScriptedComparator({"poor": 0.0, "good": 1.0, "best": 3.0})
    return PairRanker(comparator, schedule=Active(max_passes=1))


def every_subclass(kind: type) -> set[type]:
    return {kind}.union(*map(every_subclass, kind.__subclasses__()))


def test_no_wrapper_is_forgotten_here():
    ours = {kind for kind in every_subclass(RankerWrapper) if "_blender." in f"{kind.__module__}."}
    ours |= {kind for kind in every_subclass(RankerWrapper) if "blender_core" in kind.__module__}
    assert ours == set(WRAPPERS)


@pytest.mark.parametrize("kind", WRAPPERS, ids=lambda kind: kind.__name__)
def test_what_has_to_be_complete_is_complete(kind):
    ranker = WRAPPERS[kind](bare())
    task = Task("q", TEXTS)
    assert ranker.compare("q", "best", "poor") == bare().compare("q", "best", "poor") == 3.0
    wanted = bare().rank_completely([task])[0].matrix.tolist()
    assert ranker.rank_completely([task])[0].matrix.tolist() == wanted
    assert asyncio.run(ranker.arank_completely([task]))[0].matrix.tolist() == wanted


@pytest.mark.parametrize("kind", WRAPPERS, ids=lambda kind: kind.__name__)
def test_duels_and_rankings_are_those_of_the_ranker(kind):
    ranker, task = WRAPPERS[kind](bare()), Task("q", TEXTS)
    duel = Duel(task, Candidate("good"), Candidate("best"))
    assert ranker.duel_many([duel]) == bare().duel_many([duel]) == [(-2.0, 2.0)]
    assert asyncio.run(ranker.aduel_many([duel])) == [(-2.0, 2.0)]
    order = (0, 1, 2) if kind is InOrder else bare().rank_many([task])[0].order
    assert ranker.rank_many([task])[0].order == order
    assert asyncio.run(ranker.arank_many([task]))[0].order == order
