"""A member that fails is seen in the log: once in a while, not at every call."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from threading import Lock

from blender_core.errors import describe

__all__ = ["tell_failures"]

logger = logging.getLogger(__name__)

EVERY = 60.0
"""Seconds in which a member's failures of one kind are told once."""

_told: dict[tuple[str, str], float] = {}
_lock = Lock()


def tell_failures(failures: Mapping[str, Exception]) -> None:
    """Warn of members that failed where others answered, once for a member and kind of failure."""
    now = time.monotonic()
    for name, error in failures.items():
        kind = name, type(error).__qualname__
        with _lock:
            is_new = now - _told.get(kind, -EVERY) >= EVERY
            if is_new:
                _told[kind] = now
        if is_new:
            logger.warning("member %r has no answer: %s", name, describe(error))
