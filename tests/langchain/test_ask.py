"""``blended-llm ask``, with real clients of a real server."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
from openai_server import RECORDS

from blender_core import MemberPrior

RECORDED = json.loads(RECORDS.read_text(encoding="utf-8").splitlines()[0])
QUESTION = RECORDED["instruction"]
TEXTS = {candidate["model"]: candidate["text"] for candidate in RECORDED["candidates"]}
MEMBERS = ["-m", "openai:claude-2.1", "-m", "openai:palm-2-chat-bison-001"]


@pytest.fixture
def ask(port):
    def run(*arguments: str, behaviour: str = "fine", stdin: str = "") -> Any:
        environment = {
            **os.environ,
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/{behaviour}/v1",
            "COLUMNS": "100",
        }
        return subprocess.run(
            [sys.executable, "-m", "blender_core.cli", "ask", *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=environment,
            check=False,
        )

    return run


def test_the_answer_goes_to_stdout_and_how_it_came_about_to_stderr(ask):
    done = ask(QUESTION, *MEMBERS, "--ranker", "mini")
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip("\n") in TEXTS.values()
    assert "claude-2.1" in done.stderr
    assert "palm-2-chat-bison-001" in done.stderr
    assert "no fuser · 2 passes" in done.stderr


def test_a_question_from_stdin_a_chat_model_that_fuses_and_nothing_else(ask):
    options = ["--ranker", "consensus", "--fuser", "openai:writer", "--no-verify", "--quiet"]
    done = ask("-", *MEMBERS, *options, stdin="What?")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("writer says: <question-")
    assert done.stderr == ""


def test_a_judge_takes_the_rankers_place(ask):
    done = ask(QUESTION, *MEMBERS, "--judge", "openai:judge")
    assert done.returncode == 0, done.stderr
    assert done.stdout == TEXTS["claude-2.1"] + "\n"  # the longer one
    assert "2 passes" in done.stderr


@pytest.mark.parametrize("strong", ["claude-2.1", "palm-2-chat-bison-001"])
def test_what_is_known_of_members_counts(ask, tmp_path, strong):
    [weak] = {*TEXTS} & {"claude-2.1", "palm-2-chat-bison-001"} - {strong}
    MemberPrior(((strong, weak, 20.0, None, 20.0),)).save(tmp_path / "prior.json")
    known = ["--members-prior", str(tmp_path / "prior.json")]
    done = ask(QUESTION, *MEMBERS, "--ranker", "consensus", *known)
    assert done.returncode == 0, done.stderr
    assert done.stdout == TEXTS[strong] + "\n"


def test_members_that_fail_are_named_each_with_its_error(ask):
    done = ask("What?", *MEMBERS, "--ranker", "consensus", behaviour="limited")
    assert done.returncode == 0  # the client tries again
    done = ask("What?", *MEMBERS, behaviour="nonsense")
    assert done.returncode == 1
    assert done.stdout == ""
    assert "claude-2.1: " in done.stderr
    assert "palm-2-chat-bison-001: " in done.stderr
    assert "error: 0 of the members answered, 1 needed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["What?"], "Missing option"),
        (["What?", "-m", "nonsense:x"], "error: --member: cannot make a chat model of"),
        (["What?", "-m", "openai:x", "--timeout", "-1"], "error: --timeout: Input should be"),
        (["What?", "-m", "openai:x", "--min-answers", "2"], "'min_answers' is 2 of only 1"),
        ([" ", "-m", "openai:x"], "error: the question is empty"),
        (["What?", "-m", "openai:x", "--ranker", "/no/where"], "error: /no/where"),
        (["What?", "-m", "openai:x", "--fuser", "/no/where"], "error: /no/where"),
    ],
)
def test_what_is_wrong_is_one_line(ask, arguments, words):
    done = ask(*arguments)
    assert done.returncode == 2
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
