"""What tests of the LlamaIndex classes share."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVER = Path(__file__).parents[1] / "openai_server.py"


@pytest.fixture(scope="session")
def port() -> Iterator[str]:
    """Of a server in a process of its own; see openai_server.py."""
    with subprocess.Popen([sys.executable, SERVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()
