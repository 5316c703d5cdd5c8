"""Callers at the same time share batches, and each gets its own answer."""

from __future__ import annotations

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from blender_core import ConsensusRanker, JointRanker, PairRanker, Ranker, Ranking, Task
from blender_core.candidates import Candidate, Pair
from blender_core.errors import InputError, ModelOutputError
from blender_core.ranking.joining import JoiningRanker, joined
from blender_core.ranking.later import LaterRanker, Once
from blender_core.ranking.ranker import Duel
from blender_core.ranking.shipped import load_ahead, shared, shipped_pair_ranker


class SlowComparator:
    """Prefers the longer answer, and takes its time."""

    def __init__(self) -> None:
        self.calls: list[int] = []
        self.threads: set[str] = set()

    def logits(self, pairs: list[Pair]) -> np.ndarray:
        self.calls.append(len(pairs))
        self.threads.add(threading.current_thread().name)
        time.sleep(0.02)
        if any(pair.instruction == "poison" for pair in pairs):
            raise RuntimeError("poisoned")
        return np.array([len(p.first) - len(p.second) for p in pairs], np.float32)


def tasks(count: int) -> list[Task]:
    return [Task(f"q{i}", ["a" * (1 + i % 3), "b" * (3 - i % 3), f"{i}"]) for i in range(count)]


@pytest.mark.parametrize("in_loop", [True, False])
def test_many_callers_share_calls_and_none_gets_anothers_answer(in_loop):
    comparator = SlowComparator()
    ranker = joined(PairRanker(comparator))
    asked = tasks(60)

    async def in_a_loop() -> list[Ranking]:
        return [r[0] for r in await asyncio.gather(*(ranker.arank_many([t]) for t in asked))]

    if in_loop:
        found = asyncio.run(in_a_loop())
    else:
        with ThreadPoolExecutor(60) as pool:
            found = list(pool.map(lambda task: ranker.rank_many([task])[0], asked))
    alone = PairRanker(SlowComparator()).rank_many(asked)
    assert [ranking.candidates for ranking in found] == [task.candidates for task in asked]
    assert [ranking.order for ranking in found] == [ranking.order for ranking in alone]
    assert len(comparator.calls) < 10
    assert sum(comparator.calls) == sum(ranking.passes for ranking in alone)


async def test_duels_are_joined_too_and_keep_their_order():
    comparator = SlowComparator()
    ranker = joined(PairRanker(comparator))
    duels = [
        Duel(Task("q", ["x"]), Candidate("n" * (i + 1)), Candidate("m" * 5)) for i in range(20)
    ]
    found = await asyncio.gather(*(ranker.aduel_many([duel]) for duel in duels))
    assert [first for [(first, _)] in found] == [float(i + 1 - 5) for i in range(20)]
    assert len(comparator.calls) < 6


async def test_a_callers_failure_is_not_the_others():
    ranker = joined(PairRanker(SlowComparator()))
    first = asyncio.ensure_future(ranker.arank_many([Task("q", ["a", "bb"])]))
    await asyncio.sleep(0.005)  # the others arrive while this one is computed
    calls = [ranker.arank_many([Task(q, ["a", "bb"])]) for q in ("fine", "poison", "well")]
    found = await asyncio.gather(first, *calls, return_exceptions=True)
    assert [type(f) for f in found] == [list, list, RuntimeError, list]
    assert found[3][0].order == (1, 0)


async def test_a_caller_that_left_is_not_computed_for():
    comparator = SlowComparator()
    ranker = joined(PairRanker(comparator))
    first = asyncio.ensure_future(ranker.arank_many([Task("q", ["a", "bb"])]))
    await asyncio.sleep(0.005)
    leaving = asyncio.ensure_future(ranker.arank_many([Task("left", ["a", "bb", "ccc"])]))
    await asyncio.sleep(0)
    leaving.cancel()
    await first
    await ranker.arank_many([Task("q", ["a", "bb"])])
    assert comparator.calls == [2, 2]


def test_no_thread_stays_when_there_is_nothing_to_do():
    ranker = joined(PairRanker(SlowComparator()))
    ranker.rank("q", ["a", "bb"])
    for _ in range(100):
        if not [t for t in threading.enumerate() if t.name == "blended-llm-ranker"]:
            break
        time.sleep(0.01)
    else:
        pytest.fail("the ranker's thread goes on")


def test_a_ranker_that_gives_too_few_results_is_named_and_nobody_hangs():
    class Lazy(Ranker):
        def rank_many(self, tasks, *, show_progress=False):
            return []

    with pytest.raises(ModelOutputError, match="gave 0 results for 1 items"):
        JoiningRanker(Lazy()).rank("q", ["a"])


def test_something_that_is_no_task_is_refused_where_it_is_given():
    with pytest.raises(InputError, match="expected a Task"):
        joined(ConsensusRanker()).rank_many(["no task"])


def test_the_same_ranker_is_joined_once_while_it_is_used():
    ranker = ConsensusRanker()
    first = joined(ranker)
    assert joined(ranker) is first
    assert joined(first) is first
    assert joined(ConsensusRanker()) is not first


def test_what_waits_for_a_network_is_not_joined():
    class Judge(SlowComparator):
        async def alogits(self, pairs):
            return self.logits(pairs)

    waiting = PairRanker(Judge())
    assert joined(waiting) is waiting
    both = JointRanker([(waiting, 1.0), (ConsensusRanker(), 1.0)])
    assert joined(both) is both
    assert joined(JointRanker([(ConsensusRanker(), 1.0)])) is not both


def test_a_ranker_is_loaded_once_when_it_is_first_asked():
    loaded: list[Ranker] = []

    def load() -> Ranker:
        time.sleep(0.05)
        loaded.append(ConsensusRanker())
        return loaded[-1]

    ranker = LaterRanker(Once(load))
    assert loaded == []
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: ranker.rank("q", ["a", "a b", "b"]).order, range(8)))
    assert found == [(1, 0, 2)] * 8
    assert len(loaded) == 1


async def test_loading_that_fails_is_told_and_tried_again():
    tries: list[int] = []

    def load() -> Ranker:
        tries.append(1)
        if len(tries) == 1:
            raise OSError("disk away")
        return ConsensusRanker()

    ranker = LaterRanker(Once(load))
    with pytest.raises(OSError, match="disk away"):
        await ranker.arank("q", ["a", "b"])
    assert (await ranker.arank("q", ["a", "b"])).order == (0, 1)
    assert len(tries) == 2


async def test_who_leaves_while_it_loads_does_not_stop_it_for_the_others():
    ready = threading.Event()

    def load() -> Ranker:
        ready.wait(5.0)
        return ConsensusRanker()

    ranker = LaterRanker(Once(load))
    leaving = asyncio.create_task(ranker.arank("q", ["a", "b"]))
    staying = asyncio.create_task(ranker.arank("q", ["a", "b"]))
    await asyncio.sleep(0.01)
    leaving.cancel()
    ready.set()
    assert (await staying).order == (0, 1)


def test_the_shipped_rankers_are_shared_by_all():
    load_ahead()
    assert shipped_pair_ranker() is shipped_pair_ranker()
    assert shared(None).rank("2 + 2?", ["It is 4.", "I don't know."]).best.text == "It is 4."
    own = ConsensusRanker()
    assert shared(own) is joined(own)
