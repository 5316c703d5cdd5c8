"""``blended-llm data``: what a user types and what comes out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blender_core.cli import app
from blender_core.data import read_records

RECORDS = Path(__file__).parents[1] / "data" / "records.jsonl"


def run(*arguments):
    words = ["data", *map(str, arguments)]
    return CliRunner().invoke(app, words, env={"COLUMNS": "120"})


@pytest.fixture
def records(tmp_path):
    return Path(shutil.copy(RECORDS, tmp_path / "records.jsonl"))


def test_convert_there_and_back(records, tmp_path):
    columns, back = tmp_path / "records.parquet", tmp_path / "back.jsonl.gz"
    result = run("convert", records, columns)
    assert (result.exit_code, result.stderr) == (0, f"{columns}: 12 records\n")
    assert run("convert", columns, back).exit_code == 0
    assert list(read_records(back)) == list(read_records(records))


def test_convert_to_mixinstruct_and_to_pairs(records, tmp_path):
    mixed, pairs, again = (tmp_path / name for name in ("mixed.jsonl", "pairs.jsonl", "a.parquet"))
    assert run("convert", records, mixed, "--to", "mixinstruct").exit_code == 0
    first = json.loads(mixed.read_text().splitlines()[0])
    assert first.keys() == {"id", "instruction", "candidates", "cmp_results"}
    result = run("convert", mixed, pairs, "--to", "pairs")
    count = len(pairs.read_text().splitlines())
    said = result.stderr.splitlines()
    assert said[0] == f"{pairs}: {count} pairs"
    assert said[1:] == ["2 of 12 records say of no two answers which is better"]
    assert run("convert", pairs, again).exit_code == 0
    figures = json.loads(run("stats", records, again, "--json").stdout)
    assert figures[str(records)]["decided"] == figures[str(again)]["decided"] == count
    assert figures[str(again)]["ties"] == 0


def test_convert_makes_judgements_of_scores(tmp_path):
    file, output = tmp_path / "a.jsonl", tmp_path / "b.jsonl"
    file.write_text('{"instruction": "q", "candidates": ["a", "b"], "scores": {"j": [5, 8]}}')
    assert run("convert", file, output, "--judge-by", "j").exit_code == 0
    (told,) = json.loads(output.read_text())["judgements"]
    assert told == {"a": 0, "b": 1, "winner": "b", "judge": "j"}


def test_bad_records_are_told_and_left_out(records, tmp_path):
    records.write_text("{\n" + records.read_text())
    result = run("convert", records, tmp_path / "b.jsonl")
    assert result.exit_code == 1
    told, written, last = result.stderr.splitlines()
    assert told.startswith(f"{records}: line 1: not JSON: ")
    assert written.endswith("b.jsonl: 12 records")
    assert last == "bad records left out: 1"


def test_nothing_is_overwritten_silently(records, tmp_path):
    output = tmp_path / "b.jsonl"
    assert run("convert", records, output).exit_code == 0
    result = run("convert", records, output)
    assert (result.exit_code, result.stderr) == (
        2,
        f"error: {output} exists; --force overwrites it\n",
    )
    assert run("convert", records, output, "--force").exit_code == 0
    assert "is the input" in run("convert", records, records, "--force").stderr
    assert "there is no folder" in run("convert", records, tmp_path / "no" / "b.jsonl").stderr
    assert "not a file name with .jsonl" in run("convert", records, tmp_path / "b.csv").stderr
    assert "No such file" in run("convert", tmp_path / "no.jsonl", tmp_path / "c.jsonl").stderr
    assert not (tmp_path / "c.jsonl").exists()


def test_stats_in_a_table(records, tmp_path):
    other = tmp_path / "hostile.jsonl"
    value = {"instruction": "q", "candidates": ["a", "b"], "licence": "[red]\x1b[2J\u202e"}
    other.write_text(json.dumps(value))
    result = run("stats", records, other, "--near")
    assert result.exit_code == 0
    rows = {
        cells[0]: cells[1:]
        for cells in ([cell.strip() for cell in row.strip("│").split("│")]
                      for row in result.stdout.splitlines() if row.startswith("│"))
    }  # fmt: skip
    assert rows["records"] == ["12", "1"]
    assert rows["questions nearly asked before"] == ["2", "0"]
    assert rows["pairs unknown"][1] == "1"
    assert rows["[red]␛[2J\\u202e"] == ["0", "1"]
    assert rows["records by licence"] == ["", ""]


def test_split_and_its_check(records, tmp_path):
    folder = tmp_path / "parts"
    result = run("split", records, "--output", folder, "--dev", 0.25, "--test", 0.25)
    assert (result.exit_code, len(result.stderr.splitlines())) == (0, 3)
    files = [folder / f"{name}.jsonl" for name in ("train", "dev", "test")]
    sizes = [len(list(read_records(file))) for file in files]
    assert sum(sizes) == 12
    assert sizes[1:] == [3, 3]
    result = run("split", "--check", *files)
    assert result.exit_code == 0
    assert result.stdout.count("0 records of") == 3
    result = run("split", "--check", records, files[1])
    assert result.exit_code == 1
    assert result.stdout.startswith(f"3 records of {files[1]} ask what {records} asks\n")
    told = json.loads(run("split", "--check", records, files[1], "--json").stdout)
    assert [len(overlap["ids"]) for overlap in told] == [2, 2, 2]
    assert all(overlap["similarity"] == 1.0 for overlap in told)


def test_split_without_a_part(records, tmp_path):
    assert run("split", records, "--output", tmp_path / "p", "--test", 0).exit_code == 0
    assert sorted(file.name for file in (tmp_path / "p").iterdir()) == ["dev.jsonl", "train.jsonl"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["split", "FILE"], "give one FILE and --output FOLDER, or --check and several FILEs"),
        (["split", "FILE", "FILE", "--output", "x"], "give one FILE and --output FOLDER"),
        (["split", "FILE", "--check"], "--check compares two FILEs or more, and writes none"),
        (["split", "FILE", "FILE", "--check"], "a FILE is given twice"),
        (["stats", "FILE", "FILE"], "a FILE is given twice"),
        (["split", "FILE", "--output", "x", "--dev", "0.9"], "leave something for train"),
        (["stats", "FILE", "--near", "--similar", "2"], "threshold must be above 0"),
    ],
)
def test_usage_errors_are_one_line_and_exit_2(arguments, reason, records, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = run(*(str(records) if word == "FILE" else word for word in arguments))
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert reason in line
    assert not (tmp_path / "x").exists() or not any((tmp_path / "x").iterdir())
