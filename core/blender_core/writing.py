"""Files that are written: what may be overwritten, and whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from blender_core.errors import InputError

__all__ = ["check_target", "is_stream", "whole_file"]


def check_target(
    path: Path,
    *,
    source: str | Path | None = None,
    overwrite: bool = False,
    streams: bool = True,
    advice: str = "--force overwrites it",
) -> None:
    """Check that a file can be written without losing anything.

    A device or a pipe is written to as a stream. A symbolic link is refused: whoever means the
    file behind it can name that.

    Args:
        path: of the file.
        source: the input.
        overwrite: whether it may be there already.
        streams: whether a device or a pipe will do.
        advice: what to say where it is there.

    Raises:
        InputError: it is there, is the input, a folder, a link or in no folder.
    """
    if path.is_symlink() and not is_stream(path):
        raise InputError(
            f"{path} is a symbolic link to {path.readlink()}; name the file itself to write to it"
        )
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}")
    if not path.exists():
        return
    if source is not None and Path(source).exists() and path.samefile(source):
        raise InputError(f"{path} is the input; write the results elsewhere")
    if is_stream(path):
        if not streams:
            raise InputError(f"{path} is a device or a pipe, which keeps nothing; name a file")
    elif not overwrite:
        raise InputError(f"{path} exists; {advice}")


def is_stream(path: Path) -> bool:
    """Whether something is there that takes bytes and is no file: a device, a pipe, a socket."""
    return path.exists() and not path.is_file() and not path.is_dir()


@contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """A file that gets its name when all of it is written; a stream is written to directly.

    Raises:
        OSError: it cannot be written; an earlier one of that name stays as it was.
    """
    if is_stream(path):
        with path.open("wb") as stream:
            yield stream
        return
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    file = partial.open("xb")
    try:
        with file:
            yield file
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
