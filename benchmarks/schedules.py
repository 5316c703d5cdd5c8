"""What schedules cost: passes, time, and how full batches are while tasks end one by one."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Sequence
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.mini import mini_as_cross_encoder
from benchmarks.models import TOKENIZER, text
from blender_core.candidates import Pair, Task
from blender_core.data.records import read_record
from blender_core.models.batching import pack
from blender_core.models.tokenizer import TextTokenizer
from blender_core.ranking.pair_ranker import PairRanker
from blender_core.ranking.schedules import Active, Schedule

ANSWERS = 12
TASKS = 1000
BATCH_TOKENS = (1024, 16_384)
NOISE = 1.0


def twelve_answers() -> Task:
    """A real question, its eight real answers, and four more that answer another one."""
    lines = files("blender_core.cli").joinpath("demo.jsonl").read_text(encoding="utf-8")
    first, second = [read_record(json.loads(line)) for line in lines.splitlines()[:2]]
    task = first.to_task()
    others = second.to_task().candidates[: ANSWERS - len(task.candidates)]
    return task.with_candidates([*task.candidates, *others])


class Packing:
    """Answers from known utilities, and notes how a cross-encoder would have packed the pairs."""

    def __init__(self, max_batch_tokens: int) -> None:
        self._tokenizer = TextTokenizer.from_file(TOKENIZER)
        self._max_batch_tokens = max_batch_tokens
        self._lengths: dict[str, int] = {}
        self.calls: list[tuple[list[int], list[list[int]]]] = []

    def logits(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        """Noisy differences of what the texts end with."""
        lengths = [self._length(pair) for pair in pairs]
        self.calls.append((lengths, pack(lengths, self._max_batch_tokens)))
        return np.array([self._logit(pair) for pair in pairs], dtype=np.float32)

    def _length(self, pair: Pair) -> int:
        return sum(self._tokens(part) for part in (pair.instruction, pair.first, pair.second)) + 5

    def _tokens(self, part: str) -> int:
        if part not in self._lengths:
            self._lengths[part] = len(self._tokenizer.encode([part])[0])
        return self._lengths[part]

    def _logit(self, pair: Pair) -> float:
        utilities = [float(part.rsplit(" ", 1)[1]) for part in (pair.first, pair.second)]
        error = random.Random(pair.first + pair.second).gauss(0.0, NOISE)
        return utilities[0] - utilities[1] + error


def main() -> None:
    """Print all."""
    console = Console(width=120)
    console.print(_costs())
    console.print(_fill())


def _costs() -> Table:
    task = twelve_answers()
    mini, crossed = PairRanker(), PairRanker(mini_as_cross_encoder())
    table = Table(
        *("schedule", "pairranker-mini: passes", "seconds", "of full"),
        *("its encoder as a cross-encoder: passes", "seconds", "of full"),
        title=f"{ANSWERS} answers, the best is wanted",
    )
    plans: dict[str, str | Schedule] = {
        "full": "full",
        "active": Active(),
        "active, 25 % at most": Active(max_passes=ANSWERS * (ANSWERS - 1) // 4),
        "bubble": "bubble",
        "knockout": "knockout",
    }
    for ranker in (mini, crossed):
        ranker.rank_many([task], schedule="knockout")  # warm
    full: dict[int, float] = {}
    for name, plan in plans.items():
        row = [name]
        for number, ranker in enumerate((mini, crossed)):
            started = time.perf_counter()
            ranking = ranker.rank_many([task], schedule=plan)[0]
            seconds = time.perf_counter() - started
            full.setdefault(number, seconds)
            row += [str(ranking.passes), f"{seconds:.2f}", f"{seconds / full[number]:.2f}"]
        table.add_row(*row)
    return table


def _fill() -> Table:
    rng = random.Random(0)
    tasks = [
        Task(
            text(rng.randint(10, 60), n),
            [
                f"{text(rng.randint(20, 250), 100 * n + k)} {rng.gauss(0.0, 2.0):.3f}"
                for k in range(rng.randint(4, 16))
            ],
        )
        for n in range(TASKS)
    ]
    table = Table(
        *("schedule", "tokens a batch", "passes a task", "calls", "batches"),
        *("padding", "batches are full to", "seconds"),
        title=f"{TASKS} tasks of 4 to 16 answers in one rank_many",
    )
    for name in ("full", "active", "knockout"):
        for tokens in BATCH_TOKENS:
            comparator = Packing(tokens)
            started = time.perf_counter()
            rankings = PairRanker(comparator, schedule=name).rank_many(tasks)
            seconds = time.perf_counter() - started
            batches = sum(len(packed) for _, packed in comparator.calls)
            used = sum(
                len(batch) * max(lengths[place] for place in batch)
                for lengths, packed in comparator.calls
                for batch in packed
            )
            real = sum(sum(lengths) for lengths, _ in comparator.calls)
            table.add_row(
                name,
                str(tokens),
                f"{np.mean([ranking.passes for ranking in rankings]):.1f}",
                str(len(comparator.calls)),
                str(batches),
                f"{1.0 - real / used:.1%}",
                f"{used / batches / tokens:.1%}",
                f"{seconds:.1f}",
            )
    return table
