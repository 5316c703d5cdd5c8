"""Folders that are written whole or not at all, and what stops a training without losing it."""

from __future__ import annotations

import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError

from blender_core.errors import NotSavedError, first_line

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Interruption", "TrainingInterrupted", "unfinished", "whole"]


class TrainingInterrupted(KeyboardInterrupt):
    """Ctrl-C or SIGTERM stopped a training; the message says what was kept and how to go on."""


def unfinished(folder: Path) -> Path:
    """Where a folder is written before it gets its name."""
    return folder.with_name(f".{folder.name}.unfinished")


@contextmanager
def whole(folder: Path, kept: Callable[[], str]) -> Iterator[Path]:
    """A folder to write to, which takes its name at the end, in place of an earlier one.

    Args:
        folder: the name.
        kept: tells, for the error's message, what an earlier save has left.

    Raises:
        NotSavedError: writing failed; of this folder nothing stays, an earlier one is untouched.
    """
    partial = unfinished(folder)
    before = folder.with_name(f".{folder.name}.before")
    try:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        yield partial
        if folder.exists():
            folder.rename(before)
        partial.rename(folder)
        shutil.rmtree(before, ignore_errors=True)
    except BaseException as error:
        with suppress(OSError):
            shutil.rmtree(partial)
        if before.exists() and not folder.exists():
            before.rename(folder)
        # torch and safetensors have their own words for a full disk.
        if not isinstance(error, OSError | SafetensorError | RuntimeError):
            raise
        reason = first_line(error)
        raise NotSavedError(f"{folder} could not be saved: {reason}. {kept()}") from error


class Interruption:
    """While active, the first Ctrl-C only asks for an end; the second one ends at once.

    SIGTERM, by which Slurm, Kubernetes and ``timeout`` end a program, is taken like Ctrl-C.

    Args:
        report: is told that the end was asked for.

    Attributes:
        asked: whether it was.
    """

    def __init__(self, report: Callable[[str], None]) -> None:
        self.asked = False
        self._report = report
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        # Elsewhere than in the main thread there are no signals.
        if threading.current_thread() is threading.main_thread():
            for one in (signal.SIGINT, signal.SIGTERM):
                self._before[one] = signal.signal(one, self._ask)
        return self

    def __exit__(self, *_: object) -> None:
        for one, before in self._before.items():
            signal.signal(one, before)
        self._before.clear()

    def _ask(self, _: int, __: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        with suppress(RuntimeError):  # whoever was interrupted may have been writing there
            self._report("stopping after this step, with a checkpoint; Ctrl-C again stops at once")
