"""Every example runs as its first lines say, with real clients of a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "langchain").glob("*.py"))
SAYS = {
    "agent.py": "It is sunny in What is the weather in Rome?",
    "best_of_n.py": "one says: What is 17 * 23?",
    "chain.py": "says: Explain why the sky is blue",
    "compressor.py": "Canberra",
    "judge.py": "'input_tokens'",
    "observe.py": '"order": [',
}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.name)
def test_examples_run(example, port):
    behaviour = "tool" if example.name == "agent.py" else "fine"
    environment = {
        **os.environ,
        "OPENAI_API_KEY": "none",
        "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/{behaviour}/v1",
    }
    done = subprocess.run(
        [sys.executable, example, "openai:one", "openai:two"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert SAYS[example.name] in done.stdout


def test_every_example_is_listed_in_the_guide():
    guide = (Path(__file__).parents[2] / "docs" / "langchain.md").read_text(encoding="utf-8")
    assert [path.name for path in EXAMPLES if f"examples/langchain/{path.name}" not in guide] == []
