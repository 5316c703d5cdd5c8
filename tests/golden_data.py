"""Where the golden data lies: tiny checkpoints and what the original program answered on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "data" / "golden"
CHECKPOINTS = GOLDEN / "checkpoints"


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
