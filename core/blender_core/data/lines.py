"""Lines of JSON: finding and writing them, whatever characters are in them."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

__all__ = ["as_line", "not_blank"]


def as_line(value: Any) -> bytes:
    r"""A JSON value as one line: UTF-8 with its line break, no NaN.

    A lone surrogate, which UTF-8 has not, is written as JSON's own escape ``\ud83d``.
    """
    text = json.dumps(_finite(value), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "backslashreplace") + b"\n"


def _finite(value: Any) -> Any:
    """The value with null for NaN and infinity, which JSON has not."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value


def not_blank(lines: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """The lines that hold something, numbered from 1, without a byte order mark."""
    for number, line in enumerate(lines, 1):
        content = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
        if content.strip():
            yield number, content
