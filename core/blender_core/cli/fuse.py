"""``blended-llm fuse``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from blender_core.cli import options
from blender_core.cli.options import Loading

if TYPE_CHECKING:
    from blender_core.candidates import Task

__all__ = ["fuse"]

_WINDOW = 16  # writing takes long, and a window is what an interruption costs


def fuse(
    fuser: Annotated[
        str,
        typer.Option(
            help="Hub id or folder of a sequence-to-sequence fuser.", rich_help_panel="Models"
        ),
    ],
    file: options.File = None,
    instruction: options.Instruction = None,
    candidate: options.Candidates = None,
    max_new_tokens: options.MaxNewTokens = None,
    device: options.Device = None,
    dtype: options.Dtype = None,
    local_files_only: options.LocalFilesOnly = False,
    output: options.Output = None,
    resume: options.Resume = False,
    force: options.Force = False,
    quiet: options.Quiet = False,
) -> None:
    """Write one answer from all given ones, which come best first.

    To rank them before, and to keep the fused text only if it is better, use blend.
    """
    from blender_core.cli.models import load_fuser
    from blender_core.cli.records import read_record
    from blender_core.cli.rows import Fused
    from blender_core.cli.views import fused_view
    from blender_core.cli.work import Given, Verb, Wanted, work

    def load() -> Verb[str]:
        loading = Loading(device, dtype, local_files_only=local_files_only, quiet=quiet)
        chosen = load_fuser(fuser, loading, max_new_tokens)
        return Verb(
            read_record,
            chosen.fuse_many,
            _as_json,
            fused_view,
            settings=(fuser, max_new_tokens),
            window=_WINDOW,
        )

    work(Given(file, instruction, candidate), Wanted(output, resume, force, quiet), Fused, load)


def _as_json(task: Task, text: str) -> dict[str, Any]:
    from blender_core.candidates import name_of

    names = [name_of(task.candidates, index) for index in range(len(task.candidates))]
    return {"text": text, "sources": names}
