"""Failing: members that have no answer are seen in the log, and do not flood it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from logging import Logger

from blender_core.errors import describe

__all__ = ["Failing"]

_QUIET = 300.0
"""Seconds after a warning in which the same is not warned of again."""


class Failing:
    """Warns of each member and kind of failure once in five minutes."""

    def __init__(self, logger: Logger) -> None:
        self._logger = logger
        self._warned: dict[tuple[str, type], float] = {}

    def note(self, failures: Mapping[str, Exception]) -> None:
        """Write into the log what is news.

        Args:
            failures: why members gave no answer, by name.
        """
        for name, error in failures.items():
            now, before = time.monotonic(), self._warned.get((name, type(error)))
            if before is None or now - before >= _QUIET:
                self._warned[name, type(error)] = now
                self._logger.warning("%s gave no response: %s", name, describe(error))
