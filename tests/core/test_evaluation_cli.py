"""``blended-llm evaluate``: what a user types, what comes out, and what survives."""

from __future__ import annotations

import csv
import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from html.parser import HTMLParser
from pathlib import Path

import pytest
from golden_data import CHECKPOINTS
from typer.testing import CliRunner

from blender_core.cli import app
from blender_core.errors import InputError
from blender_core.evaluation.evaluation import evaluate
from blender_core.evaluation.figures import Bootstrap
from blender_core.evaluation.html import as_html
from blender_core.evaluation.report import Report
from blender_core.evaluation.wanted import Evaluation

PAIR_RANKER = str(CHECKPOINTS / "tiny-PairRM-hf")
FUSER = str(CHECKPOINTS / "tiny-gen-fuser")
PROGRAM = [sys.executable, "-m", "blender_core.cli", "evaluate"]

HOSTILE = [
    "</svg><script>alert(1)</script>",
    "=1+1",
    "<img src=http://x.example/>",
    '"><b \x1b[31m',
]
CMP_RESULTS = ["A is better", "B is better", "Same good", "Same bad"]


def line(place, models=("m1", "m2", "m3"), **more):
    words = ["the", "quick", "brown", "fox", "jumps", "over", "a", "lazy", "dog"]
    candidates = [
        {"model": model, "text": " ".join(words[: 3 + (place * 7 + k * 5) % 6])}
        for k, model in enumerate(models)
    ]
    verdicts = {
        f"{a},{b}": CMP_RESULTS[(place + i + k) % 4]
        for i, a in enumerate(models)
        for k, b in enumerate(models[i + 1 :])
    }
    told = {"id": f"{'pq'[place % 2]}-{place}", "instruction": "Say a fox.", "input": ""}
    told |= {"output": " ".join(words[:5]), "candidates": candidates}
    return told | {"cmp_results": json.dumps(verdicts)} | more


def write(path, records):
    path.write_text("".join(json.dumps(one) + "\n" for one in records), encoding="utf-8")
    return path


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return write(tmp_path / "data.jsonl", [line(place) for place in range(6)])


def run(*arguments):
    return CliRunner().invoke(app, ["evaluate", *map(str, arguments)])


class Page(HTMLParser):
    """What a browser would make of a page."""

    def __init__(self, text):
        super().__init__()
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        names = ("src", "href", "data", "action", "xlink:href")
        self.addresses += [value for name, value in attrs if name in names or name[:2] == "on"]
        for name, value in attrs:
            self.addresses += re.findall(r"url\(([^)]*)", value or "") if name == "style" else []

    def handle_data(self, data):
        self.text += data


def test_one_command_gives_the_table_json_csv_and_a_page(data, tmp_path):
    result = run(
        data,
        "--ranker",
        PAIR_RANKER,
        "--fuser",
        FUSER,
        "--no-verify",
        "--max-new-tokens",
        4,
        "--reference-model",
        "m1",
        "--group-by",
        "id",
        "--resamples",
        50,
        "--json",
        "r.json",
        "--csv",
        "r.csv",
        "--html",
        "r.html",
    )
    assert result.exit_code == 0, result.output
    for said in ("m3", "oracle GPT-Rank", "random", "tiny-PairRM-hf + tiny-gen-fuser", "≥ m1 %"):
        assert said in result.output
    told = json.loads(Path("r.json").read_text(encoding="utf-8"))
    rows = {row["name"]: row for row in told["rows"]}
    assert {row["kind"] for row in told["rows"]} == {
        "model",
        "oracle",
        "random",
        "baseline",
        "ranker",
        "blend",
    }
    assert rows["tiny-PairRM-hf"]["figures"]["gpt_rank"]["records"] == 6
    assert rows["tiny-PairRM-hf + tiny-gen-fuser"]["figures"]["rougeL"]["value"] is not None
    assert set(told["agreement"]) == {"all", "p", "q", "mean of groups"}
    ranker = told["agreement"]["all"]["tiny-PairRM-hf"]
    assert ranker["position_bias"]["value"] > 0
    assert ranker["accuracy"]["low"] <= ranker["accuracy"]["value"] <= ranker["accuracy"]["high"]
    with Path("r.csv").open(encoding="utf-8", newline="") as file:
        table = list(csv.DictReader(file))
    assert {row["table"] for row in table} == {"selection", "agreement", "correlation"}
    page = Page(Path("r.html").read_text(encoding="utf-8"))
    assert {"table", "svg", "rect"} <= page.tags
    assert not Path("data.jsonl.evaluation.partial").exists()


def test_a_ranker_as_the_judge(data):
    judged = ["--judge", "consensus:chrf", "--ranker", "consensus:chrf", "--json", "r.json"]
    result = run(data, *judged, "--fuser", FUSER, "--max-new-tokens", 2, "--resamples", 0)
    assert result.exit_code == 0, result.output
    told = json.loads(Path("r.json").read_text(encoding="utf-8"))
    assert told["agreement"]["all"]["consensus:chrf"]["kendall_tau"]["value"] == pytest.approx(1)
    blend = next(row for row in told["rows"] if row["kind"] == "blend")
    assert blend["figures"]["gpt_rank"]["records"] == 6


def test_json_on_stdout_is_alone_there(data):
    program = subprocess.run(
        [*PROGRAM, str(data), "--json", "-", "--resamples", "0"], capture_output=True, check=True
    )
    assert json.loads(program.stdout)["records"] == 6


def test_hostile_names_stay_text_everywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = write(tmp_path / "d.jsonl", [line(place, HOSTILE) for place in range(4)])
    result = run(data, "--resamples", 0, "--html", "r.html", "--csv", "r.csv")
    assert result.exit_code == 0, result.output
    assert "\x1b" not in result.output
    source = Path("r.html").read_text(encoding="utf-8")
    page = Page(source)
    assert not page.tags & {"script", "img", "b", "iframe", "link", "object", "a", "form"}
    assert all(address.startswith("#") for address in page.addresses)  # our plots, in themselves
    assert "<script>alert(1)</script>" in page.text
    # the only addresses are the names of SVG itself and its links, which are no requests
    names = {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert set(re.findall(r'="(https?:[^"]*)', source)) == names
    assert "default-src 'none'" in source
    assert "\x1b" not in source
    with Path("r.csv").open(encoding="utf-8", newline="") as file:
        names = {row["name"] for row in csv.DictReader(file)}
    assert "'=1+1" in names
    assert not any(name.startswith(("=", "+", "-", "@")) for name in names)


def test_a_lone_surrogate_in_a_name_breaks_no_output(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = write(tmp_path / "d.jsonl", [line(place, ("m\ud83d", "m2")) for place in range(2)])
    result = run(data, "--resamples", 0, "--html", "r.html", "--csv", "r.csv", "--json", "r.json")
    assert result.exit_code == 0, result.output
    assert "m\\ud83d" in Path("r.html").read_text(encoding="utf-8")
    assert "m\ud83d" in json.loads(Path("r.json").read_text(encoding="utf-8"))["models"]


def test_bad_records_are_named_and_cost_only_themselves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data = tmp_path / "d.jsonl"
    good = [json.dumps(line(place)).encode() for place in range(3)]
    verdict = json.dumps(line(7, cmp_results={"m1,m2": "A wins"})).encode()
    nobody = json.dumps(line(8, cmp_results={"m1,m9": "Same bad"})).encode()
    data.write_bytes(b"\n".join([*good, good[0], verdict, nobody, b'{"id": "\xff"}', b"{"]))
    result = run(data, "--json", "r.json", "--resamples", 0)
    assert result.exit_code == 1
    for said in (
        "line 4: the id 'p-0'",
        "line 5",
        "A wins",
        "line 6",
        "m9",
        "line 7: not UTF-8",
        "line 8: not JSON",
        "5 of 8 records were left out",
    ):
        assert said in result.output
    told = json.loads(Path("r.json").read_text(encoding="utf-8"))
    assert (told["records"], told["settings"]["left_out"]) == (3, 5)


def test_lists_of_unequal_length_and_empty_texts_are_fine(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records = [line(0, ("m1", "m2")), line(1), line(2, ("m3",)), line(3, output=" ")]
    records[1]["candidates"][0]["text"] = ""
    result = run(write(tmp_path / "d.jsonl", records), "--json", "r.json", "--resamples", 0)
    assert result.exit_code == 0, result.output
    told = json.loads(Path("r.json").read_text(encoding="utf-8"))
    rows = {row["name"]: row["figures"] for row in told["rows"]}
    assert told["with_reference"] == 3
    assert rows["m1"]["rougeL"]["records"] == 2
    assert "1 records have no reference answer" in result.output
    strict = run("d.jsonl", "--same-models", "--resamples", 0)
    assert strict.exit_code == 1
    assert "other models than in line 1: one answer too many of 'm3'" in strict.output


def test_a_metric_whose_model_is_missing_is_an_empty_column(data):
    result = run(
        data,
        "--metric",
        "rougeL",
        "--metric",
        "bartscore=no/such",
        "--metric",
        "bleurt=./no",
        "--metric",
        "stored:luck",
        "--local-files-only",
        "--json",
        "r.json",
        "--resamples",
        0,
    )
    assert result.exit_code == 0, result.output
    assert "note: BARTScore (such): not computed: no/such" in result.output
    told = json.loads(Path("r.json").read_text(encoding="utf-8"))
    notes = {column["title"]: column["note"] for column in told["columns"]}
    assert notes["ROUGE-L"] is None
    assert notes["BLEURT (no)"].startswith("not computed: ./no: no such folder")
    assert notes["luck"] == "no answer has a score 'luck'"


def test_scores_that_answers_have_are_metrics_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records = [line(place) for place in range(3)]
    for one in records:
        for k, answer in enumerate(one["candidates"]):
            answer["scores"] = {"bleu": k}
    data = write(tmp_path / "d.jsonl", records)
    run(data, "--metric", "stored:bleu", "--json", "r.json", "--resamples", 0)
    told = json.loads(Path("r.json").read_text(encoding="utf-8"))
    rows = {row["name"]: row["figures"] for row in told["rows"]}
    assert [rows[m]["stored:bleu"]["value"] for m in ("m1", "m2", "m3")] == [0, 1, 2]
    assert rows["bleu"]["stored:bleu"]["value"] == 2  # the oracle


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--metric", "rogue"], "unknown metric 'rogue'"),
        (["--metric", "bleu=x"], "'bleu' has no model to choose"),
        (["--metric", "bleurt="], "there is no model behind the '='"),
        (["--gap", "score"], "write SCORE=NUMBER"),
        (["--gap", "score=-1"], "write SCORE=NUMBER"),
        (["--ranker", "./nowhere"], "./nowhere: no such folder"),
        (["--resume", "--force"], "--resume keeps"),
        (["--json", "no/r.json"], "there is no folder no"),
        (["--html", "there.html"], "there.html exists; --force"),
        (["--html", "data.jsonl", "--force"], "is the input"),
        (["--cache", "data.jsonl", "--force"], "is the input"),
        (["--json", "r", "--csv", "r"], "name another one for each"),
    ],
)
def test_wrong_arguments_are_named_before_any_work(data, arguments, said):
    Path("there.html").touch()
    before = data.read_bytes()
    result = run(data, *arguments)
    assert result.exit_code == 2
    assert data.read_bytes() == before
    assert said in result.output
    assert not Path("data.jsonl.evaluation.partial").exists()


def test_files_that_are_not_there_or_hold_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "none.jsonl: No such file" in run("none.jsonl").output
    result = run(write(tmp_path / "d.jsonl", []))
    assert result.exit_code == 2
    assert "there is no record to evaluate" in result.output


def results_in(kept):
    if not kept.exists():
        return 0
    with closing(sqlite3.connect(kept)) as file:
        tables = file.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
        return file.execute("SELECT count(*) FROM results").fetchone()[0] if tables else 0


def test_ctrl_c_keeps_what_is_computed_and_resume_goes_on(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records = [line(k, tuple("abcdefgh")) for k in range(900)]
    for one in records:
        for answer in one["candidates"]:
            answer["text"] = f"{answer['text']} {one['id']} " * 40
    data = write(tmp_path / "d.jsonl", records)
    kept = tmp_path / "d.jsonl.evaluation.partial"
    arguments = [str(data), "--ranker", "consensus:chrf", "--no-baselines", "--resamples", "0"]
    command = [*PROGRAM, *arguments, "--metric", "chrf"]
    program = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
    end = time.monotonic() + 60
    while time.monotonic() < end and not results_in(kept):
        time.sleep(0.02)
    program.send_signal(signal.SIGINT)
    said = program.communicate(timeout=30)[1].decode()
    assert program.returncode == 130, said
    assert "--resume" in said
    done = results_in(kept)
    assert 0 < done < 900

    again = run(*arguments)
    assert again.exit_code == 2
    assert "--resume goes on with it" in again.output

    arguments += ["--limit", str(done), "--json", "r.json", "--metric", "rouge1"]
    result = run(*arguments, "--resume")
    assert f"going on with {done} results" in result.output
    assert not kept.exists()
    told = json.loads(Path("r.json").read_text(encoding="utf-8"))
    assert run(*arguments, "--force").exit_code == 0
    assert json.loads(Path("r.json").read_text(encoding="utf-8")) == told


def test_a_full_disk_is_an_error_that_keeps_what_was_written(data):
    limit = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (16384, 16384)); "
    limit += "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
    limit += "from blender_core.cli import main; sys.argv = sys.argv[1:]; main()"
    command = [sys.executable, "-c", limit, "blended-llm", "evaluate", str(data)]
    program = subprocess.run(command, capture_output=True, check=False)
    assert program.returncode == 2
    assert b"data.jsonl.evaluation.partial cannot be written" in program.stderr
    assert b"--resume" in program.stderr
    result = run(data, "--resume", "--resamples", 0)
    assert result.exit_code == 0, result.output


def test_a_report_without_a_judge_has_no_plots_and_says_nothing_of_one(tmp_path):
    from blender_core.data.records import read_record

    record = read_record({"instruction": "x", "candidates": ["a", "b"]})
    report = evaluate([record], Evaluation(bootstrap=Bootstrap(0)))
    assert isinstance(report, Report)
    assert "svg" not in Page(as_html(report)).tags
    with pytest.raises(InputError):
        evaluate([], Evaluation())


def test_records_are_grouped_by_any_field_they_have(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    line = {"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}
    lines = [line | {"id": 1, "subset": "math"}, line | {"id": 2, "subset": "chat"}, line]
    Path("in.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    asked = ("in.jsonl", "--ranker", "mini", "--no-baselines", "--resamples", 0)
    result = run(*asked, "--group-by", "subset", "--json", "r.json")
    assert result.exit_code == 0, result.output
    told = json.loads(Path("r.json").read_text(encoding="utf-8"))
    assert {"all", "math", "chat", "no subset"} <= told["agreement"].keys()
    result = run(*asked, "--group-by", "subject")
    assert result.exit_code == 2
    assert "no record has a field 'subject' to group by; there are: id, instruction, subset" in (
        " ".join(result.output.split())
    )


def test_records_without_any_truth_are_a_failure(tmp_path):
    file = tmp_path / "bare.jsonl"
    file.write_text('{"instruction": "q", "candidates": ["a b", "b c", "a"]}\n' * 3)
    done = CliRunner().invoke(app, ["evaluate", str(file), "--ranker", "consensus"])
    assert done.exit_code == 1
    assert "nothing could be measured" in done.stderr
    assert "neither references ('output') nor judgements or scores" in done.stderr
