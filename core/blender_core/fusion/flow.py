"""How many tasks are fused by a fuser that may fail: whatever it does costs only the fusing."""

from __future__ import annotations

from collections.abc import Generator, Sequence

from blender_core.candidates import Task
from blender_core.errors import ModelOutputError

__all__ = ["Fused", "fusing_flow"]

Fused = Sequence[str] | Exception
"""What became of tasks given to a fuser: their texts, or what it raised."""

_AWAY = 3
"""After so many failures in a row the fuser is taken to be away, and not asked any more."""


def fusing_flow(
    tasks: Sequence[Task],
) -> Generator[list[Task], Fused, list[str | Exception]]:
    """Fuse tasks together or, where that fails, one by one.

    Yields tasks to fuse together, is sent what became of them, and returns a text or an exception
    for each task.
    """
    together = _checked((yield list(tasks)), len(tasks))
    if not isinstance(together, Exception):
        return list(together)
    if len(tasks) == 1:
        return [together]
    results: list[str | Exception] = []
    failures = 0
    for task in tasks:
        if failures == _AWAY:
            results.append(together)
            continue
        alone = _checked((yield [task]), 1)
        failures = failures + 1 if isinstance(alone, Exception) else 0
        results.append(alone if isinstance(alone, Exception) else alone[0])
    return results


def _checked(fused: Fused, count: int) -> Fused:
    """What was fused, or an error if it is not one text a task."""
    if isinstance(fused, Exception):
        return fused
    if isinstance(fused, list) and [type(text) for text in fused] == [str] * count:
        return fused
    return ModelOutputError(f"the fuser was to write {count} texts and gave {fused!r:.80}")
