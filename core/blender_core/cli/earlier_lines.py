"""Lines of JSON that an earlier run of ours wrote, and the last one, which it may have torn."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pydantic_core import from_json

from blender_core.errors import InputError
from blender_core.json_values import parsed

__all__ = ["EarlierLines"]

_LONE_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F].{0,2}")


class EarlierLines:
    """Iterates over number, from 1, and value of each whole line.

    A last line without its line break is what was being written when the run was stopped, if it
    begins as ours do; whatever else it is, it must not be lost.

    Args:
        path: of the file.
        beginning: how every line begins.
        keys: that a line's object may have.

    Attributes:
        end: where the last whole line ends, in bytes, when all were seen.

    Raises:
        InputError: a line is no JSON, or the last one is torn and not ours.
    """

    def __init__(self, path: Path, beginning: bytes, keys: frozenset[str]) -> None:
        self.end = 0
        self._path = path
        self._beginning = beginning
        self._keys = keys

    def __iter__(self) -> Iterator[tuple[int, Any]]:
        with self._path.open("rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    if not self._may_be_ours(line):
                        raise InputError(f"{self._path}: line {number} is no result")
                    return
                try:
                    value = parsed(line)
                except InputError as error:
                    reason = f"line {number} is no result: {error}"
                    raise InputError(f"{self._path}: {reason}") from None
                yield number, value
                self.end += len(line)

    def _may_be_ours(self, torn: bytes) -> bool:
        """Whether this may be the first part of one of our lines, judged by the keys in it."""
        if not self._beginning.startswith(torn[: len(self._beginning)]):
            return False
        whole_characters = torn.decode("utf-8", "ignore").encode()
        try:
            part = from_json(_LONE_SURROGATE.sub(b"?", whole_characters), allow_partial=True)
        except ValueError:
            return len(torn) <= len(self._beginning)
        return isinstance(part, dict) and part.keys() <= self._keys
