"""The command line, ``blended-llm``: one file a command.

Only typer is imported before a command runs; models, numpy and rich come with their first use.
"""

from __future__ import annotations

from blender_core.cli.app import app, main

__all__ = ["app", "main"]
