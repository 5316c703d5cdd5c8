"""Pointers of Git LFS: what a clone has in place of large files until they are fetched."""

from __future__ import annotations

from pathlib import Path

__all__ = ["POINTER", "is_pointer"]

POINTER = "a pointer of Git LFS, not the file itself; fetch that with 'git lfs pull'"
"""What to say of one."""

_BEGINNING = b"version https://git-lfs"


def is_pointer(file: Path) -> bool:
    """Whether that is what lies there.

    Raises:
        OSError: it cannot be read.
    """
    if not file.is_file():
        return False
    with file.open("rb") as stream:
        return stream.read(len(_BEGINNING)) == _BEGINNING
