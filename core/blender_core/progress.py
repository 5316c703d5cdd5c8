"""Progress bars: who starts the work says once whether they are drawn."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tqdm import tqdm

__all__ = ["bars_drawn", "progress_bar"]

_are_drawn: ContextVar[bool] = ContextVar("are_drawn", default=False)


@contextmanager
def bars_drawn(wanted: bool) -> Iterator[None]:
    """While this lasts, work draws bars if they are wanted here or were wanted around it."""
    token = _are_drawn.set(wanted or _are_drawn.get())
    try:
        yield
    finally:
        _are_drawn.reset(token)


def progress_bar(*, total: int, unit: str, title: str | None = None) -> tqdm[Any]:
    """A bar on stderr, to be used as a context manager.

    Nothing is drawn where no bars are wanted, and where the environment has ``TQDM_DISABLE=1``.
    """
    from tqdm import tqdm

    switched_off = os.environ.get("TQDM_DISABLE", "").lower() in ("1", "true", "yes", "on")
    disabled = switched_off or not _are_drawn.get()
    return tqdm(total=total, unit=unit, desc=title, disable=disabled, leave=False)
