"""JSON from bytes: whatever is in a file, a usable value or one sentence."""

from __future__ import annotations

import json
from typing import Any

from blender_core.errors import InputError

__all__ = ["check_depth", "parsed"]

_DEEPEST = 100
"""Levels. More serve nobody, and exhaust those who walk through a value level by level."""


def parsed(content: bytes) -> Any:
    """The JSON value.

    Raises:
        InputError: it is not UTF-8, not JSON, or nested too deeply.
    """
    try:
        value = json.loads(content.decode("utf-8"))
    except UnicodeDecodeError as error:
        wrong = content[error.start]
        raise InputError(f"not UTF-8: byte {error.start + 1} is 0x{wrong:02x}") from None
    except json.JSONDecodeError as error:
        raise InputError(f"not JSON: {error.msg} at character {error.pos + 1}") from None
    except RecursionError:
        raise InputError("not usable JSON: nested too deeply") from None
    except ValueError:
        raise InputError("not usable JSON: a number has too many digits") from None
    # Counting is fast, and enough for nearly every value.
    if content.count(b"[") + content.count(b"{") > _DEEPEST:
        check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """Refuse what is nested more than 100 levels deep.

    Raises:
        InputError: it is.
    """
    level = [value]
    for _ in range(_DEEPEST + 1):
        containers = [part for part in level if isinstance(part, dict | list)]
        if not containers:
            return
        level = [
            part
            for container in containers
            for part in (container.values() if isinstance(container, dict) else container)
        ]
    raise InputError(f"not usable JSON: nested too deeply (more than {_DEEPEST} levels)")
