"""One line of JSON: from bytes to a value and back, whatever characters are in it."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from blender_core.errors import InputError

__all__ = ["as_line", "not_blank", "parsed"]


def parsed(line: bytes) -> Any:
    """The JSON value of a line.

    Raises:
        InputError: it is not UTF-8 or not JSON.
    """
    try:
        return json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        wrong = line[error.start]
        raise InputError(f"not UTF-8: byte {error.start + 1} is 0x{wrong:02x}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise InputError("not usable JSON: nested too deeply") from None
    except ValueError:
        raise InputError("not usable JSON: a number has too many digits") from None


def as_line(value: Mapping[str, Any]) -> bytes:
    r"""A JSON object as one line: UTF-8 with its line break, no NaN.

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
