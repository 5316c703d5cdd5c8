"""The program: its commands, and how it ends when something is wrong."""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from blender_core._version import __version__
from blender_core.cli.ask import ask
from blender_core.cli.audit_ranker import audit_ranker
from blender_core.cli.bench_schedules import bench_schedules
from blender_core.cli.blend import blend
from blender_core.cli.calibrate import calibrate
from blender_core.cli.compare import compare
from blender_core.cli.data import data
from blender_core.cli.demo import demo
from blender_core.cli.evaluate import evaluate
from blender_core.cli.fit_members import fit_members
from blender_core.cli.fuse import fuse
from blender_core.cli.messages import INTERRUPTED, USAGE, say
from blender_core.cli.rank import rank
from blender_core.cli.train import train
from blender_core.errors import BlenderError, message_of

__all__ = ["app", "main"]


class Program(TyperGroup):
    """Turns errors that are about what the user gave into one line on stderr."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # typer's business: whoever read our output has seen enough
        except (BlenderError, OSError) as error:
            say(f"error: {_reason(error)}")
            raise typer.Exit(USAGE) from None
        except KeyboardInterrupt:
            say("interrupted")
            raise typer.Exit(INTERRUPTED) from None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}"
    return message_of(error)


app = typer.Typer(
    cls=Program,
    help="Compare the answers of many LLMs two by two, rank them, fuse the best.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    demo,
    ask,
    rank,
    compare,
    fuse,
    blend,
    evaluate,
    calibrate,
    fit_members,
    audit_ranker,
    bench_schedules,
)
for command in COMMANDS:
    app.command(no_args_is_help=False)(command)
app.add_typer(data, name="data")
app.add_typer(train, name="train")


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"blended-llm {__version__}")
        raise typer.Exit


@app.callback()
def program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Print the version.", callback=_print_version, is_eager=True
        ),
    ] = False,
) -> None:
    """Compare the answers of many LLMs two by two, rank them, fuse the best."""


def main() -> None:
    """Run the program; the entry point of ``blended-llm``."""
    app()
