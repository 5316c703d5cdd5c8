"""Checking what callers hand in: lists that go together, words that are known."""

from __future__ import annotations

from collections.abc import Collection, Sequence, Sized
from typing import Any

from blender_core.candidates import Task
from blender_core.conversations import Asked
from blender_core.errors import InputError

__all__ = ["check_known", "check_lengths", "tasks_of"]


def check_known(name: str, value: Any, known: Collection[Any]) -> None:
    """Check that an argument has one of its values.

    Raises:
        InputError: it has another.
    """
    if value not in known:
        raise InputError(f"unknown {name} {value!r}; known: {', '.join(map(str, known))}")


def check_lengths(**columns: Sized | None) -> None:
    """Check that all lists given have one entry for each entry of the first.

    Raises:
        InputError: they have not, the first is empty, or one is a str.
    """
    given = {name: column for name, column in columns.items() if column is not None}
    for name, column in given.items():
        if isinstance(column, str):
            raise InputError(f"'{name}' must be a list, got one str")
    (first, count), *others = ((name, len(column)) for name, column in given.items())
    for name, other in others:
        if other != count:
            raise InputError(f"'{first}' has {count} entries, but '{name}' has {other}")
    if count == 0:
        raise InputError(f"'{first}' is empty")


def tasks_of(
    inputs: Sequence[Asked],
    candidates: Sequence[Sequence[str]],
    instructions: Sequence[str] | None = None,
) -> list[Task]:
    """One task an input.

    Raises:
        InputError: the lists do not go together, or one entry is not usable; its place is named.
    """
    check_lengths(inputs=inputs, candidates=candidates, instructions=instructions)
    tasks = []
    for place, (text, answers) in enumerate(zip(inputs, candidates, strict=True)):
        instruction = "" if instructions is None else instructions[place]
        try:
            tasks.append(Task(instruction, answers, text))
        except InputError as error:
            raise InputError(f"input {place}: {error}") from error
    return tasks
