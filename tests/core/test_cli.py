"""The command line: what a user types, what comes out where, and what survives."""

from __future__ import annotations

import fcntl
import gzip
import json
import os
import pty
import re
import resource
import shutil
import signal
import struct
import subprocess
import sys
import termios
import time
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from transformers import BertConfig, BertForSequenceClassification
from typer.testing import CliRunner

from blender_core.cli import app
from blender_core.cli.heat_map import heat_map
from blender_core.cli.messages import visible
from blender_core.cli.records import read_duel, read_record
from blender_core.comparison.cross_encoder import CrossEncoder
from blender_core.data.lines import as_line
from blender_core.errors import InputError
from blender_core.json_values import parsed

CHECKPOINTS = Path(__file__).parents[1] / "data" / "golden" / "checkpoints"
PAIR_RANKER = str(CHECKPOINTS / "tiny-PairRM-hf")
FUSER = str(CHECKPOINTS / "tiny-gen-fuser")
PROGRAM = [sys.executable, "-m", "blender_core.cli"]

SUM = {"id": "sum", "instruction": "2 + 2?", "candidates": ["It is 5.", "It is 4.", "I say: 4."]}
SKY = {
    "id": 7,
    "instruction": "Colour of the sky",
    "input": "by day?",
    "output": "Blue.",
    "candidates": [
        {"model": "m1", "text": "Green.", "scores": {"judge": 1}},
        {"model": "m2", "text": "It is blue by day.", "scores": {"judge": 9.5}},
        {"model": "m3", "text": "By day it is blue.", "scores": {"judge": None}},
    ],
    "cmp_results": {"0,1": "B"},
    "licence": "a key that nobody reads",
}


@pytest.fixture(scope="module", autouse=True)
def _one_thread():
    """The models are so small that threads only wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def run(*arguments, stdin=None):
    return CliRunner().invoke(app, [str(argument) for argument in arguments], input=stdin)


def lines_of(content):
    return [json.loads(line) for line in content.splitlines()]


def jsonl(*records):
    return "".join(json.dumps(record) + "\n" for record in records)


@pytest.fixture
def records(tmp_path):
    file = tmp_path / "records.jsonl"
    file.write_text(jsonl(SUM, SKY))
    return file


CANDIDATES = ["--candidate", "a", "--candidate", "b", "--candidate", "b"]


# --- rank ------------------------------------------------------------------------------------


def test_rank_arguments():
    result = run("rank", "--instruction", "2 + 2?", *CANDIDATES, "--ranker", "consensus")
    assert result.exit_code == 0
    (line,) = lines_of(result.stdout)
    assert line["order"] == [1, 2, 0]
    assert line["ranks"] == [3, 1, 1]
    assert line["scores"] == [0.0, 0.5, 0.5]
    assert line["best"] == {"model": None, "text": "b"}
    assert line["passes"] == 0
    assert "matrix" not in line


def test_rank_reads_both_shapes_from_a_file(records):
    result = run("rank", records, "--ranker", "consensus")
    assert (result.exit_code, result.stderr) == (0, "")
    first, second = lines_of(result.stdout)
    assert (first["line"], first["id"]) == (1, "sum")
    assert (second["line"], second["id"]) == (2, 7)
    assert second["best"]["model"] == "m2"


@pytest.mark.parametrize("arguments", [[], ["-"]])
def test_rank_reads_stdin(arguments, records):
    content = b"\xef\xbb\xbf\n" + records.read_bytes().replace(b"\n", b"\r\n\r\n")
    result = run("rank", *arguments, stdin=content)
    assert result.exit_code == 0
    assert [(line["line"], line["id"]) for line in lines_of(result.stdout)] == [(2, "sum"), (4, 7)]


def test_rank_with_a_pairwise_ranker(records):
    result = run("rank", records, "--ranker", PAIR_RANKER, "--device", "cpu", "--matrix")
    assert result.exit_code == 0
    for line in lines_of(result.stdout):
        assert line["passes"] == 6
        matrix = np.array(line["matrix"])
        assert matrix.shape == (3, 3)
        assert matrix[0, 1] != -matrix[1, 0]  # a directional model was asked


def test_schedule_and_aggregation_reach_the_ranker(records):
    options = ["--ranker", PAIR_RANKER, "--schedule", "bubble", "--aggregation", "max_wins"]
    result = run("rank", records, *options, "--device", "cpu", "--matrix")
    assert result.exit_code == 0
    lines = lines_of(result.stdout)
    assert all(line["passes"] == 4 for line in lines)
    assert any(None in row for row in lines[0]["matrix"])  # not asked is null, not NaN
    assert all(score == int(score) for line in lines for score in line["scores"])


def test_rank_with_a_reward_model(records, tmp_path):
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    config = BertConfig(vocab_size=10_000, intermediate_size=16, num_labels=1, **size)
    BertForSequenceClassification(config).save_pretrained(tmp_path)
    shutil.copy(Path(PAIR_RANKER) / "tokenizer.json", tmp_path)
    result = run("rank", records, "--ranker", tmp_path, "--device", "cpu")
    assert (result.exit_code, result.stderr) == (0, "")
    for line in lines_of(result.stdout):
        assert line["passes"] == 3  # one an answer, none a pair
        assert line["order"] == sorted(range(3), key=lambda i: -line["scores"][i])
    result = run("rank", records, "--ranker", tmp_path, "--schedule", "bubble")
    assert result.exit_code == 2
    assert "--schedule is for pairwise rankers" in result.stderr


def test_consensus_takes_a_similarity(records):
    by_words, by_order = (
        lines_of(run("rank", records, "--ranker", f"consensus:{name}").stdout)[1]["scores"]
        for name in ("jaccard", "rouge_l")
    )
    assert by_words[1] > by_order[1]  # the same words in another order


def test_the_default_reads_the_answers_and_counts_what_they_agree_on():
    question = ["--instruction", "What is 17 + 25?"]
    wrong = "The answer is 43."
    given = ["--candidate", wrong, "--candidate", "The answer is 42.", "--candidate", "Answer: 42"]
    result = run("rank", *question, *given, "--device", "cpu", "--matrix")
    assert (result.exit_code, result.stderr) == (0, "")
    (line,) = lines_of(result.stdout)
    assert line["passes"] == 6
    assert line["best"]["text"] != wrong
    alone = run("rank", *question, *given, "--ranker", "mini", "--device", "cpu", "--matrix")
    assert lines_of(alone.stdout)[0]["matrix"] != line["matrix"]
    two = run("compare", *question, *given[:4], "--device", "cpu")
    assert two.exit_code == 0
    assert lines_of(two.stdout)[0]["passes"] == 2


# --- compare ---------------------------------------------------------------------------------


def test_compare_is_the_mean_of_both_orders():
    ab = {"instruction": "2 + 2?", "a": "It is 4.", "b": {"model": "m", "text": "It is 5."}}
    ba = {"instruction": "2 + 2?", "candidates": ["It is 5.", "It is 4."]}
    result = run("compare", "--ranker", PAIR_RANKER, "--device", "cpu", stdin=jsonl(ab, ba))
    assert result.exit_code == 0
    first, second = lines_of(result.stdout)
    assert first["logit"] == pytest.approx(-second["logit"], abs=1e-5)
    assert first["probability"] == pytest.approx(1 / (1 + np.exp(-first["logit"])))
    assert {first["better"], second["better"]} == {"a", "b"}
    assert first["best"]["text"] == second["best"]["text"]
    assert first["passes"] == 2


def test_compare_of_equal_answers_is_a_tie():
    options = ["--instruction", "q", "--candidate", "same", "--candidate", "same"]
    result = run("compare", *options, "--ranker", PAIR_RANKER, "--device", "cpu")
    (line,) = lines_of(result.stdout)
    assert (line["logit"], line["probability"], line["better"]) == (0.0, 0.5, "tie")
    assert line["best"] is None


def test_compare_needs_two_answers_and_a_ranker_that_reads_them(records):
    result = run("compare", records, "--ranker", "consensus")
    assert result.exit_code == 2
    assert "two answers have no others" in result.stderr
    result = run("compare", records, "--ranker", PAIR_RANKER)
    assert result.exit_code == 1
    assert "line 1: 'candidates' has 3 answers, comparing takes exactly two" in result.stderr


# --- fuse and blend --------------------------------------------------------------------------


def test_fuse_costs_only_the_record_that_cannot_be_fused(tmp_path):
    many = {"instruction": "q", "candidates": [str(i) for i in range(1000)]}
    content = jsonl(SUM, many, SKY)
    options = ["--fuser", FUSER, "--device", "cpu", "--max-new-tokens", "5"]
    output = tmp_path / "fused.jsonl"
    result = run("fuse", "-", *options, "--output", output, stdin=content)
    assert result.exit_code == 1
    assert re.search(r"^line 2: .*1000", result.stderr, re.MULTILINE)
    assert "1 of 3 records failed" in result.stderr
    lines = lines_of(output.read_text())
    assert [line["line"] for line in lines] == [1, 3]
    assert lines[1]["sources"] == ["m1", "m2", "m3"]
    assert all(isinstance(line["text"], str) for line in lines)
    assert "Loading weights" not in result.stderr


def test_blend_verifies_unless_told_not_to(records):
    options = ["--fuser", FUSER, "--ranker", PAIR_RANKER, "--device", "cpu", "--top-k", "2"]
    options += ["--max-new-tokens", "5"]
    checked = lines_of(run("blend", records, *options).stdout)
    for line in checked:
        reasons = ("fused text won", "fused text lost", "fused text answers nothing")
        assert line["verdict"]["reason"] in reasons
        assert line["fused"] == (line["verdict"]["reason"] == "fused text won")
        assert line["text"] == line["best"]["text"] or line["fused"]
    unchecked = lines_of(run("blend", records, *options, "--no-verify").stdout)
    for line in unchecked:
        assert line["fused"] or line["verdict"]["reason"] == "fused text answers nothing"
        assert len(line["sources"]) == (2 if line["fused"] else 1)
    assert any(line["fused"] for line in unchecked)


def test_blend_without_a_fuser_picks_the_best(records):
    result = run("blend", records, "--ranker", "consensus")
    assert result.exit_code == 0
    line = lines_of(result.stdout)[1]
    assert (line["text"], line["fused"], line["sources"]) == ("It is blue by day.", False, ["m2"])
    assert line["verdict"]["reason"] == "no fuser"
    assert line["order"] == [1, 2, 0]


# --- bad lines -------------------------------------------------------------------------------

BAD = {
    b"{": "not JSON: ",
    b"[]": "not a JSON object but a list",
    b'{"instruction": "\xff"}': "not UTF-8: byte 18 is 0xff",
    b'{"candidates": ["a"]}': "'instruction' is missing",
    b'{"instruction": "q"}': "'candidates' is missing",
    b'{"instruction": "q", "candidates": []}': "'candidates' is empty",
    b'{"instruction": "q", "candidates": "abc"}': "'candidates' must be a list, not a text",
    b'{"instruction": "q", "candidates": ["a", {"model": "m"}]}': "'candidates[1].text' is missing",
    b'{"instruction": "q", "candidates": [3]}': "'candidates[0]' must be a text or an object",
    b'{"instruction": 5, "candidates": ["a"]}': "'instruction' must be a text, not a number",
    b'{"id": true, "instruction": "q", "candidates": ["a"]}': "'id' must be a text or a whole",
    b'{"instruction": "q", "candidates": [{"text": "a", "scores": {"x": "1"}}]}': (
        "'candidates[0].scores.x' must be a number, not a text"
    ),
    b"[" * 100_000: "nested too deeply",
    b'{"id": ' + b"9" * 5000 + b"}": "too many digits",
}


def test_bad_lines_are_named_and_the_rest_goes_on():
    good = jsonl(SUM).encode()
    content = good + b"".join(line + b"\n" for line in BAD) + good
    result = run("rank", stdin=content)
    assert result.exit_code == 1
    assert [line["line"] for line in lines_of(result.stdout)] == [1, len(BAD) + 2]
    *reports, summary = result.stderr.splitlines()
    for number, (report, reason) in enumerate(zip(reports, BAD.values(), strict=True), 2):
        assert report.startswith(f"line {number}: ")
        assert reason in report
    assert summary == f"{len(BAD)} of {len(BAD) + 2} records failed"


def test_records_are_for_later_use_too():
    record = read_record(SKY)
    assert (record.output, record.candidates[1].scores) == ("Blue.", {"judge": 9.5})
    assert record.to_task().source == "Colour of the skyby day?"
    with pytest.raises(InputError, match="'b' is missing"):
        read_duel({"instruction": "q", "a": "x"})


# --- hostile texts ---------------------------------------------------------------------------


def test_lone_surrogates_and_line_separators_come_out_as_they_came_in():
    content = r'{"instruction": "q\ud83d", "candidates": ["\ud83d \u2028 \u0000 ü", "b"]}' "\n"
    result = run("rank", "--ranker", "consensus", stdin=content)
    assert result.exit_code == 0
    (line,) = result.stdout_bytes.split(b"\n")[:-1]
    assert json.loads(line.decode("utf-8"))["best"]["text"] == "\ud83d \u2028 \x00 ü"


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_one_line_of_valid_json(text):
    line = as_line({"text": text, "score": float("nan")})
    assert line.index(b"\n") == len(line) - 1
    back = parsed(line)
    assert back["score"] is None
    assert back["text"].encode("utf-16", "surrogatepass") == text.encode("utf-16", "surrogatepass")


@given(st.text(st.characters(exclude_categories=())))
def test_visible_text_cannot_steer_a_terminal(text):
    shown = visible(text)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", shown)
    shown.encode("utf-8")
    assert visible(shown) == shown


def test_a_terminal_gets_a_table_with_answers_as_plain_text(tmp_path):
    hostile = "[red]x[/red] \x1b[2J\x1b]0;title\x07 [link=a]\u202e"
    record = {"instruction": hostile, "candidates": [{"model": hostile, "text": hostile}, "b"]}
    file = tmp_path / "hostile.jsonl"
    file.write_text(jsonl(record, {"instruction": "q", "candidates": []}))
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("4H", 50, 200, 0, 0))
    environment = {**os.environ, "TERM": "xterm-256color"}
    environment.pop("COLUMNS", None)  # the terminal itself says how wide it is
    arguments = [*PROGRAM, "rank", str(file)]
    with subprocess.Popen(arguments, stdout=slave, stderr=slave, env=environment) as process:
        os.close(slave)
        shown = b""
        try:
            while part := os.read(master, 65536):
                shown += part
        except OSError:
            pass  # how Linux says that the other side has closed
    os.close(master)
    assert process.returncode == 1
    text = shown.decode()
    assert text.count("[red]x[/red] ␛[2J␛]0;title␇ [link=a]\\u202e") >= 3
    assert "\x1b[2J" not in text
    assert "\x1b]0" not in text
    assert "line 2: 'candidates' is empty" in text
    assert "0/2" in text  # the progress bar
    assert "record/s" in text
    assert '"order"' not in text


# --- files, --resume -------------------------------------------------------------------------


def test_output_is_never_overwritten_silently(records, tmp_path):
    output = tmp_path / "out.jsonl"
    assert run("rank", records, "--output", output).exit_code == 0
    before = output.read_bytes()
    result = run("rank", records, "--output", output)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "--resume goes on with it, --force overwrites it" in result.stderr
    assert output.read_bytes() == before
    assert run("rank", records, "--output", output, "--force").exit_code == 0
    assert output.read_bytes() == before
    result = run("rank", records, "--output", records, "--force")
    assert result.exit_code == 2
    assert records.read_text() == jsonl(SUM, SKY)


def test_a_model_that_cannot_be_loaded_costs_no_old_results(records, tmp_path):
    output = tmp_path / "out.jsonl"
    output.write_text("precious\n")
    result = run("rank", records, "--output", output, "--force", "--ranker", tmp_path)
    assert result.exit_code == 2
    assert output.read_text() == "precious\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """An input of several records, and the whole output."""
    folder = tmp_path_factory.mktemp("finished")
    source, output = folder / "in.jsonl", folder / "out.jsonl"
    source.write_text(jsonl(SUM, SKY, {"instruction": "é", "candidates": ["ü", "ü"]}, SUM))
    assert run("rank", source, "--output", output, "--ranker", "consensus").exit_code == 0
    return source, output.read_bytes()


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_resuming_after_any_cut_gives_the_whole_output(finished, tmp_path_factory, data):
    source, whole = finished
    cut = data.draw(st.integers(0, len(whole)))
    output = tmp_path_factory.mktemp("cut") / "out.jsonl"
    output.write_bytes(whole[:cut])
    result = run("rank", source, "--output", output, "--resume", "--ranker", "consensus")
    assert result.exit_code == 0
    assert output.read_bytes() == whole
    assert ("dropped" in result.stderr) == (not whole[:cut].endswith(b"\n") and cut > 0)


def test_resume_answers_only_what_is_missing_and_retries_bad_lines(records, tmp_path):
    output = tmp_path / "out.jsonl"
    records.write_text(jsonl(SUM) + "{\n" + jsonl(SKY))
    assert run("rank", records, "--output", output, "--resume").exit_code == 1
    kept = output.read_bytes()
    records.write_text(jsonl(SUM, SUM, SKY))
    assert run("rank", records, "--output", output, "--resume").exit_code == 0
    assert output.read_bytes().startswith(kept)
    assert [line["line"] for line in lines_of(output.read_text())] == [1, 3, 2]


def test_resume_refuses_what_it_did_not_write(records, tmp_path):
    output = tmp_path / "out.jsonl"
    for content, reason in (
        ("notes\n", "line 1 is no result: not JSON"),
        ('{"line": 1, "text": "a", "sources": []}\n', "no result of this command"),
    ):
        output.write_text(content)
        result = run("rank", records, "--output", output, "--resume")
        assert result.exit_code == 2
        assert reason in result.stderr
        assert output.read_text() == content
    output.unlink()
    run("rank", records, "--output", output)
    records.write_text(jsonl(SKY, SUM))
    result = run("rank", records, "--output", output, "--resume")
    assert result.exit_code == 2
    assert "made from another input" in result.stderr


def test_interrupting_keeps_what_is_done_and_resume_finishes(tmp_path):
    content = "".join(jsonl({**SUM, "id": number}) for number in range(100)).encode()
    output = tmp_path / "out.jsonl"
    listening = signal.signal(signal.SIGINT, signal.default_int_handler)  # inherited: not ignored
    process = subprocess.Popen(
        [*PROGRAM, "rank", "--output", output], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    signal.signal(signal.SIGINT, listening)
    with process:
        process.stdin.write(content)
        process.stdin.flush()
        deadline = time.monotonic() + 20
        while not (output.exists() and output.read_bytes().count(b"\n") >= 63):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
        said = process.stderr.read().decode()
    assert said.count("\n") == 1
    assert "interrupted with 63 records answered" in said
    assert "--resume" in said
    assert [line["id"] for line in lines_of(output.read_text())] == list(
        range(63)
    )  # 1, 2, 4, ... 32 together
    result = run("rank", "--output", output, "--resume", stdin=content)
    assert result.exit_code == 0
    assert [line["id"] for line in lines_of(output.read_text())] == list(range(100))


def test_resume_refuses_results_of_another_question(tmp_path):
    output = tmp_path / "out.jsonl"
    assert run("rank", "--output", output, stdin=jsonl(SUM).encode()).exit_code == 0
    other = jsonl({**SUM, "instruction": "Another question?"}).encode()
    result = run("rank", "--output", output, "--resume", stdin=other + jsonl(SUM).encode())
    assert result.exit_code != 0
    assert "line 1 has another question or other answers" in result.stderr


def test_resume_leaves_a_file_of_something_else_alone(tmp_path):
    output = tmp_path / "precious.json"
    output.write_bytes(b'{"precious":"config"}')
    result = run("rank", "--output", output, "--resume", stdin=jsonl(SUM).encode())
    assert (result.exit_code, output.read_bytes()) == (2, b'{"precious":"config"}')
    assert "is no result" in result.stderr


def test_a_reader_that_stops_reading_ends_the_program_quietly(records):
    records.write_text(jsonl(SUM) * 3000)
    with subprocess.Popen(
        [*PROGRAM, "rank", str(records)], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert json.loads(process.stdout.readline())["line"] == 1
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(20) == 1


# --- usage errors ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["rank", "FILE", "--instruction", "q"], "not both"),
        (["rank", "--instruction", "q"], "belong together"),
        (["rank", "FILE", "--resume"], "give --output"),
        (["rank", "FILE", "--output", "x", "--resume", "--force"], "--force overwrites it"),
        (["rank", "missing.jsonl"], "missing.jsonl: No such file"),
        (["rank", "FOLDER"], "a folder, but no dataset was saved to it"),
        (["rank", "FILE", "--output", "FOLDER/no/x.jsonl"], "there is no folder"),
        (["rank", "FILE", "--schedule", "bubble"], "--schedule is for pairwise rankers"),
        (["rank", "FILE", "--aggregation", "copeland"], "--aggregation is for pairwise rankers"),
        (["rank", "FILE", "--ranker", PAIR_RANKER, "--schedule", "swiss"], "known: full, active"),
        (["rank", "FILE", "--ranker", PAIR_RANKER, "--aggregation", "x"], "known: max_logits"),
        (["rank", "FILE", "--ranker", PAIR_RANKER, "--device", "abacus"], "'abacus' cannot be"),
        (["rank", "FILE", "--ranker", "consensus:love"], "unknown similarity 'love'"),
        (["rank", "FILE", "--ranker", "FOLDER"], "config.json: file is missing"),
        (["rank", "FILE", "--ranker", FUSER], "no known pointwise format"),
        (["rank", "FILE", "--ranker", "nowhere"], "nowhere: no such folder"),
        (["rank", "FILE", "--ranker", "a/b", "--local-files-only"], "nor to be had from the hub"),
        (["blend", "FILE", "--fuser", "FOLDER"], "config.json: file is missing"),
    ],
)
def test_usage_errors_are_one_line_and_exit_2(arguments, reason, records, tmp_path):
    folder = tmp_path / "empty"
    folder.mkdir()
    names = {"FILE": str(records)}
    arguments = [names.get(a, a).replace("FOLDER", str(folder)) for a in arguments]
    result = run(*arguments)
    assert (result.exit_code, result.stdout) == (2, "")
    assert re.fullmatch(r"error: .*\n", result.stderr)
    assert reason in result.stderr


@pytest.mark.parametrize(
    "arguments", [["fuse"], ["rank", "--top-k", "3"], ["blend", "--top-k", "0"], ["juggle"]]
)
def test_wrong_options_exit_2(arguments):
    assert run(*arguments, stdin="").exit_code == 2


def test_error_messages_cannot_steer_the_terminal(records):
    result = run("rank", records, "--ranker", "x\x1b[2J\ny")
    assert result.stderr.startswith("error: x␛[2J y: no such folder")
    assert result.stderr.count("\n") == 1


# --- demo ------------------------------------------------------------------------------------


def test_demo_shows_everything_and_what_to_do_next():
    result = run("demo")
    assert (result.exit_code, result.stderr) == (0, "")
    for part in (
        "5 of 5",
        "pairranker-mini",
        "Order: ",
        "Judge (gpt4",
        "gpt-4-1106-preview",
        "Next:",
    ):
        assert part in result.stdout
    assert "\x1b" not in result.stdout  # no colours where there is no terminal


def test_demo_with_a_model(tmp_path):
    folder = tmp_path / "[red]ranker"
    CrossEncoder.from_pretrained(
        PAIR_RANKER, device="cpu", source_max_length=16, candidate_max_length=16
    ).save_pretrained(folder)
    result = run("demo", "--ranker", folder, "--device", "cpu")
    assert result.exit_code == 0
    assert "56 passes of the model" in result.stdout
    assert "[red]ranker" in result.stdout.replace("\n", "")


def test_heat_map_has_colours_and_reads_without_them():
    matrix = np.array([[0, 1.5, np.nan], [-1.5, 0, 0.25], [0, 0, 0]], np.float32)

    def drawn(**options):
        console = Console(file=StringIO(), width=80, **options)
        console.print(heat_map(matrix))
        return console.file.getvalue()

    coloured = drawn(force_terminal=True, color_system="truecolor", no_color=False)
    assert coloured.count("\x1b[37;48;2;") == 5  # all that was asked
    plain = drawn(no_color=True)
    assert "\x1b" not in plain
    assert [row.split() for row in plain.splitlines()] == [
        ["A", "B", "C"],
        ["A", "·", "+1.50", "·"],
        ["B", "-1.50", "·", "+0.25"],
        ["C", "+0.00", "+0.00", "·"],
    ]


# --- start -----------------------------------------------------------------------------------


def test_help_starts_fast():
    """In processor time, which does not depend on who else is busy."""

    def cost(command):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime

    bare = min(cost([sys.executable, "-c", "pass"]) for _ in range(3))
    assert min(cost([*PROGRAM, "--help"]) for _ in range(3)) - bare < 0.4


def test_help_and_consensus_import_no_model_library():
    script = """
import sys
from blender_core.cli import app
def loaded(*arguments):
    app(list(arguments), standalone_mode=False)
    return sorted({"torch", "transformers", "numpy"} & set(sys.modules))
assert loaded("--help") == [], sys.modules
assert loaded("rank", "--help") == []
options = ["--instruction", "q", "--candidate", "a", "--ranker", "consensus"]
assert loaded("rank", *options) == ["numpy"]
"""
    command = [sys.executable, "-c", script]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_version():
    result = run("--version")
    assert result.exit_code == 0
    assert re.fullmatch(r"blended-llm \d\S*\n", result.stdout)


# --- what a critical user found ----------------------------------------------------------------


@pytest.mark.parametrize("other", [["--ranker", "mini"], ["--ranker", "consensus:words"]])
def test_results_of_two_rankers_are_not_mixed_in_a_file(records, tmp_path, other):
    output = tmp_path / "ranked.jsonl"
    assert run("rank", records, "--ranker", "consensus", "--output", output).exit_code == 0
    before = output.read_text()
    result = run("rank", records, "--output", output, "--resume", *other)
    assert result.exit_code == 2
    assert "another ranker, fuser or other settings" in result.stderr
    assert output.read_text() == before
    again = run("rank", records, "--ranker", "consensus", "--output", output, "--resume")
    assert again.exit_code == 0


def test_packed_records_are_ranked_as_data_split_writes_them(records, tmp_path):
    packed = tmp_path / "records.jsonl.gz"
    packed.write_bytes(gzip.compress(records.read_bytes() + b"{broken\n"))
    result = run("rank", packed, "--ranker", "consensus")
    assert result.exit_code == 1
    assert len(lines_of(result.stdout)) == 2
    assert "line 3" in result.stderr


def test_a_score_that_no_record_has_is_named(tmp_path):
    file = tmp_path / "records.jsonl"
    file.write_text(jsonl({**SUM, "scores": {"judge": [1, 2, 3]}}))
    for option in (["--judge-score", "jugde"], ["--gap", "jugde=1"]):
        result = run("evaluate", file, "--ranker", "consensus", *option)
        assert result.exit_code == 2
        assert "no record has a score 'jugde'; there are: judge" in result.stderr
