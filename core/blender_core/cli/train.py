"""``blended-llm train ranker`` and ``blended-llm train fuser``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from blender_core.cli import options
from blender_core.cli.messages import INTERRUPTED, say

__all__ = ["train"]

train = typer.Typer(
    help="Train a pairwise ranker or a fuser on records, as a config says.", no_args_is_help=True
)

Config = Annotated[Path, typer.Argument(help="A YAML file.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on from the last checkpoint in the config's output.")
]


@train.command()
def ranker(config: Config, resume: Resume = False, quiet: options.Quiet = False) -> None:
    """Train a pairwise ranker on judged answers."""
    from blender_core.training.config import RankerConfig, read_config

    wanted = read_config(config, RankerConfig)

    def load() -> Callable[..., Path]:
        from blender_core.training.ranker_trainer import train_ranker

        return train_ranker

    _train(load, wanted, resume=resume, quiet=quiet)


@train.command()
def fuser(config: Config, resume: Resume = False, quiet: options.Quiet = False) -> None:
    """Train a fuser to write each record's output from its answers."""
    from blender_core.training.config import FuserConfig, read_config

    wanted = read_config(config, FuserConfig)

    def load() -> Callable[..., Path]:
        from blender_core.training.fuser_trainer import train_fuser

        return train_fuser

    _train(load, wanted, resume=resume, quiet=quiet)


def _train(
    load: Callable[[], Callable[..., Path]], config: Any, *, resume: bool, quiet: bool
) -> None:
    import os
    from importlib.util import find_spec

    from blender_core.cli.messages import shows_progress
    from blender_core.errors import MissingExtraError

    if find_spec("accelerate") is None:
        raise MissingExtraError("training", "train")
    run = load()
    from transformers.utils import logging

    from blender_core.training.saving import TrainingInterrupted

    logging.disable_progress_bar()  # one a checkpoint, across ours
    is_main = os.environ.get("RANK", "0") == "0"  # set by accelerate and torchrun
    quiet = quiet or not is_main
    try:
        folder = run(
            config,
            resume=resume,
            report=(lambda _: None) if quiet else say,
            show_progress=shows_progress(quiet=quiet),
        )
    except TrainingInterrupted as interruption:
        say(str(interruption))
        raise typer.Exit(INTERRUPTED) from None
    if is_main:
        typer.echo(str(folder))
