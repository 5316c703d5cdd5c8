"""The beginning of a GGUF file, held against the file's size before any library reads it.

The libraries believe what is written there: a list of 2**60 numbers keeps them busy for ever. So
all counts are bounded first, and every tensor must lie inside the file.
Source: the format's description, ggml-org/ggml, ``docs/gguf.md``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from blender_core.errors import CheckpointError
from blender_core.models.files import refuse_pointer
from blender_core.validation import brief, reason

__all__ = ["GgufHeader", "read_header"]

_SCALARS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
"""Bytes of a value, by its type."""

_UINT32, _STRING, _ARRAY = 4, 8, 9
_ALIGNMENT = 32
_KEYS_AT_MOST = 10_000
_TENSORS_AT_MOST = 100_000
_ITEMS_AT_MOST = 4_000_000
"""Of all lists together; the largest vocabularies have 300 thousand tokens and as many merges."""
_NAME_AT_MOST = 1_000


@dataclass(frozen=True, slots=True)
class GgufHeader:
    """What is needed of it before the rest is read.

    Attributes:
        tensors: how many numbers each has, by name.
        splitting: the name of the way in which text is split before it is tokenized, or "".
    """

    tensors: Mapping[str, int]
    splitting: str


def read_header(file: Path, blocks: Mapping[int, tuple[int, int]]) -> GgufHeader:
    """Read and check the header.

    Args:
        file: in the GGUF format, version 2 or 3, little-endian.
        blocks: numbers and bytes of a block, by the type of a tensor.

    Raises:
        CheckpointError: it is none, is cut short, or says what cannot be.
    """
    refuse_pointer(file)
    try:
        with file.open("rb") as stream:
            return _Reader(stream, file.stat().st_size, file).header(blocks)
    except OSError as error:
        raise CheckpointError(f"{file}: not readable: {reason(error)}") from error


class _Reader:
    def __init__(self, stream: BinaryIO, size: int, file: Path) -> None:
        self._stream, self._size, self._file = stream, size, file
        self._items = 0

    def header(self, blocks: Mapping[int, tuple[int, int]]) -> GgufHeader:
        if self._stream.read(4) != b"GGUF":
            raise self._broken("no GGUF file")
        version = self._number("<I")
        if version not in (2, 3):
            raise self._broken(f"of version {version}, and 2 and 3 are read")
        count = self._number("<Q", _TENSORS_AT_MOST, "tensors")
        alignment, splitting = _ALIGNMENT, ""
        for _ in range(self._number("<Q", _KEYS_AT_MOST, "keys")):
            key, kind = self._text(_NAME_AT_MOST), self._number("<I")
            if key == "general.alignment" and kind == _UINT32:
                alignment = self._number("<I")
            elif key == "tokenizer.ggml.pre" and kind == _STRING:
                splitting = self._text(_NAME_AT_MOST)
            else:
                self._skip_value(kind)
        described = [self._tensor() for _ in range(count)]
        if alignment < 1:
            raise self._broken(f"aligned to {alignment} bytes")
        start = -(-self._stream.tell() // alignment) * alignment
        tensors = {tensor[0]: self._numbers(*tensor, start, blocks) for tensor in described}
        if len(tensors) < count:
            raise self._broken("two tensors have the same name")
        return GgufHeader(tensors, splitting)

    def _numbers(
        self,
        name: str,
        shape: tuple[int, ...],
        kind: int,
        offset: int,
        start: int,
        blocks: Mapping[int, tuple[int, int]],
    ) -> int:
        """How many numbers a tensor has, which must lie inside the file."""
        if kind not in blocks:
            raise self._broken(f"{brief(name)} has numbers of an unknown type, {kind}")
        numbers = math.prod(shape)
        in_block, block_bytes = blocks[kind]
        if not shape or min(shape) < 1 or shape[0] % in_block:
            raise self._broken(f"{brief(name)} has the impossible shape {shape}")
        end = start + offset + numbers // in_block * block_bytes
        if end > self._size:
            raise self._broken(
                f"cut short: {brief(name)} ends at byte {end:,}, the file at {self._size:,}; "
                "download it again"
            )
        return numbers

    def _tensor(self) -> tuple[str, tuple[int, ...], int, int]:
        """Name, shape, type and place among the data."""
        name = self._text(_NAME_AT_MOST)
        shape = tuple(self._number("<Q") for _ in range(self._number("<I", 8, "dimensions")))
        return name, shape, self._number("<I"), self._number("<Q")

    def _skip_value(self, kind: int) -> None:
        if kind == _STRING:
            self._skip(self._number("<Q"))
        elif kind == _ARRAY:
            inner, count = self._number("<I"), self._number("<Q", _ITEMS_AT_MOST, "items")
            self._items += count
            if self._items > _ITEMS_AT_MOST:
                raise self._broken(f"more than {_ITEMS_AT_MOST:,} items in lists")
            if inner == _ARRAY:
                raise self._broken("a list of lists")
            for _ in range(count if inner == _STRING else 0):
                self._skip(self._number("<Q"))
            if inner != _STRING:
                self._skip(count * self._width(inner))
        else:
            self._skip(self._width(kind))

    def _width(self, kind: int) -> int:
        if kind not in _SCALARS:
            raise self._broken(f"a value of the unknown type {kind}")
        return _SCALARS[kind]

    def _number(self, form: str, at_most: int | None = None, what: str = "") -> int:
        (number,) = struct.unpack(form, self._bytes(struct.calcsize(form)))
        if at_most is not None and number > at_most:
            raise self._broken(f"it speaks of {number:,} {what}; at most {at_most:,} are read")
        return int(number)

    def _text(self, at_most: int) -> str:
        content = self._bytes(self._number("<Q", at_most, "letters of a name"))
        return content.decode("utf-8", "replace")

    def _bytes(self, count: int) -> bytes:
        content = self._stream.read(count)
        if len(content) < count:
            raise self._ends()
        return content

    def _skip(self, count: int) -> None:
        if self._stream.tell() + count > self._size:
            raise self._ends()
        self._stream.seek(count, 1)

    def _ends(self) -> CheckpointError:
        return self._broken("cut short: it ends within its header; download it again")

    def _broken(self, what: str) -> CheckpointError:
        return CheckpointError(f"{self._file}: not a usable GGUF file: {what}")
