"""``fit-members`` and ``--members``: what is typed and what comes out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from blender_core import MemberPrior
from blender_core.cli import app

STRENGTHS = {"strong": 1.5, "middling": 0.0, "weak": -1.5}


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    words = ["rice", "water", "heat", "slow", "good", "bad", "king", "queen"]
    with (tmp_path / "data.jsonl").open("w") as file:
        for number in range(40):
            odd = number % 2
            texts = [" ".join(rng.choice(words, 6)) for _ in STRENGTHS]
            worth = [(-1) ** odd * strength for strength in STRENGTHS.values()]
            record = {
                "id": f"r{number}",
                "instruction": "How does one cook?",
                "field": "odd" if odd else "even",
                "candidates": [
                    {"model": name, "text": text}
                    for name, text in zip(STRENGTHS, texts, strict=True)
                ],
                "scores": {"judge": [one + float(rng.gumbel()) for one in worth]},
            }
            file.write(json.dumps(record) + "\n")
    return tmp_path / "data.jsonl"


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def fit(data, *arguments):
    options = ("--ranker", "consensus", "--output", "prior.json", *arguments)
    return run("fit-members", data, *options)


def first(done):
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout.splitlines()[0])


def test_what_is_learnt_by_kind_decides_in_rank_and_blend(data):
    done = fit(data, "--by", "field")
    assert done.exit_code == 0, done.output
    for word in ("strong", "95 % interval", "even", "odd", "2 kinds of question"):
        assert word in done.stdout
    prior = MemberPrior.load("prior.json")
    assert prior.beside == "consensus"
    assert prior.strength("strong", "even") > 0.5 > -0.5 > prior.strength("strong", "odd")
    known = ("--ranker", "consensus", "--members", "prior.json")
    for command in ("rank", "blend"):
        done = run(command, data, *known)
        results = list(map(json.loads, done.stdout.splitlines()))
        assert [one["best"]["model"] for one in results[:2]] == ["strong", "weak"]
        parts = results[0]["score_parts"]
        assert results[0]["scores"] == pytest.approx(np.add(parts["text"], parts["members"]))
        assert results[0]["calibrated"]
        assert "score_parts" not in first(run(command, data, "--ranker", "consensus"))


def test_a_run_with_other_members_is_not_gone_on_with(data):
    assert fit(data).exit_code == 0
    known = ("--ranker", "consensus", "--members", "prior.json")
    assert run("rank", data, *known, "--output", "out.jsonl").exit_code == 0
    lines = (data.parent / "out.jsonl").read_bytes().splitlines(keepends=True)
    (data.parent / "out.jsonl").write_bytes(b"".join(lines[:5]))
    assert run("rank", data, *known, "--output", "out.jsonl", "--resume").exit_code == 0
    assert (data.parent / "out.jsonl").read_bytes() == b"".join(lines)
    assert fit(data, "--limit", 20, "--force").exit_code == 0
    for other in (known, ("--ranker", "consensus")):
        refused = run("rank", data, *other, "--output", "out.jsonl", "--resume")
        assert refused.exit_code == 2
        assert "other settings" in refused.output


def test_evaluate_tells_a_ranker_with_members_and_without(data):
    assert fit(data, "--by", "field").exit_code == 0
    known = ("--ranker", "consensus", "--members", "prior.json", "--no-baselines")
    done = run("evaluate", data, *known, "--resamples", 0, "--json", "report.json")
    assert done.exit_code == 0, done.output
    assert "consensus + members" in done.stdout
    report = json.loads((data.parent / "report.json").read_text())
    scores = {row["name"]: row["figures"]["judge_score"]["value"] for row in report["rows"]}
    assert scores["consensus + members"] > scores["consensus"] + 0.5


def test_a_ranker_can_be_the_judge(data):
    done = fit(data, "--judge", "consensus:words")
    assert done.exit_code == 0, done.output
    by_judge = MemberPrior.load("prior.json")
    assert fit(data, "--force").exit_code == 0
    assert MemberPrior.load("prior.json").outcomes != by_judge.outcomes


def test_weights_of_another_ranker_are_warned_of(data):
    assert fit(data).exit_code == 0
    done = run("rank", data, "--ranker", "consensus:words", "--members", "prior.json")
    assert done.exit_code == 0
    assert "fitted beside --ranker consensus, not consensus:words" in done.stderr
    assert (
        "fitted beside"
        not in run("rank", data, "--ranker", "consensus", "--members", "prior.json").stderr
    )


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--by", "topic"], "no record says in a field 'topic'"),
        (["--limit", "3"], "3 judged questions are too few"),
        (["--judge-score", "nobody"], "no record has a score 'nobody'"),
    ],
)
def test_what_cannot_be_learnt_is_said_and_nothing_written(data, arguments, words):
    done = fit(data, *arguments)
    assert done.exit_code == 2
    assert words in done.output
    assert not (data.parent / "prior.json").exists()


def test_files_are_checked_before_anything_is_done(data):
    (data.parent / "prior.json").write_text("{}")
    assert "--force overwrites it" in fit(data).output
    done = run("rank", data, "--ranker", "consensus", "--members", "prior.json")
    assert done.exit_code == 2
    assert "prior.json: not what is known of members: 'format' is missing" in done.output
    gone = run("evaluate", data, "--ranker", "consensus", "--members", "nothing.json")
    assert gone.exit_code == 2
    assert "No such file" in gone.output
