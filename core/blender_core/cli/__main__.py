"""``python -m blender_core.cli`` is ``blended-llm``."""

from __future__ import annotations

from blender_core.cli import main

main()
