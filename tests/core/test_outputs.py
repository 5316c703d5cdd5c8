"""Where commands write: nothing of somebody else's is lost, whatever lies there."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from blender_core.cli import app

RECORD = {
    "instruction": "q",
    "candidates": [{"text": text, "model": text} for text in ("a b", "a", "b")],
    "scores": {"s": [1, 2, 3]},
}
DEEP = 500


def run(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def source(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "records.jsonl"
    file.write_text("".join(json.dumps(RECORD | {"id": n}) + "\n" for n in range(3)))
    return file


def evaluate(source, *options):
    return ("evaluate", source, "--ranker", "consensus", "--resamples", "0", *options)


WRITERS = {
    "rank": lambda source, to: ("rank", source, "--ranker", "consensus", "--output", to),
    "blend": lambda source, to: ("blend", source, "--ranker", "consensus", "--output", to),
    "evaluate --json": lambda source, to: evaluate(source, "--json", to),
    "evaluate --csv": lambda source, to: evaluate(source, "--csv", to),
    "evaluate --html": lambda source, to: evaluate(source, "--html", to),
    "evaluate --cache": lambda source, to: evaluate(source, "--cache", to),
    "audit-ranker": lambda source, to: (
        *("audit-ranker", source, "--ranker", "consensus", "--json", to),
    ),
    "data convert": lambda source, to: ("data", "convert", source, to),
}
KEEPS = ["evaluate --cache"]


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("is_there", [True, False])
def test_a_link_is_not_written_through(name, is_there, source, tmp_path):
    target, link = tmp_path / "precious.jsonl", tmp_path / "link.jsonl"
    if is_there:
        target.write_text("precious")
    link.symlink_to(target)
    result = run(*WRITERS[name](source, link), "--force")
    assert result.exit_code == 2
    assert f"{link} is a symbolic link to {target}; name the file itself" in result.stderr
    assert link.is_symlink()
    assert target.exists() == is_there
    assert not is_there or target.read_text() == "precious"


@pytest.mark.parametrize("name", WRITERS)
def test_a_pipe_is_a_stream_and_stays_one(name, source, tmp_path):
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        result = run(*WRITERS[name](source, pipe))
        written = b"" if name in KEEPS else os.read(reader, 1 << 20)
    finally:
        os.close(reader)
    assert pipe.is_fifo()
    assert list(tmp_path.glob("*.partial")) == []
    if name in KEEPS:
        assert result.exit_code == 2
        assert "a device or a pipe, which keeps nothing; name a file" in result.stderr
    else:
        assert result.exit_code == 0, result.stderr
        assert len(written) > 50


def test_a_stream_cannot_be_gone_on_with(source, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    result = run("rank", source, "--ranker", "consensus", "--output", tmp_path / "pipe", "--resume")
    assert result.exit_code == 2
    assert "keeps nothing" in result.stderr


def test_stdout_by_its_name(source):
    arguments = map(str, WRITERS["evaluate --json"](source, "/dev/stdout"))
    result = subprocess.run(
        [sys.executable, "-m", "blender_core.cli", *arguments], capture_output=True, check=True
    )
    assert json.loads(result.stdout[: result.stdout.rindex(b"\n}") + 2])
    assert Path("/dev/stdout").exists()


@pytest.mark.parametrize("name", WRITERS)
def test_a_folder_is_no_file(name, source, tmp_path):
    folder = tmp_path / "folder.jsonl"
    folder.mkdir()
    result = run(*WRITERS[name](source, folder), "--force")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert f"{folder} is a folder" in result.stderr


FOREIGN = {
    "a line without a break": b"my only copy of something",
    "a line": b"my only copy of something\n",
    "JSON without a break": b'{"precious": "config"}',
    "a binary": bytes(range(256)),
    "a result of another command": b'{"line": 1, "task": "0f", "text": "a", "sources": []}\n',
    "the same, torn": b'{"line": 1, "task": "0f", "text": "a", "sour',
    "something like a result": b'{"line": 5, "name": "x"}',
    "a database without its end": b"SQLite format 3\0\x10\0\1\1\0\x40\x20\x20",
    "a number": b"7",
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("name", ["rank", "evaluate --cache"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_resuming_leaves_what_is_not_ours(name, kind, source, tmp_path):
    file = tmp_path / "precious.jsonl"
    file.write_bytes(FOREIGN[kind])
    result = run(*WRITERS[name](source, file), "--resume")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    said = {"rank": ": line 1 is no result", "evaluate --cache": " is no file of an earlier"}
    assert f"precious.jsonl{said[name]}" in result.stderr
    assert file.read_bytes() == FOREIGN[kind]


def test_a_cached_ranking_must_fit_its_record(source, tmp_path):
    cache = tmp_path / "cache"
    assert run(*WRITERS["evaluate --cache"](source, cache)).exit_code == 0
    assert run(*WRITERS["evaluate --cache"](source, cache), "--resume").exit_code == 0
    with closing(sqlite3.connect(cache)) as file:
        rows = file.execute("SELECT place, value FROM results WHERE worker LIKE '%consensus%'")
        place, value = rows.fetchone()
        wrong = json.dumps(json.loads(value) | {"order": [0, 0, 9]}).encode()
        file.execute("UPDATE results SET value = ? WHERE place = ?", (wrong, place))
        file.commit()
    result = run(*WRITERS["evaluate --cache"](source, cache), "--resume")
    assert result.exit_code == 2
    assert "is unusable: no ranking of 3 answers; --force starts afresh" in result.stderr


@pytest.mark.parametrize("name", [name for name in WRITERS if name not in KEEPS])
def test_something_deep_costs_its_record_at_most(name, source, tmp_path):
    for depth in (90, DEEP, 100_000):
        deep = json.dumps(RECORD | {"unread": 0}).replace(": 0}", f": {'[' * depth}{']' * depth}}}")
        source.write_text(f"{json.dumps(RECORD)}\n{deep}\n{json.dumps(RECORD)}\n")
        output = tmp_path / f"out{depth}.jsonl"
        result = run(*WRITERS[name](source, output))
        assert output.stat().st_size > 50
        if depth == 90:
            assert result.exit_code == 0, result.stderr
        else:
            assert result.exit_code == 1
            assert "line 2: not usable JSON: nested too deeply" in result.stderr
        if name in ("rank", "blend", "data convert"):
            assert output.read_bytes().count(b"\n") == (3 if depth == 90 else 2)


def test_something_deep_in_parquet_costs_its_record_at_most(source, tmp_path):
    import pyarrow as pa
    from pyarrow import parquet

    deep: object = "x"
    for _ in range(150):
        deep = [deep]
    table = pa.table({"instruction": ["q"], "candidates": [["a", "b"]], "unread": [deep]})
    parquet.write_table(table, tmp_path / "deep.parquet")
    result = run("data", "convert", tmp_path / "deep.parquet", tmp_path / "out.jsonl")
    assert result.exit_code in (1, 2)
    assert "deep.parquet" in result.stderr
