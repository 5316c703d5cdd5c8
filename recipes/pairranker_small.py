"""Make pairranker-small: have SmolLM2 read pairs, fit the head, calibrate.

``python -m recipes.pairranker_small PARTS --records 1000`` with the folder of parts that
``recipes.pairranker_mini`` wrote. Reading takes most of the time; stopped, the same command goes on
where it was, and with more records it reads some more.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from blender_core.causal.model import CausalModel
from blender_core.causal.smollm2 import SMOLLM2
from blender_core.comparison.late.reading import Item
from blender_core.comparison.loading import SHIPPED
from blender_core.comparison.read_once import items_of
from blender_core.comparison.small.comparator import SmallComparator
from blender_core.comparison.small.head import SmallHead
from blender_core.comparison.small.reader import SmallReader
from blender_core.comparison.worth.comparator import WorthComparator
from blender_core.training.pairs import JudgedPair
from recipes.small_pairs import figures_in, items_in, pairs_of, read

WORK = Path("build/small")
FOLDER = SHIPPED.with_name("pairranker-small")

STEPS = 300
LEARNING_RATE = 5e-3
WEIGHT_DECAY = 3e-2

KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(4 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(8 << 30),
    "MALLOC_TOP_PAD_": str(256 << 20),
}
"""For glibc: memory of one batch is kept for the next one."""


def main(
    parts: Annotated[Path, typer.Argument(help="The folder of parts.")] = Path("build/mini/parts"),
    records: Annotated[int, typer.Option(help="How many are read.")] = 1000,
    threads: Annotated[int, typer.Option(help="Of the processor.")] = 1,
) -> None:
    """Read, fit, export to where the package has it, calibrate."""
    if not os.environ.keys() >= KEEP_MEMORY.keys():  # glibc reads them when a process starts
        os.environ.update(KEEP_MEMORY)
        os.execv(sys.executable, [sys.executable, "-m", "recipes.pairranker_small", *sys.argv[1:]])
    torch.set_num_threads(threads)
    pairs = pairs_of(parts / "train.jsonl.gz")[:records]
    reader = SmallReader(CausalModel.from_pretrained(SMOLLM2, device="cpu"))
    read(pairs, WORK / "readings", reader)
    base = WorthComparator.from_pretrained(SHIPPED, device="cpu")
    head = fitted(pairs, figures_in(pairs, WORK / "readings"), base)
    SmallComparator(head, base, reader).save_pretrained(FOLDER, language_model=SMOLLM2)
    typer.echo(f"exported to {FOLDER}")
    blended_llm = Path(sys.executable).with_name("blended-llm")
    subprocess.run(
        [
            *(blended_llm, "calibrate", parts / "dev.jsonl.gz", "--ranker", "small"),
            *("--output", FOLDER, "--isotonic", "--force"),
        ],
        check=True,
    )


def fitted(
    pairs: Sequence[Sequence[JudgedPair]],
    figures: Mapping[Item, NDArray[np.float32]],
    base: WorthComparator,
) -> SmallHead:
    """The head, learnt from pairs that were read.

    Args:
        pairs: of each record: one that was judged, then spoilt ones.
        figures: of their answers.
        base: the comparator that is corrected.
    """
    items = items_in(pairs)
    quality, fault = (part.clone() for part in base.parts(items))
    torch.manual_seed(0)
    head = SmallHead()
    told = head.told(torch.from_numpy(np.stack([figures[item] for item in items])), quality, fault)
    head.scale_to(told)
    places = {item: place for place, item in enumerate(items)}
    every = [pair for some in pairs for pair in some]
    sides = [[places[item] for item in items_of(pair.pair)] for pair in every]
    first, second = torch.tensor(sides).unbind(1)
    preferences = torch.tensor([pair.preference for pair in every])
    optimizer = torch.optim.AdamW(head.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    plan = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        more, less = head(told)
        worth = more - less
        loss = binary_cross_entropy_with_logits(worth[first] - worth[second], preferences)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        plan.step()
    return head.eval()


if __name__ == "__main__":
    typer.run(main)
