"""Have a small language model read a sample of the training data: figures and states, as arrays.

``python -m recipes.small_readings DATA OUT --records 2000`` with a folder that has
``train_permissive.jsonl.gz`` and ``train_extra.jsonl.gz``. Records come in an order of which every
beginning is a balanced sample, so more of them can be read later: the same command with a larger
number goes on. ``--part dev_eval`` and ``--part dev_extra`` read the development data.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Annotated

import numpy as np
import typer

from blender_core.data.files import read_records
from blender_core.data.records import Record
from blender_core.writing import whole_file

if TYPE_CHECKING:
    from blender_core.comparison.small.reader import SmallReader

SHARD = 200
"""Records of a file."""

ANSWERS = 4
"""Of a record at most, chosen by chance."""

FIRST_CLASS = {
    "arenabench", "arenahard", "arenahard1k", "arenahard2", "csqa", "fasteval", "hellobench",
    "justeval", "koarena", "llamafactory", "mifeval", "mmlupro", "oa", "oasst_eval", "ruarena",
    "shaberi", "truthfulqa", "zhalpaca",
}  # fmt: skip
"""Sources of chat and of short facts: three of their records for one of another source."""

KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
}
"""For glibc: memory of one batch is kept for the next one."""


class Part(str, Enum):
    """What is read."""

    train = "train"
    dev_eval = "dev_eval"
    dev_extra = "dev_extra"

    @property
    def files(self) -> Sequence[str]:
        """Without their endings."""
        return ("train_permissive", "train_extra") if self is Part.train else (self.value,)


def main(
    data: Annotated[Path, typer.Argument(help="The folder of the data.")],
    out: Annotated[Path, typer.Argument(help="The folder for the arrays.")],
    records: Annotated[int, typer.Option(help="How many are read, from the beginning.")] = 10**9,
    part: Annotated[Part, typer.Option(help="Which data.")] = Part.train,
    model: Annotated[str, typer.Option(help="Hub id, folder, GGUF file.")] = "smollm2",
    threads: Annotated[int, typer.Option(help="Of the processor.")] = 1,
    seed: Annotated[int, typer.Option(help="Of the order and of the answers.")] = 0,
) -> None:
    """Read records and write a file for every 200 of them; files that are there stay."""
    if not os.environ.keys() >= KEEP_MEMORY.keys():  # glibc reads them when a process starts
        os.environ.update(KEEP_MEMORY)
        os.execv(sys.executable, [sys.executable, "-m", "recipes.small_readings", *sys.argv[1:]])
    import torch

    from blender_core.causal.model import CausalModel
    from blender_core.comparison.small.reader import SmallReader

    torch.set_num_threads(threads)
    out.mkdir(parents=True, exist_ok=True)
    found = {name: list(read_records(data / f"{name}.jsonl.gz")) for name in part.files}
    order = list(balanced(found, seed))[:records]
    reader = SmallReader(CausalModel.from_pretrained(model, device="cpu"))
    for start in range(0, len(order), SHARD):
        file = out / f"{part.value}-{start // SHARD:05d}.npz"
        shard = order[start : start + SHARD]
        if not file.exists() or _records_in(file) < len(shard):
            typer.echo(f"{file.name}: {_write(file, shard, reader, seed)}")


def balanced(found: dict[str, Iterable[Record]], seed: int) -> Iterator[tuple[str, Record]]:
    """File and record, in an order of which every beginning has its share of each source.

    Within a source the order is by chance; a source whose records are all read drops out.
    """
    sources: dict[str, list[tuple[str, Record]]] = defaultdict(list)
    for name, records in found.items():
        for record in records:
            sources[_source(record)].append((name, record))
    chance = Random(seed)
    places = []
    for source in sorted(sources):
        own = sources[source]
        chance.shuffle(own)
        share = 3.0 if source in FIRST_CLASS else 1.0
        late = chance.random()
        places += [((rank + late) / share, source, one) for rank, one in enumerate(own)]
    places.sort(key=lambda place: place[:2])
    for *_, one in places:
        yield one


def _source(record: Record) -> str:
    return str(record.id).partition("-")[0]


def _records_in(file: Path) -> int:
    with np.load(file, allow_pickle=False) as arrays:
        return len(arrays["ids"])


def _write(file: Path, shard: Sequence[tuple[str, Record]], reader: SmallReader, seed: int) -> str:
    """Read and write one file; how fast it was, in words."""
    owners, chosen, items = [], [], []
    for place, (_, record) in enumerate(shard):
        count = len(record.candidates)
        # Of the record alone: what is chosen does not depend on what is read before.
        chance = Random(f"{seed} {record.id}")
        for index in sorted(chance.sample(range(count), min(ANSWERS, count))):
            owners.append(place)
            chosen.append(index)
            items.append((record.to_task().source, record.candidates[index].text))
    began = time.perf_counter()
    figures, states = reader.read(items)
    seconds = time.perf_counter() - began
    half = states.astype(np.float16)
    with whole_file(file) as stream:
        np.savez(
            stream,
            ids=np.array([str(record.id) for _, record in shard]),
            files=np.array([name for name, _ in shard]),
            record=np.array(owners, dtype=np.int32),
            candidate=np.array(chosen, dtype=np.int32),
            figures=figures,
            states=half if np.isfinite(half).all() else states,
        )
    prompt = reader.model.prompt
    contexts = prompt.contexts(list(dict.fromkeys(question for question, _ in items)))
    answers = prompt.answers([answer for _, answer in items])
    tokens = sum(map(len, contexts)) + 2 * sum(map(len, answers))
    return (
        f"{len(items)} answers in {seconds:.0f} s, {3600 * len(items) / seconds:.0f} an hour; "
        f"{tokens} tokens, {tokens / seconds:.0f} a second"
    )


if __name__ == "__main__":
    typer.run(main)
