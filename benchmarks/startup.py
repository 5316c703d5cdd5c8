"""Time to import the package and to show the command's help, over the bare interpreter."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.models import seconds

CODE = {
    "bare interpreter": "pass",
    "import blender_core": "import blender_core",
    "from blender_core import PairRanker": "from blender_core import PairRanker",
    "blended-llm --help": "import sys; sys.argv = ['blended-llm', '--help']\n"
    "from blender_core.cli import main\n"
    "try: main()\nexcept SystemExit: pass",
}


def main() -> None:
    bare = 0.0
    for name, code in CODE.items():
        run = [sys.executable, "-c", code + "\nimport sys; assert 'torch' not in sys.modules"]
        took = seconds(lambda: subprocess.run(run, check=True, stdout=subprocess.DEVNULL), 7)  # noqa: B023
        bare = bare or took
        print(f"{name:<40} {took * 1e3:6.0f} ms, {(took - bare) * 1e3:+6.0f} ms")
