"""Whatever is in a file that others made: a result, or one sentence that names the file.

Real files are changed by chance, and read as the program reads them. ``HOSTILE_EXAMPLES=20000``
in the environment tries so many changes of each file, other ones each time; without it 300, always
the same ones.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
import yaml
from golden_data import CHECKPOINTS
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import DEEP, mutated, mutated_bytes, mutated_json
from safetensors.torch import load_file
from toy import toy_config

from blender_core.belief.calibrator import Calibrator
from blender_core.belief.member_prior import MemberPrior
from blender_core.cli.results import ResultsFile
from blender_core.cli.rows import Fused
from blender_core.comparison.checkpoints.layouts import read_layout
from blender_core.comparison.late.checkpoint import read_late
from blender_core.comparison.loading import SHIPPED
from blender_core.comparison.pointwise.loading import load_scorer
from blender_core.data.files import read_records
from blender_core.data.lines import as_line
from blender_core.data.records import as_value
from blender_core.errors import CheckpointError, InputError
from blender_core.evaluation.evaluation import evaluate
from blender_core.evaluation.store import Store
from blender_core.evaluation.wanted import Evaluation
from blender_core.fusion.checkpoint import generation_config
from blender_core.models.chat_template import tokenizer_settings
from blender_core.models.files import read_weights
from blender_core.models.tokenizer import TextTokenizer
from blender_core.ranking.consensus_ranker import ConsensusRanker
from blender_core.training.config import FuserConfig, RankerConfig, read_config
from blender_core.training.log import TrainingLog
from blender_core.training.resuming import folder_to_resume
from blender_core.training.start import late_to_train

EXAMPLES = int(os.environ.get("HOSTILE_EXAMPLES", "300"))
WORDS = ["what is the best way", "cook rice [SEP] good"]
GOLDEN = CHECKPOINTS / "tiny-PairRM-hf"


@dataclass
class Reader:
    """How a file is read.

    Attributes:
        write: writes the real file, and what it needs beside it, into a folder, and names it.
        read: reads it, given that name.
        changes: from the real content to a hostile one, by chance.
        keeps: whether it must be unchanged wherever reading it is refused.
    """

    write: Callable[[Path, Path], Path]
    read: Callable[[Path], object]
    changes: Callable[[bytes, Random], bytes]
    keeps: bool = False


def of_json(content: bytes, chance: Random) -> bytes:
    if chance.random() < 0.3:
        return mutated_bytes(content, chance)
    return mutated_json(json.loads(content), chance)


def of_late(content: bytes, chance: Random) -> bytes:
    """As of JSON; what the encoder's own config says is transformers' business."""
    if chance.random() < 0.3:
        return content[: chance.randrange(len(content))] + chance.randbytes(4)
    config = json.loads(content)
    encoder, style = config.pop("encoder"), config["style"]
    changed = mutated(config | {"style": style[:2]}, chance)
    if isinstance(changed, dict):
        changed.setdefault("encoder", encoder)
        if changed.get("style") == style[:2]:
            changed["style"] = style
    return json.dumps(changed).encode()


def of_lines(content: bytes, chance: Random) -> bytes:
    if chance.random() < 0.3:
        return mutated_bytes(content, chance)
    lines = content.splitlines()
    place = chance.randrange(len(lines))
    lines[place] = mutated_json(json.loads(lines[place]), chance)
    return b"\n".join(lines) + chance.choice([b"\n", b"", b"\n\n", b"\n{", b"\n\xff"])


def of_database(content: bytes, chance: Random) -> bytes:
    if chance.random() < 0.5:
        return mutated_bytes(content, chance)
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(content)
        rows = database.execute("SELECT place, value FROM results").fetchall()
        place, value = chance.choice(rows)
        changed: Any = mutated_json(json.loads(value), chance)
        if chance.random() < 0.1:
            changed = chance.choice([None, 1, "x", 0.5, b"\xff"])
        database.execute("UPDATE results SET value = ? WHERE place = ?", (changed, place))
        database.commit()
        return database.serialize()


YAML = [
    *("[" * 5000, "a: 2020-99-99\n", "seed: 0x" + "f" * 5000, "seed: " + "9" * 5000),
    *("seed: !!float x", "seed: !!bool x", "seed: !!timestamp x", "seed: !!int ''", "? [a]\n: b"),
    *("seed: 1:99:99", "train: &a [*a]", "start: &a {x: *a}", "seed: .nan", "!!set {a}", "- a"),
    *("seed: !!python/object:os.system x", "scores: &a {x: 1}\n<<: *a", "seed: !!binary é"),
    *("? {}\n: 1", "=: 1", "0xfffffffffffffffffffffffff: 1", "1.5: x", "~: ~", "on: off", "\0"),
]


def of_yaml(content: bytes, chance: Random) -> bytes:
    kind = chance.random()
    if kind < 0.2:
        return content + chance.choice(YAML).encode()
    if kind < 0.4:
        return mutated_bytes(content, chance)
    text = yaml.dump(mutated(yaml.safe_load(content), chance))
    return text.replace(DEEP, "[" * 600 + "]" * 600).encode("utf-8", "replace")


def of_safetensors(content: bytes, chance: Random) -> bytes:
    if chance.random() < 0.5:
        return mutated_bytes(content, chance)
    size = int.from_bytes(content[:8], "little")
    header = mutated_json(json.loads(content[8 : 8 + size]), chance)
    return len(header).to_bytes(8, "little") + header + content[8 + size :]


def copied(name: str, of: Path) -> Callable[[Path, Path], Path]:
    """Writes a copy of a file in that folder."""
    return lambda folder, toy: Path(shutil.copy(of / name, folder))


def no_base(name: str) -> Path:
    raise CheckpointError("there is none")


def own(folder: Path, toy: Path) -> Path:
    shutil.copy(toy / "encoder" / "tokenizer.json", folder)
    markers = dict(zip(("source", "first", "second", "candidate"), "abcd", strict=True))
    config = {"format": "blended-llm/pair-ranker", "encoder": {"model_type": "bert"}}
    config |= {"markers": markers, "source_max_length": 20, "candidate_max_length": 20}
    (folder / "config.json").write_text(json.dumps(config | {"n_tasks": 1, "drop_out": 0.1}))
    return folder / "config.json"


def published(name: str, **changes: int) -> Callable[[Path, Path], Path]:
    """Writes a published config, beside a small tokenizer: the real one takes most of the time."""

    def write(folder: Path, toy: Path) -> Path:
        shutil.copy(toy / "encoder" / "tokenizer.json", folder)
        content = json.loads((CHECKPOINTS / name / "config.json").read_bytes()) | changes
        (folder / "config.json").write_text(json.dumps(content))
        return folder / "config.json"

    return write


def late(folder: Path, toy: Path) -> Path:
    start = RankerConfig(
        start=str(toy / "encoder"), output=folder, train=["-"], architecture="late"
    )
    late_to_train(start).ranker.save_pretrained(folder)
    return folder / "config.json"


def simcls(folder: Path, toy: Path) -> Path:
    shutil.copy(toy / "encoder" / "tokenizer.json", folder)
    weights = load_file(toy / "encoder" / "model.safetensors")
    named = {f"source_encoder.{name}": weight for name, weight in weights.items()}
    torch.save(named, folder / "pytorch_model.bin")
    config = {"ranker_type": "dual", "model_name": str(toy / "encoder")}
    config |= {"source_maxlength": 20, "candidate_maxlength": 20, "n_tasks": 1}
    (folder / "config.json").write_text(json.dumps(config))
    return folder / "config.json"


def weights_of(file: Path, **options: Any) -> None:
    weights = load_file(GOLDEN / "model.safetensors")
    few = {name: weights[name][:8] for name in sorted(weights)[:6]}
    torch.save(few, file, **options)


def zipped_bin(folder: Path, toy: Path) -> Path:
    weights_of(folder / "pytorch_model.bin")
    return folder / "pytorch_model.bin"


def old_bin(folder: Path, toy: Path) -> Path:
    weights_of(folder / "pytorch_model.bin", _use_new_zipfile_serialization=False)
    return folder / "pytorch_model.bin"


def index(folder: Path, toy: Path) -> Path:
    shutil.copy(GOLDEN / "model.safetensors", folder / "a.safetensors")
    file = folder / "model.safetensors.index.json"
    file.write_text(json.dumps({"metadata": {}, "weight_map": {"a": "a.safetensors"}}))
    return file


def tokenizer(file: Path) -> None:
    read = TextTokenizer.from_file(file, ("good",))
    read.frame("good")
    read.encode(WORDS)


def training(folder: Path, toy: Path) -> TrainingLog:
    config = toy_config(toy, folder)
    log = TrainingLog(config, "ranker")
    log.write([])
    (folder / "checkpoint-3").mkdir()
    figures = [{"step": 3, "loss": 0.5, "epoch": 0.2}]
    callbacks = {"TrainerControl": {"args": {"should_log": False}, "attributes": {}}}
    state = {"global_step": 3, "epoch": 0.2, "log_history": figures, "best_metric": 0.5}
    state |= {"best_global_step": 3, "best_model_checkpoint": "o", "stateful_callbacks": callbacks}
    (folder / "checkpoint-3" / "trainer_state.json").write_text(json.dumps(state))
    return log


def training_log(folder: Path, toy: Path) -> Path:
    return training(folder, toy).file


def trainer_state(folder: Path, toy: Path) -> Path:
    training(folder, toy)
    return folder / "checkpoint-3" / "trainer_state.json"


def resume_log(file: Path) -> None:
    toy = Path(json.loads((file.parent / "kept.json").read_text()))
    TrainingLog(toy_config(toy, file.parent), "ranker").check_resumable()


def resume_state(file: Path) -> None:
    toy = Path(json.loads((file.parents[1] / "kept.json").read_text()))
    folder_to_resume(toy_config(toy, file.parents[1]), resume=True)


def some_records(file: Path) -> Path:
    answers = [{"text": text, "model": model} for model, text in (("a", "x y"), ("b", "x"))]
    record = {"id": "r", "instruction": "q", "candidates": answers, "output": "x y z"}
    more = {"scores": {"s": [1, 2]}, "cmp_results": {"a,b": "A is better"}, "unread": {"x": [[1]]}}
    pair = {"prompt": "q", "chosen": "a", "rejected": [{"role": "user", "content": "b"}]}
    lines = (record | more, record | {"id": 2}, pair | {"rejected": "b"})
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def records(folder: Path, toy: Path) -> Path:
    return some_records(folder / "records.jsonl")


def read_all(file: Path) -> None:
    for record in read_records(file, on_fault=lambda fault: as_line({"said": str(fault)})):
        as_line(as_value(record))
        record.to_task()


def evaluation(folder: Path, store: Store) -> None:
    with_scores = list(read_records(some_records(folder / "records.jsonl")))[:1]
    wanted = Evaluation(rankers={"consensus": ConsensusRanker()})
    try:
        evaluate(with_scores, wanted, store)
    finally:
        store.close()


def cache(folder: Path, toy: Path) -> Path:
    evaluation(folder, Store(folder / "cache"))
    return folder / "cache"


def resume_cache(file: Path) -> None:
    evaluation(file.parent, Store(file, resume=True))


def output(folder: Path, toy: Path) -> Path:
    lines = [
        {"line": line, "task": "0f" * 6, "id": f"é{line}", "text": "x", "sources": ["m", "n"]}
        for line in (1, 2)
    ]
    (folder / "out.jsonl").write_bytes(b"".join(map(as_line, lines)))
    return folder / "out.jsonl"


def resume_output(file: Path) -> None:
    results = ResultsFile(file, Fused, resume=True, force=False)
    results.start()
    results.close()
    results.answered(1, "é1", "0f" * 6)


def config(folder: Path, toy: Path) -> Path:
    values = {"start": "e", "output": "o", "train": [str(toy / "train.jsonl")], "seed": 1}
    values |= {"scores": {"gpt4": 2}, "label_weights": {"a": 0.5}, "learning_rate": 0.1}
    (folder / "config.yaml").write_text(yaml.dump(values | {"debias_by_source": True}))
    return folder / "config.yaml"


def fuser_config(folder: Path, toy: Path) -> Path:
    values = {"start": "e", "output": "o", "train": [str(toy / "train.jsonl")], "top_k": 2}
    (folder / "config.yaml").write_text(yaml.dump(values))
    return folder / "config.yaml"


def members(folder: Path, toy: Path) -> Path:
    told = [("a", "b", 1.0, "x"), ("é", "a", 0.5, "x"), ("b", "é", 0.0)]
    MemberPrior(tuple(told), by="task", beside="default").save(folder / "prior.json")
    return folder / "prior.json"


def read_members(file: Path) -> None:
    prior = MemberPrior.load(file)
    prior.standings("x")
    prior.save(file.with_name("again.json"))


READERS = {
    "what is known of members": Reader(members, read_members, of_json),
    "our own config": Reader(own, lambda file: read_layout(file.parent, no_base), of_json),
    "PairRM-hf's config": Reader(
        published(
            GOLDEN.name, source_prefix_id=4, cand1_prefix_id=5, cand2_prefix_id=6, cand_prefix_id=7
        ),
        lambda file: read_layout(file.parent, no_base),
        of_json,
    ),
    "PairRM's config": Reader(
        published("tiny-PairRM"),
        lambda file: read_layout(file.parent, no_base),
        of_json,
    ),
    "a late comparator's config": Reader(late, lambda file: read_late(file.parent), of_late),
    "a pointwise ranker's config": Reader(
        simcls, lambda file: load_scorer(file.parent, device="cpu", local_files_only=True), of_json
    ),
    "tokenizer_config.json": Reader(
        copied("tokenizer_config.json", of=GOLDEN),
        lambda file: tokenizer_settings(file.parent),
        of_json,
    ),
    "tokenizer.json": Reader(
        lambda folder, toy: copied("tokenizer.json", of=toy / "encoder")(folder, toy),
        tokenizer,
        of_json,
    ),
    "pytorch_model.bin": Reader(zipped_bin, lambda file: read_weights(file.parent), mutated_bytes),
    "an old pytorch_model.bin": Reader(
        old_bin, lambda file: read_weights(file.parent), mutated_bytes
    ),
    "model.safetensors": Reader(
        copied("model.safetensors", of=GOLDEN),
        lambda file: read_weights(file.parent),
        of_safetensors,
    ),
    "an index of shards": Reader(index, lambda file: read_weights(file.parent), of_json),
    "generation_config.json": Reader(
        copied("generation_config.json", of=CHECKPOINTS / "tiny-gen-fuser"),
        generation_config,
        of_json,
    ),
    "calibration.json": Reader(
        copied("calibration.json", of=SHIPPED), lambda file: Calibrator.load(file.parent), of_json
    ),
    "a ranker's training config": Reader(
        config, lambda file: read_config(file, RankerConfig), of_yaml
    ),
    "a fuser's training config": Reader(
        fuser_config, lambda file: read_config(file, FuserConfig), of_yaml
    ),
    "training.json": Reader(training_log, resume_log, of_json),
    "trainer_state.json": Reader(trainer_state, resume_state, of_json),
    "records": Reader(records, read_all, of_lines),
    "a cache of evaluate": Reader(cache, resume_cache, of_database, keeps=True),
    "an output to resume": Reader(output, resume_output, of_lines, keeps=True),
}


@pytest.fixture(scope="module")
def real(toy, tmp_path_factory):
    """By reader, the real file and its content."""
    found: dict[str, tuple[Path, bytes]] = {}

    def of(name: str) -> tuple[Path, bytes]:
        if name not in found:
            folder = tmp_path_factory.mktemp("real")
            (folder / "kept.json").write_text(json.dumps(str(toy)))
            file = READERS[name].write(folder, toy)
            found[name] = file, file.read_bytes()
        return found[name]

    return of


def replace(file: Path, content: bytes) -> None:
    file.unlink()  # writing over a file can be a hundred times slower
    file.write_bytes(content)


def refusal(reader: Reader, file: Path) -> str | None:
    try:
        reader.read(file)
    except (CheckpointError, InputError) as error:
        return str(error)
    return None


@pytest.mark.parametrize("name", READERS)
@settings(
    max_examples=EXAMPLES,
    derandomize="HOSTILE_EXAMPLES" not in os.environ,
    database=None,
    suppress_health_check=list(HealthCheck),
)
@given(seed=st.integers(0, 2**63))
def test_a_hostile_file_is_one_sentence(name, real, seed):
    reader = READERS[name]
    file, content = real(name)
    hostile = reader.changes(content, Random(seed))
    replace(file, hostile)
    said = refusal(reader, file)
    if said is not None:
        assert file.name in said or str(file.parent) in said
        assert "weights_only" not in said
        assert "trust" not in said
        assert len(said) < 2000
        if reader.keeps:
            torn = hostile[hostile.rfind(b"\n") + 1 :]
            assert file.read_bytes() in (hostile, hostile.removesuffix(torn))


@pytest.mark.parametrize("name", READERS)
def test_the_real_file_is_read(name, real):
    file, content = real(name)
    replace(file, content)
    READERS[name].read(file)
