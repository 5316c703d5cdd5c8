"""``calibrate``, ``audit-ranker`` and ``bench-schedules``: what is typed and what comes out."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest
from golden_data import CHECKPOINTS
from typer.testing import CliRunner

from blender_core import Calibrator
from blender_core.cli import app

PAIR_RANKER = str(CHECKPOINTS / "tiny-PairRM-hf")


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    words = ["rice", "water", "heat", "slow", "good", "bad", "king", "queen"]
    with (tmp_path / "data.jsonl").open("w") as file:
        for number in range(48):
            texts = [" ".join(rng.choice(words, rng.integers(2, 9))) for _ in range(5)]
            scores = [len(set(text.split())) + float(rng.normal()) for text in texts]
            record = {
                "id": f"r{number}",
                "instruction": "How does one cook?",
                "candidates": [{"model": f"m{k}", "text": text} for k, text in enumerate(texts)],
                "scores": {"judge": scores},
            }
            file.write(json.dumps(record) + "\n")
    return tmp_path / "data.jsonl"


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_calibrate_writes_what_a_ranker_loads(data, tmp_path):
    folder = tmp_path / "calibrated"
    folder.mkdir()
    page = tmp_path / "c.html"
    told = ("--html", page, "--plot", tmp_path / "c.png")
    done = run("calibrate", data, "--ranker", PAIR_RANKER, "--output", folder, *told)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "c.png").stat().st_size
    assert page.read_text().count("<svg") == 1
    assert "temperature" in done.stdout
    assert "held-out pairs: ECE" in done.stdout
    calibrator = Calibrator.load(folder)
    assert calibrator.temperature > 0
    assert len(calibrator.errors) == 24  # one pair a question, of half of the questions
    again = run("calibrate", data, "--ranker", PAIR_RANKER, "--output", folder)
    assert again.exit_code == 2
    assert "--force overwrites it" in again.output


def test_calibrate_needs_a_folder_and_labels(data, tmp_path):
    nowhere = run("calibrate", data, "--ranker", "mini", "--output", tmp_path / "none")
    assert nowhere.exit_code == 2
    assert "no such folder" in nowhere.output
    few = run("calibrate", data, "--ranker", "mini", "--output", tmp_path, "--limit", 3)
    assert few.exit_code == 2
    assert "too few" in few.output
    assert not (tmp_path / "calibration.json").exists()


def test_audit_ranker_tells_draws_and_writes(data):
    done = run(
        *("audit-ranker", data, "--ranker", PAIR_RANKER, "--limit", 20),
        *("--json", "a.json", "--html", "a.html", "--plot", "a.png"),
    )
    assert done.exit_code == 0, done.output
    assert "order flips" in done.stdout
    assert "uncalibrated" in done.stdout
    found = json.loads((data.parent / "a.json").read_text())
    assert found["pairs"] == 20 * 10
    assert 0 <= found["flips"] <= 1
    assert found["passes"] == pytest.approx(2.0)
    assert found["reliability"]["count"] == 200
    page = (data.parent / "a.html").read_text()
    assert page.count("<svg") == 3
    assert (data.parent / "a.png").read_bytes().startswith(b"\x89PNG")
    refused = run("audit-ranker", data, "--ranker", PAIR_RANKER, "--json", "a.json")
    assert refused.exit_code == 2


def test_bench_schedules_tells_draws_and_writes(data):
    done = run(
        *("bench-schedules", data, "--ranker", PAIR_RANKER, "--limit", 8),
        *("--json", "b.json", "--html", "b.html", "--plot", "b.svg"),
    )
    assert done.exit_code == 0, done.output
    assert "stops by itself" in done.stdout
    assert "Shortlists by consensus:words" in done.stdout
    told = json.loads((data.parent / "b.json").read_text())
    assert told["records"] == 8
    assert {point["schedule"] for point in told["schedules"]} >= {"active", "bubble", "full"}
    assert [miss["keep"] for miss in told["misses"]] == [2, 4]
    assert (data.parent / "b.html").read_text().count("<svg") == 3
    assert "<svg" in (data.parent / "b.svg").read_text()


def test_bench_schedules_wants_a_ranker_that_has_a_schedule(data):
    done = run("bench-schedules", data, "--ranker", "consensus")
    assert done.exit_code == 2
    assert "only a pairwise ranker" in done.output


@pytest.mark.parametrize("command", ["audit-ranker", "bench-schedules"])
def test_bad_input_is_named(tmp_path, command):
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    done = run(command, empty, "--ranker", "mini")
    assert done.exit_code == 2
    assert "there is no record of" in done.output
    missing = run(command, tmp_path / "missing.jsonl", "--ranker", "mini")
    assert missing.exit_code == 2


def test_a_score_that_no_record_has_is_refused(data):
    done = run("audit-ranker", data, "--ranker", "mini", "--judge-score", "jugde")
    assert done.exit_code == 2
    assert "there are: judge" in done.output


def test_faulty_lines_are_said_and_counted(data):
    with data.open("a") as file:
        file.write("{nonsense\n")
    done = run("audit-ranker", data, "--ranker", PAIR_RANKER, "--json", "-")
    assert done.exit_code == 1
    assert "1 of 49 records were left out" in done.output


@pytest.mark.parametrize("option", ["--html", "--plot"])
def test_what_draws_plots_is_named_before_any_work_where_it_is_missing(data, option, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    done = run("audit-ranker", data, option, "a.svg")
    assert done.exit_code == 2
    assert "pip install 'blended-llm[eval]'" in done.output


def test_a_plot_is_of_a_known_kind(data):
    done = run("audit-ranker", data, "--plot", "a.pdf")
    assert (done.exit_code, "a plot is a .png or a .svg" in done.output) == (2, True)
    none = run("audit-ranker", "--sense", "--plot", "a.png")
    assert (none.exit_code, "no plot" in none.output) == (2, True)
