"""What pairranker-small learns from: pairs of answers that a language model has read."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import typer
import yaml
from numpy.typing import NDArray

from blender_core.comparison.late.reading import Item
from blender_core.comparison.read_once import items_of
from blender_core.data.files import read_records
from blender_core.data.records import Judgement, Record
from blender_core.training.config import RankerConfig
from blender_core.training.pairs import JudgedPair, debiased, judged_pairs
from blender_core.training.spoilt_pairs import spoilt_pairs
from blender_core.writing import whole_file

if TYPE_CHECKING:
    from blender_core.comparison.small.reader import SmallReader

SHARD = 50
"""Records of a file."""

OWN_SHARE = 0.4
"""Of the records that are read: our own short questions."""

MOST_CHARACTERS = 1500
"""Of the longer answer of a pair: a reading takes time, and short answers are rare in the data."""


def pairs_of(train: Path) -> list[list[JudgedPair]]:
    """Pairs of each record, judged and spoilt, in an order of which every beginning is balanced.

    Args:
        train: the file that pairranker-mini learns from.
    """
    config = _config()
    chance = torch.Generator().manual_seed(config.seed)
    records = list(read_records(train))
    judged: dict[int, list[JudgedPair]] = defaultdict(list)
    for pair in debiased(judged_pairs(records, config, chance), config, chance):
        if max(map(len, (pair.pair.first, pair.pair.second))) <= MOST_CHARACTERS:
            judged[pair.record].append(pair)
    chosen: list[tuple[Record, JudgedPair]] = []
    for place in _balanced(records, judged, config.seed):
        told = judged[place]
        weights = [pair.weight * abs(pair.preference - 0.5) + 1e-9 for pair in told]
        chosen.append((records[place], Random(place).choices(told, weights)[0]))
    few = [_two_of(record, pair) for record, pair in chosen]
    result = [[pair] for _, pair in chosen]
    for pair in spoilt_pairs(few, config.model_copy(update={"scores": None})):
        result[pair.record].append(pair)
    return result


def _two_of(record: Record, pair: JudgedPair) -> Record:
    """A record of the two answers of a pair, and of which was found better."""
    winner = "a" if pair.preference > 0.5 else "b" if pair.preference < 0.5 else "tie"
    known = {
        "candidates": [record.candidates[index] for index in pair.indices],
        "judgements": [Judgement(a=0, b=1, winner=winner)],
        "cmp_results": None,
        "scores": {},
    }
    return record.model_copy(update=known)


def _config() -> RankerConfig:
    folder = Path(__file__).parent
    told: dict[str, Any] = {}
    for name in ("mini", "small"):
        file = folder / f"pairranker_{name}.yaml"
        told.update(yaml.safe_load(file.read_text(encoding="utf-8")))
    return RankerConfig(**told)


def _balanced(records: Sequence[Record], known: Iterable[int], seed: int) -> Iterator[int]:
    """Places of records that are known: own ones in their share, others source by source."""
    chance = Random(seed)
    by_source: dict[str, list[int]] = defaultdict(list)
    seen = set()
    for place in known:
        if records[place].instruction not in seen:
            seen.add(records[place].instruction)
            by_source[records[place].source or ""].append(place)
    own: list[tuple[float, int]] = []
    others: list[tuple[float, int]] = []
    for source in sorted(by_source):
        places = by_source[source]
        chance.shuffle(places)
        side = own if source.startswith("own-") else others
        side += [(rank + chance.random(), place) for rank, place in enumerate(places)]
    queues = [iter(sorted(own)), iter(sorted(others))]
    taken = [0, 0]
    while True:
        side = int(taken[0] >= OWN_SHARE * (sum(taken) + 1))
        place = next(queues[side], None) or next(queues[1 - side], None)
        if place is None:
            return
        taken[side] += 1
        yield place[1]


def read(pairs: Sequence[list[JudgedPair]], folder: Path, reader: SmallReader) -> None:
    """Have answers read; files of figures that are there stay.

    Args:
        pairs: of each record.
        folder: for a file for every 50 records.
        reader: of the language model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for start in range(0, len(pairs), SHARD):
        file = folder / f"{start // SHARD:05d}.npy"
        if file.exists():
            continue
        items = items_in(pairs[start : start + SHARD])
        began = time.perf_counter()
        figures = reader.read(items)
        with whole_file(file) as stream:
            np.save(stream, figures)
        seconds = time.perf_counter() - began
        typer.echo(f"{file.name}: {len(items)} answers, {3600 * len(items) / seconds:.0f} an hour")


def figures_in(pairs: Sequence[list[JudgedPair]], folder: Path) -> dict[Item, NDArray[np.float32]]:
    """What was read so far."""
    found: dict[Item, NDArray[np.float32]] = {}
    for start in range(0, len(pairs), SHARD):
        file = folder / f"{start // SHARD:05d}.npy"
        if not file.exists():
            break
        items = items_in(pairs[start : start + SHARD])
        found.update(zip(items, np.load(file, allow_pickle=False), strict=True))
    return found


def items_in(pairs: Sequence[list[JudgedPair]]) -> list[Item]:
    """Answers with their questions, each once."""
    return list(
        dict.fromkeys(item for some in pairs for one in some for item in items_of(one.pair))
    )
