"""What a name says is what is read and written, by every command alike."""

import gzip
import json
from pathlib import Path

import datasets
import pyarrow.parquet
import pytest
from typer.testing import CliRunner

from blender_core.cli.app import app
from blender_core.data import read_records
from blender_core.errors import InputError
from blender_core.training.config import RankerConfig, read_config

PAIRS = [{"prompt": f"Q{i}?", "chosen": f"good {i}", "rejected": f"bad {i}"} for i in range(6)]
TASK = {"id": 7, "instruction": "2 + 2?", "candidates": ["4", "It is 5.", "It is 4."]}


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def lines(values):
    return "".join(json.dumps(value) + "\n" for value in values)


def asked(path):
    return [record.instruction for record in read_records(path)]


def _json_lines():
    Path("a.json").write_text(lines(PAIRS))
    return "a.json"


def _array():
    Path("a.json").write_text(json.dumps(PAIRS, indent=2))
    return "a.json"


def _array_in_lines():
    Path("a.jsonl").write_text("\ufeff" + json.dumps(PAIRS))
    return "a.jsonl"


def _capitals():
    Path("A.JSONL.GZ").write_bytes(gzip.compress(lines(PAIRS).encode()))
    return "A.JSONL.GZ"


def _shards():
    Path("data").mkdir()
    for start in (0, 3):
        part = datasets.Dataset.from_list(PAIRS[start : start + 3])
        part.to_parquet(f"data/train-0000{start // 3}-of-00002.parquet")
    return "data"


def _shards_and_their_card():
    _shards()
    Path("README.md").write_text("# A card")
    Path("dataset_infos.json").write_text("{}")
    return "."


def _pattern():
    _shards()
    return "data/*.parquet"


def _lines_in_parts():
    for start in (0, 3):
        Path(f"part-{start}.jsonl").write_text(lines(PAIRS[start : start + 3]))
    return "part-*"


def _home():
    Path("a.jsonl").write_text(lines(PAIRS))
    return "~/a.jsonl"


def _dataset_of_one_split():
    rows = datasets.Dataset.from_list(PAIRS)
    datasets.DatasetDict({"train": rows}).save_to_disk("saved")
    return "saved"


@pytest.mark.parametrize(
    "made",
    [
        _json_lines,
        _array,
        _array_in_lines,
        _capitals,
        _shards,
        _shards_and_their_card,
        _pattern,
        _lines_in_parts,
        _home,
        _dataset_of_one_split,
    ],
)
def test_all_ways_of_keeping_records_are_read_by_all_commands(made, monkeypatch, here):
    monkeypatch.setenv("HOME", str(here))
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(here / ".cache"))
    name = made()
    assert asked(name) == [pair["prompt"] for pair in PAIRS]
    for command in ("rank", "compare"):
        result = run(command, name, "--ranker", "consensus" if command == "rank" else "mini")
        assert result.exit_code == 0, result.output
        assert [json.loads(line)["line"] for line in result.stdout.splitlines()] == [*range(1, 7)]
    result = run("data", "convert", name, "out.jsonl")
    assert (result.exit_code, result.stderr) == (0, "out.jsonl: 6 records\n")


def test_splits_are_not_mixed():
    _shards()
    datasets.Dataset.from_list(PAIRS).to_parquet("data/test-00000-of-00001.parquet")
    with pytest.raises(InputError, match=r"several splits, test, train; give the files of one"):
        asked("data")
    assert len(asked("data/test*")) == 6


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lines(PAIRS).encode("utf-16"), "a.jsonl: in UTF-16; save it as UTF-8"),
        (json.dumps(PAIRS[0], indent=2).encode(), "a.jsonl: one JSON object over several lines"),
        (b"version https://git-lfs.github.com/spec/v1\noid x", "a.jsonl: a pointer of Git LFS"),
    ],
)
@pytest.mark.parametrize("command", [("rank",), ("data", "stats")])
def test_a_file_that_is_wrong_as_a_whole_is_one_sentence(command, content, reason):
    Path("a.jsonl").write_bytes(content)
    result = run(*command, "a.jsonl")
    assert result.exit_code == 2
    (said,) = result.stderr.splitlines()
    assert reason in said


@pytest.mark.parametrize("name", ["out.jsonl.gz", "OUT.JSONL.GZ", "out.parquet"])
@pytest.mark.parametrize("command", ["rank", "blend"])
def test_packed_results_are_packed(command, name):
    Path("in.jsonl").write_text(lines([TASK, {**TASK, "id": 8}]))
    result = run(command, "in.jsonl", "--ranker", "consensus", "--output", name)
    assert result.exit_code == 0, result.output
    if name.endswith("parquet"):
        told = pyarrow.parquet.read_table(name).to_pylist()
    else:
        told = [json.loads(line) for line in gzip.decompress(Path(name).read_bytes()).splitlines()]
    assert [row["id"] for row in told] == [7, 8]
    assert sorted(path.name for path in Path().iterdir()) == sorted(["in.jsonl", name])
    assert asked(name) == ["2 + 2?"] * 2
    assert run(command, "in.jsonl", "--ranker", "consensus", "--output", name).exit_code == 2


def test_a_run_that_answered_nothing_does_not_stand_in_the_way():
    Path("in.jsonl").write_text("{}\n")
    assert run("rank", "in.jsonl", "--ranker", "consensus", "--output", "out.jsonl").exit_code == 1
    assert not Path("out.jsonl").exists()
    Path("in.jsonl").write_text(lines([TASK]))
    assert run("rank", "in.jsonl", "--ranker", "consensus", "--output", "out.jsonl").exit_code == 0


def test_rankings_become_preference_pairs():
    Path("in.jsonl").write_text(lines([TASK]))
    assert run("rank", "in.jsonl", "--ranker", "mini", "--output", "out.jsonl").exit_code == 0
    assert run("data", "convert", "out.jsonl", "pairs.jsonl", "--to", "pairs").exit_code == 0
    pairs = [json.loads(line) for line in Path("pairs.jsonl").read_text().splitlines()]
    ranked = json.loads(Path("out.jsonl").read_text())
    place = dict(zip(TASK["candidates"], ranked["ranks"], strict=True))
    assert len(pairs) == 3
    assert all(place[pair["chosen"]] < place[pair["rejected"]] for pair in pairs)
    assert {pair["prompt"] for pair in pairs} == {"2 + 2?"}


def test_results_carry_what_they_are_about_if_wanted():
    Path("in.jsonl").write_text(lines([TASK]))
    lean = json.loads(run("rank", "in.jsonl", "--ranker", "consensus").stdout)
    assert "candidates" not in lean
    told = json.loads(run("rank", "in.jsonl", "--ranker", "consensus", "--with-input").stdout)
    assert told["instruction"] == "2 + 2?"
    assert [answer["text"] for answer in told["candidates"]] == TASK["candidates"]
    Path("lean.jsonl").write_text(lines([lean]))
    result = run("data", "convert", "lean.jsonl", "pairs.jsonl", "--to", "pairs")
    assert result.exit_code == 1
    assert "a ranking without its answers; rank with --with-input" in result.stderr


def test_no_pairs_are_told():
    Path("in.jsonl").write_text(lines([{"prompt": "q", "chosen": "a", "rejected": "a"}]))
    result = run("data", "convert", "in.jsonl", "pairs.jsonl", "--to", "pairs")
    assert result.exit_code == 1
    assert "1 of 1 records say of no two answers which is better" in result.stderr


def test_a_tilde_in_a_training_config_is_home(monkeypatch, here):
    monkeypatch.setenv("HOME", str(here))
    Path("config.yaml").write_text(
        "start: x\noutput: ~/runs/x\ntrain: ~/a.jsonl\ndev: [~/b.jsonl]\n"
    )
    for name in ("a.jsonl", "b.jsonl"):
        Path(name).write_text(lines(PAIRS))
    config = read_config(Path("config.yaml"), RankerConfig)
    assert config.output == here / "runs/x"
    assert (config.train, config.dev) == ([here / "a.jsonl"], [here / "b.jsonl"])


@pytest.mark.parametrize("command", [("rank",), ("data", "stats"), ("evaluate",)])
def test_what_is_wrong_throughout_is_told_a_few_times_only(command):
    Path("in.jsonl").write_text(lines([{"query": "q", "passages": ["a"]}] * 500))
    result = run(*command, "in.jsonl")
    assert result.exit_code != 0
    said = [line for line in result.stderr.splitlines() if "'instruction' is missing" in line]
    assert len(said) == 4
    assert said[-1].startswith("... and 497 more lines: ")
