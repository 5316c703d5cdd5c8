"""What a blend costs over its members: waiting for slow ones, and its own work."""

from __future__ import annotations

import asyncio
import time
from statistics import median
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableLambda

from blender_core import PairRanker
from blender_core.testing import ScriptedComparator
from langchain_blender import Blend, BlendedChatModel, BlendedLLM


def member(number: int, seconds: float) -> Any:
    def answer(_: Any) -> AIMessage:
        time.sleep(seconds)
        return AIMessage(f"I am number {number}.")

    async def aanswer(_: Any) -> AIMessage:
        if seconds:
            await asyncio.sleep(seconds)
        return AIMessage(f"I am number {number}.")

    return RunnableLambda(answer, aanswer, name=f"m{number}")


def scripted() -> PairRanker:
    return PairRanker(ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second))))


async def overhead(count: int, calls: int) -> None:
    members = [member(number, 0.0) for number in range(count)]
    blends = {
        kind.__name__: kind(members=members, ranker=scripted())
        for kind in (Blend, BlendedChatModel, BlendedLLM)
    }

    async def gathered() -> None:
        await asyncio.gather(*(m.ainvoke("Who are you?") for m in members))

    async def took(work: Any) -> float:
        start = time.perf_counter()
        await work()
        return time.perf_counter() - start

    times: dict[str, list[float]] = {"gather": [], **{name: [] for name in blends}}
    for _ in range(calls):  # in turns, so that a busy moment hits all of them
        times["gather"].append(await took(gathered))
        for name, blend in blends.items():
            times[name].append(await took(lambda blend=blend: blend.ainvoke("Who are you?")))
    bare = median(times.pop("gather"))
    print(f"{count} instant members, asyncio.gather: {bare * 1e3:.2f} ms (median of {calls})")
    for name, taken in times.items():
        print(f"  {name:<18} {(median(taken) - bare) * 1e3:+.2f} ms")


def waiting() -> None:
    slow = Blend(members=[member(number, 1.0) for number in range(8)], ranker=scripted())
    start = time.perf_counter()
    told = slow.invoke("Who are you?").response_metadata["blend"]
    took = time.perf_counter() - start
    print(
        f"8 members of 1 s each, threads: {took:.3f} s, of it ranking {told['seconds']['rank']:.3f}"
    )
    start = time.perf_counter()
    told = asyncio.run(slow.ainvoke("Who are you?")).response_metadata["blend"]
    took = time.perf_counter() - start
    print(
        f"8 members of 1 s each, loop:    {took:.3f} s, of it ranking {told['seconds']['rank']:.3f}"
    )


class Paced(ScriptedComparator):
    """Takes a millisecond a call, as a model would."""

    def logits(self, pairs: Any) -> Any:
        time.sleep(0.001)
        return super().logits(pairs)


def together(count: int) -> None:
    comparator = Paced(lambda pair: float(len(pair.first) - len(pair.second)))
    ranker = PairRanker(comparator)
    blend = Blend(members=[member(number, 0.0) for number in range(5)], ranker=ranker)

    async def all_of_them() -> None:
        await asyncio.gather(*(blend.ainvoke(f"Question {i}?") for i in range(count)))

    start = time.perf_counter()
    asyncio.run(all_of_them())
    took = time.perf_counter() - start
    calls = comparator.calls
    print(
        f"{count} calls at once: {took:.2f} s, {len(calls)} calls of the comparator "
        f"for {sum(map(len, calls))} pairs"
    )


def main() -> None:
    waiting()
    asyncio.run(overhead(5, 200))
    together(200)
