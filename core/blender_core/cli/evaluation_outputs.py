"""Where an evaluation keeps what it computes, until its report is written."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from blender_core.cli.messages import say
from blender_core.errors import InputError, message_of

if TYPE_CHECKING:
    from blender_core.evaluation.store import Store

__all__ = ["Kept"]


@dataclass(frozen=True, slots=True)
class Kept:
    """The file, and what may happen to it.

    Args:
        file: the input.
        cache: the name that the user gave it, if any; then it stays.
        resume: whether to go on with what is there.
        force: whether to overwrite what is there.

    Raises:
        InputError: the options contradict.
    """

    file: Path
    cache: Path | None
    resume: bool
    force: bool

    def __post_init__(self) -> None:
        if self.resume and self.force:
            raise InputError("--resume keeps what is there, --force overwrites it")

    @property
    def path(self) -> Path:
        """Where it is."""
        return self.cache or Path(f"{self.file.name}.evaluation.partial")

    @contextmanager
    def store(self) -> Iterator[Store]:
        """What keeps results while they are computed."""
        from blender_core.evaluation.store import Store

        try:
            store = Store(self.path, resume=self.resume, force=self.force)
        except OSError as error:
            if self.cache is not None:
                raise
            say(f"{message_of(error)}. Nothing is kept: Ctrl-C would cost everything")
            store = Store()
        try:
            yield store
        finally:
            store.close()

    def farewell(self, store: Store) -> str:
        """What to say when it does not come to an end."""
        if store.path is None:
            return "interrupted; nothing is kept"
        return (
            f"interrupted; what is computed is in {store.path}. "
            "Give the same command with --resume (without --force) to go on"
        )

    def done(self) -> None:
        """The report is written: nothing has to be kept any more."""
        if self.cache is None:
            self.path.unlink(missing_ok=True)
