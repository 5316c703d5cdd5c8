"""Settings for all tests."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes is no property of ours, and machines are busy.
settings.register_profile("any machine", deadline=None, derandomize=True)
settings.load_profile("any machine")

# Whoever runs the tests in the background of a shell has Ctrl-C switched off, also for what the
# tests start and interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

SERVER = Path(__file__).parent / "openai_server.py"


@pytest.fixture(scope="session")
def port() -> Iterator[str]:
    """Of a server in a process of its own; see openai_server.py."""
    with subprocess.Popen([sys.executable, SERVER], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.terminate()
