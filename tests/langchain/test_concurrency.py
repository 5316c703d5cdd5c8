"""Many calls at once: nothing lost, nothing swapped, nothing left behind."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import subprocess
import sys
import threading
import time
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import ConfigurableField, RunnableLambda
from talking_models import Talker
from watching import watched_loop

from blender_core import PairRanker
from blender_core.testing import ScriptedComparator, ScriptedFuser
from langchain_blender import Blend, BlendedChatModel, BlendedLLM, ChatComparator

KINDS = pytest.mark.parametrize("kind", [Blend, BlendedChatModel, BlendedLLM])


def longest(pair: Any) -> float:
    return float(len(pair.first) - len(pair.second))


class PacedComparator(ScriptedComparator):
    """Takes its time, as a model would."""

    def logits(self, pairs):
        time.sleep(0.02)
        return super().logits(pairs)


def numbered(kind: Any, comparator: Any, **settings: Any) -> Any:
    return kind(
        members={
            "short": Talker(says=lambda question: f"<{question}>", seconds=0.01),
            "long": Talker(says=lambda question: f"<{question}> for sure", seconds=0.02),
            "last": Talker(says=lambda question: f"<{question}>, yes", seconds=0.0),
        },
        ranker=PairRanker(comparator),
        **settings,
    )


def text(answer: Any) -> str:
    return str(answer.text) if isinstance(answer, AIMessage) else answer


@KINDS
async def test_two_hundred_at_once_get_their_own_answers_and_share_batches(kind):
    comparator = PacedComparator(longest)
    model = numbered(
        kind,
        comparator,
        fuser=ScriptedFuser(lambda task: f"{task.source}: {task.candidates[0].text} in truth"),
    )
    tasks_before, threads_before = asyncio.all_tasks(), threading.active_count()
    answers = await asyncio.gather(*(model.ainvoke(f"question {i}") for i in range(200)))
    for i, answer in enumerate(answers):
        assert text(answer) == f"question {i}: <question {i}> for sure in truth"
    # 200 rankings and 200 duels, each one call if alone.
    assert len(comparator.calls) < 100
    assert sum(map(len, comparator.calls)) == 200 * (6 + 2)
    assert asyncio.all_tasks() == tasks_before
    for _ in range(100):
        ours = [t for t in threading.enumerate() if t.name.startswith("blended-llm")]
        if not ours:
            break
        await asyncio.sleep(0.01)
    assert not ours
    # Beside ours only the loop's own pool of threads, which is bounded.
    assert threading.active_count() - threads_before <= 40


@KINDS
def test_a_batch_of_threads_gets_its_own_answers_and_shares_batches(kind):
    comparator = PacedComparator(longest)
    answers = numbered(kind, comparator).batch([f"question {i}" for i in range(60)])
    for i, answer in enumerate(answers):
        assert text(answer) == f"<question {i}> for sure"
    assert len(comparator.calls) < 60


async def test_memory_stays_flat():
    model = numbered(BlendedChatModel, ScriptedComparator(longest))
    model.members["short"].seconds = model.members["long"].seconds = 0.0

    async def some(count: int) -> None:
        await asyncio.gather(*(model.ainvoke(f"question {i}") for i in range(count)))
        for member in model.members.values():
            member.asked.clear()
        model.ranker.comparator.calls.clear()

    await some(100)
    tracemalloc.start()
    await some(100)
    gc.collect()
    before, _ = tracemalloc.get_traced_memory()
    for _ in range(5):
        await some(100)
    gc.collect()
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert after - before < 200_000  # bytes, for 500 calls


@KINDS
async def test_cancelling_cancels_the_members(kind):
    members = {f"m{place}": Talker(seconds=30.0) for place in range(3)}
    model = kind(members=members, ranker=PairRanker(ScriptedComparator(longest)))
    before = asyncio.all_tasks()
    call = asyncio.create_task(model.ainvoke("never mind"))
    await asyncio.sleep(0.05)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [member.gone for member in members.values()] == [["never mind"]] * 3
    assert asyncio.all_tasks() == before


@KINDS
async def test_leaving_a_stream_leaves_nothing(kind):
    members = {"m": Talker(), "n": Talker()}
    model = kind(
        members=members,
        ranker=PairRanker(ScriptedComparator(longest)),
        fuser=Talker(says=lambda question: "many words " * 50),
        verify=False,
    )
    before = asyncio.all_tasks()
    async for _ in model.astream("q"):
        break
    gc.collect()
    await asyncio.sleep(0.05)
    assert asyncio.all_tasks() == before


async def test_cancelling_cancels_the_judges_calls():
    judge = Talker(seconds=30.0)
    model = BlendedChatModel(
        members=[Talker(), Talker()],
        ranker=PairRanker(ChatComparator(judge, structured=False)),
    )
    before = asyncio.all_tasks()
    call = asyncio.create_task(model.ainvoke("never mind"))
    await asyncio.sleep(0.1)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert len(judge.gone) == 1  # both texts are the same: one question
    assert asyncio.all_tasks() == before


async def test_the_loop_goes_on_while_the_default_ranker_reads():
    model = BlendedChatModel(
        members=[
            Talker(says=lambda question: f"{question} is four, and here is why. " * 20),
            Talker(says=lambda question: f"I do not know what {question} is. " * 20),
        ]
    )
    await model.ainvoke("2 + 2")  # loads it
    async with watched_loop() as watch:
        answer = await model.ainvoke("3 + 1")
    assert re.match(r"3 \+ 1|I do not", str(answer.text))
    assert watch.late < 0.25


SLOW = FakeListChatModel(responses=["a"], sleep=0.5)


@pytest.mark.parametrize(
    "member",
    [
        SLOW,
        SLOW.with_retry(),
        SLOW.with_fallbacks([SLOW]),
        RunnableLambda(str) | SLOW,
        SLOW.configurable_fields(sleep=ConfigurableField(id="sleep")),
        RunnableLambda(lambda _: time.sleep(0.5) or AIMessage("b")),
    ],
    ids=["plain", "retry", "fallbacks", "sequence", "configurable", "function"],
)
async def test_members_without_an_async_way_have_threads_of_their_own(member):
    model = BlendedChatModel(
        members=[member] * 40, ranker=PairRanker(ScriptedComparator(longest)), timeout=2.0
    )
    # The loop's own pool is small here: taking turns there, they take at least ten seconds.
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(2))
    answer = await model.ainvoke("q")
    assert answer.response_metadata["blend"]["failures"] == {}
    assert answer.response_metadata["blend"]["seconds"]["total"] < 2.0


def test_a_sync_member_that_is_given_up_does_not_hold_the_loop():
    model = BlendedChatModel(
        members={"slow": FakeListChatModel(responses=["a"], sleep=5.0), "fast": Talker()},
        ranker=PairRanker(ScriptedComparator(longest)),
        timeout=0.2,
    )
    start = time.perf_counter()
    asyncio.run(model.ainvoke("q"))
    assert time.perf_counter() - start < 3.0


@KINDS
async def test_closing_a_stream_closes_the_fusers(kind):
    closed = []

    class Noting(Talker):
        async def _astream(self, messages, stop=None, run_manager=None, **kwargs):
            try:
                async for chunk in super()._astream(messages, stop, run_manager, **kwargs):
                    yield chunk
            finally:
                closed.append(True)

    model = kind(
        members=[Talker(), Talker(says=lambda question: "b")],
        ranker=PairRanker(ScriptedComparator(longest)),
        fuser=Noting(says=lambda question: "many words " * 50),
        verify=False,
    )
    stream = model.astream("q")
    await anext(stream)
    await stream.aclose()
    await asyncio.sleep(0.05)  # LangChain leaves the last of it to the loop
    assert closed == [True]


def test_loading_the_default_ranker_blocks_neither_the_loop_nor_other_blends():
    code = """
import asyncio, time
from talking_models import Talker
from watching import watched_loop
from blender_core import ConsensusRanker
from langchain_blender import Blend

async def main():
    default = Blend(members=[Talker(), Talker(says=lambda q: "b")])
    other = Blend(members=[Talker(), Talker()], ranker=ConsensusRanker())
    await other.ainvoke("warm")
    loading = [asyncio.create_task(default.ainvoke("q")) for _ in range(40)]
    await asyncio.sleep(0.05)
    start = time.perf_counter()
    await other.ainvoke("q")
    await asyncio.to_thread(lambda: None)
    free = time.perf_counter() - start
    await asyncio.gather(*loading)
    print(free, time.perf_counter() - start)

asyncio.run(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    free, loaded = map(float, done.stdout.split())
    assert free < loaded / 2
