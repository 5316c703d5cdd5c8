"""What pairranker-mini learns from: some records of every source, some answers of each."""

from __future__ import annotations

import gzip
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

FILES = ("train_permissive.jsonl.gz", "train_extra.jsonl.gz")

RECORDS = {
    "arenahard": 1300, "mmlupro": 700, "hhharm": 500, "zeroeval": 350, "fasteval": 500,
    "gsm8k": 200, "lawbench": 120, "mifeval": 500, "shaberi": 240, "koarena": 300,
    "truthfulqa": 711, "explanations": 250, "csqa": 300, "complexbench": 300, "ruarena": 300,
    "medicalgpt": 250, "llamafactory": 508, "halluqa": 390, "zhalpaca": 300, "hellobench": 250,
    "summedits": 80, "mqm": 200, "tutor": 200, "oasst": 302,
}  # fmt: skip
"""At most so many of a source; of others all. Verified reasoning is most of the data and says least
of how answers to other questions are judged."""

ANSWERS = {"arenabench": 12, "koarena": 6}
MOST_ANSWERS = 5
"""Of a record, by chance."""

BY_LANGUAGE = ("mifeval", "mqm", "llamafactory")
"""Sources whose languages are balanced by themselves."""

HELD_OUT = 0.06

OWN = Path(__file__).with_name("mini_cases.jsonl")
"""Questions of our own in eight languages, most with short answers, as the others hardly have."""

OWN_TIMES = 3
"""As often they are learnt from, spoilt in other ways each time."""


CALIBRATION = 60
"""Records of a source that the sample left out, on which probabilities are fitted, too."""


def write_parts(data: Path, folder: Path) -> None:
    """Write ``train.jsonl.gz``, ``dev.jsonl.gz`` and ``calibration.jsonl.gz`` to a new folder.

    The last one has the records of dev, and some that neither of the others has.

    Args:
        data: the folder with `FILES`.
        folder: appears whole or not at all.
    """
    every = list(_read(data))
    records = list(_sample(every, RECORDS, seed=0))
    sampled = {record["id"] for record in records}
    left = [record for record in every if record["id"] not in sampled]
    most = dict.fromkeys((_source(record["id"]) for record in left), CALIBRATION)
    chance = random.Random(1)
    held_out = set(chance.sample(range(len(records)), int(len(records) * HELD_OUT)))
    part = folder.with_name(folder.name + ".part")
    part.mkdir(parents=True, exist_ok=True)
    for name, is_dev in (("train", False), ("dev", True)):
        with gzip.open(part / f"{name}.jsonl.gz", "wt", encoding="utf-8") as stream:
            for place, record in enumerate(records):
                if (place in held_out) is is_dev:
                    stream.write(json.dumps(record, ensure_ascii=False) + "\n")
            if not is_dev:
                stream.writelines(_own())
    held_out_records = [record for place, record in enumerate(records) if place in held_out]
    with gzip.open(part / "calibration.jsonl.gz", "wt", encoding="utf-8") as stream:
        for record in [*held_out_records, *_sample(left, most, seed=2)]:
            stream.write(json.dumps(record, ensure_ascii=False) + "\n")
    part.rename(folder)


def _own() -> Iterable[str]:
    lines = OWN.read_text(encoding="utf-8").splitlines()
    for time in range(1, OWN_TIMES + 1):
        for line in lines:
            record = json.loads(line)
            yield json.dumps(record | {"id": f"{record['id']}-{time}"}, ensure_ascii=False) + "\n"


def _read(data: Path) -> Iterable[dict[str, Any]]:
    for name in FILES:
        with gzip.open(data / name, "rt", encoding="utf-8") as stream:
            yield from map(json.loads, stream)


def _sample(
    records: Sequence[dict[str, Any]], most_records: Mapping[str, int], seed: int
) -> Iterable[dict[str, Any]]:
    chance = random.Random(seed)
    mixed = list(records)
    chance.shuffle(mixed)
    seen: Counter[str] = Counter()
    for record in mixed:
        source = _source(record["id"])
        if seen[source] < most_records.get(source, len(mixed)):
            seen[source] += 1
            count = len(record["candidates"])
            most = min(count, ANSWERS.get(source, MOST_ANSWERS))
            yield _with_answers(record, source, sorted(chance.sample(range(count), most)))


def _source(name: str) -> str:
    """``arenahard`` of ``arenahard-12:b``."""
    for mark in "-/:":
        name = name.partition(mark)[0]
    return name.rstrip("0123456789_").partition("_")[0]


def _with_answers(record: dict[str, Any], source: str, kept: list[int]) -> dict[str, Any]:
    """The record with some of its answers and what is known of these."""
    place = {old: new for new, old in enumerate(kept)}
    language = record.get("lang")
    return {
        "id": record["id"],
        "instruction": record["instruction"],
        "label_kind": record["label_kind"],
        "source": f"{source}-{language}" if source in BY_LANGUAGE else source,
        "lang": language,
        "candidates": [record["candidates"][old] for old in kept],
        "judgements": [
            {**told, "a": place[told["a"]], "b": place[told["b"]]}
            for told in record.get("judgements") or []
            if told["a"] in place and told["b"] in place
        ],
        "scores": {
            name: [values[old] for old in kept]
            for name, values in (record.get("scores") or {}).items()
        },
    }
