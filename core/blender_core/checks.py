"""Checks of single values where they come in."""

from __future__ import annotations

from blender_core.errors import InputError

__all__ = ["not_negative", "positive", "probability", "seconds", "text"]


def positive(name: str, value: object) -> int:
    """The value, if it is a whole number of at least 1.

    Raises:
        InputError: it is something else; the message names it.

    >>> positive("top_k", 3)
    3
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{name!r} must be a whole number of at least 1, got {value!r}")
    return value


def not_negative(name: str, value: object) -> int:
    """The value, if it is a whole number of at least 0.

    Raises:
        InputError: it is something else; the message names it.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise InputError(f"{name!r} must be a whole number of at least 0, got {value!r}")
    return value


def text(name: str, value: object) -> str:
    """The value, if it is a text.

    Raises:
        InputError: it is something else; the message names it.
    """
    if not isinstance(value, str):
        raise InputError(f"{name!r} must be a str, got {type(value).__name__}")
    return value


def seconds(name: str, value: object) -> None:
    """Check a limit of time.

    Raises:
        InputError: it is neither a positive number nor None; the message names it.
    """
    if value is not None and not (isinstance(value, int | float) and value > 0):
        raise InputError(f"{name!r} must be a positive number of seconds or None, got {value!r}")


def probability(name: str, value: object, least: float = 0.0) -> float:
    """The value, if it is a number from `least`, and above 0, to below 1.

    Raises:
        InputError: it is something else; the message names it.

    >>> probability("coverage", 0.9)
    0.9
    """
    if not isinstance(value, int | float) or not 0.0 < value < 1.0 or value < least:
        wanted = f"from {least} to" if least else "above 0 and"
        raise InputError(f"{name!r} must be a number {wanted} below 1, got {value!r}")
    return float(value)
