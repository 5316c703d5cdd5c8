"""Many threads at once, processes that fork, and copies of what ranks and fuses."""

import copy
import multiprocessing
import os
import pickle
import subprocess
import sys
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from blender_core import (
    Blender,
    ConsensusRanker,
    GenFuser,
    JointRanker,
    PairRanker,
    PassageRanker,
    Ranker,
    ShortlistRanker,
)
from blender_core.forking import Turn
from blender_core.ranking.joining import JoiningRanker, joined
from blender_core.ranking.later import once
from blender_core.ranking.shipped import shared, shared_passage_ranker

CHECKPOINTS = Path(__file__).parents[1] / "data/golden/checkpoints"
QUESTION = "Name a prime."
ANSWERS = ["7 is a prime number.", "8 is one.", "I do not know. " * 40]

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def pickled(value: Any) -> Any:
    """What comes out of a pickle of it."""
    return pickle.loads(pickle.dumps(value))  # noqa: S301 - it is ours


def run(code: str, **environment: str) -> str:
    """What a new process of Python prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


def test_the_first_uses_of_many_threads_at_once_all_work() -> None:
    code = f"""
from concurrent.futures import ThreadPoolExecutor

def ranked(_):
    from blender_core import PairRanker
    return PairRanker().rank({QUESTION!r}, {ANSWERS!r}).best.text

def read(_):
    from blender_core import PairRanker
    ranker = PairRanker.from_pretrained({str(CHECKPOINTS / "tiny-PairRM-hf")!r})
    return len(ranker.rank({QUESTION!r}, {ANSWERS!r}).order)

def fused(_):
    from blender_core import GenFuser
    fuser = GenFuser.from_pretrained({str(CHECKPOINTS / "tiny-gen-fuser")!r})
    return type(fuser.fuse({QUESTION!r}, {ANSWERS!r}, max_new_tokens=2)).__name__

def found(_):
    from blender_core import PassageRanker
    return len(PassageRanker().rank({QUESTION!r}, {ANSWERS!r}).order)

with ThreadPoolExecutor(8) as pool:
    asked = [pool.submit(call, place) for place in (0, 1) for call in (ranked, read, fused, found)]
print([each.result() for each in asked])
"""
    told = run(code)
    assert told == str([ANSWERS[0], 3, "str", 3] * 2)


def _order(ranker: Ranker) -> tuple[int, ...]:
    return ranker.rank(QUESTION, ANSWERS).order


def test_children_forked_after_the_first_call_rank_like_their_parent() -> None:
    code = f"""
import multiprocessing
from blender_core import JointRanker
from blender_core.ranking.shipped import shared

ranker, many = JointRanker(), shared(None)

def orders(_):
    return ranker.rank({QUESTION!r}, {ANSWERS!r}).order, many.rank({QUESTION!r}, {ANSWERS!r}).order

wanted = orders(0)
with multiprocessing.get_context("fork").Pool(2) as pool:
    print(pool.map_async(orders, range(2)).get(timeout=200) == [wanted] * 2)
"""
    assert run(code, OMP_NUM_THREADS="2") == "True"


def test_a_child_forked_while_its_parent_still_loads_ranks() -> None:
    code = f"""
import os, signal, sys, threading
from blender_core.ranking.shipped import load_ahead, shared

load_ahead()
def importing():
    from blender_core import GenFuser
    import blender_core.comparison.pointwise.loading
threading.Thread(target=importing).start()
if child := os.fork():
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    signal.alarm(200)
    import blender_core.comparison.pointwise.loading
    ranking = shared(None).rank({QUESTION!r}, {ANSWERS!r})
    os._exit(0 if ranking.best.text == {ANSWERS[0]!r} else 3)
"""
    assert run(code) == "0"


def _locked(turn: Turn) -> bool:
    free = Event()

    def take() -> None:
        with turn:
            free.set()

    Thread(target=take, daemon=True).start()
    return not free.wait(5)


def test_a_turn_taken_in_the_parent_is_free_in_a_child() -> None:
    turn = Turn()
    with turn:
        assert not _locked(copy.deepcopy(turn))
        with multiprocessing.get_context("fork").Pool(1) as pool:
            assert pool.apply_async(_locked, (turn,)).get(timeout=60) is False


RANKERS = {
    "the shipped pair ranker": PairRanker,
    "joint": JointRanker,
    "passages": PassageRanker,
    "a cross-encoder": lambda: PairRanker.from_pretrained(CHECKPOINTS / "tiny-PairRM-hf"),
    "consensus": lambda: ConsensusRanker("words"),
    "a shortlist": lambda: ShortlistRanker(ConsensusRanker("words"), PairRanker(), keep=2),
    "one for many callers": lambda: joined(PairRanker()),
    "one that is loaded later": lambda: shared(None),
    "passages, loaded later": lambda: shared_passage_ranker(None),
}


@pytest.mark.parametrize("name", RANKERS)
def test_a_copy_of_a_ranker_ranks_the_same(name: str) -> None:
    ranker = RANKERS[name]()
    wanted = ranker.rank(QUESTION, ANSWERS)
    for twin in (pickled(ranker), copy.deepcopy(ranker), copy.copy(ranker)):
        found = twin.rank(QUESTION, ANSWERS)
        assert found.scores == wanted.scores
        assert found.probability_best == wanted.probability_best
    assert ranker.rank(QUESTION, ANSWERS).scores == wanted.scores


def test_a_pickle_keeps_what_was_set() -> None:
    ranker = PairRanker(schedule="bubble", aggregation="copeland")
    twin = pickled(ranker)
    assert type(twin.schedule) is type(ranker.schedule)
    assert twin.aggregation is ranker.aggregation
    assert twin.calibrator is not None
    assert twin.comparator.max_batch_tokens == ranker.comparator.max_batch_tokens


def test_a_ranker_for_many_callers_still_is_one_behind_a_pickle() -> None:
    twin = pickled(joined(ConsensusRanker("words")))
    assert isinstance(twin, JoiningRanker)
    assert joined(twin) is twin


def test_what_is_loaded_once_is_the_same_in_a_copy() -> None:
    assert pickled(once(PassageRanker)) is once(PassageRanker)


def test_a_blender_its_fuser_and_its_blend_can_be_pickled() -> None:
    fuser = GenFuser.from_pretrained(CHECKPOINTS / "tiny-gen-fuser")
    blender = Blender(PairRanker(), fuser, top_k=2)
    twin = pickled(blender)
    wanted = blender.blend(QUESTION, ANSWERS)
    blend = pickled(twin.blend(QUESTION, ANSWERS))
    assert blend.text == wanted.text
    assert blend.report() == wanted.report()
