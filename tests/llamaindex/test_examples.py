"""The example runs as its first lines say, with a real client of a real server."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from retrieval_pipeline import CORPUS

EXAMPLE = Path(__file__).parents[2] / "examples" / "llamaindex" / "blended_rag.py"


def test_the_example_runs(port, tmp_path):
    for one in CORPUS[:8]:
        (tmp_path / f"{one['id']}.txt").write_text(one["text"], encoding="utf-8")
    done = subprocess.run(
        [sys.executable, EXAMPLE, tmp_path, "What does an assertion raise when it fails?"],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "OPENAI_API_KEY": "none",
            "OPENAI_BASE_URL": f"http://127.0.0.1:{port}/reader/v1",
        },
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "AssertionError" in done.stdout
    assert "'order': [" in done.stdout
    guide = (Path(__file__).parents[2] / "docs" / "llamaindex.md").read_text(encoding="utf-8")
    assert "examples/llamaindex/blended_rag.py" in guide
