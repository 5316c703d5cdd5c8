"""Work on many items at a time that may fail; then on each alone, so that it costs only itself."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from typing import TypeVar

from blender_core.errors import ModelOutputError

__all__ = ["atogether", "together"]

Item = TypeVar("Item")
Result = TypeVar("Result")
Fatal = tuple[type[Exception], ...]


def together(
    items: Sequence[Item],
    work: Callable[[Sequence[Item]], Iterable[Result]],
    *,
    patience: int | None = None,
    fatal: Fatal = (),
) -> Iterator[Result | Exception]:
    """The result of each item or, where also the work on it alone failed, the exception.

    Results come in the order of the items; where the joint work failed, each as soon as it is
    there.

    Args:
        items: that are given to the work together or, if that raises, one by one.
        work: from items to one result each; another number of them is a failure.
        patience: after so many failures in a row, what works is taken to be away: it is asked no
            more, and the items left over fail as the joint work did. None never gives up.
        fatal: exceptions that no item can do without; they are raised.
    """
    if not items:
        return
    joint = _tried(items, work, fatal)
    if isinstance(joint, list):
        yield from joint
        return
    if len(items) == 1:
        yield joint
        return
    in_a_row = 0
    for item in items:
        if in_a_row == patience:
            yield joint
            continue
        alone = _tried([item], work, fatal)
        in_a_row = 0 if isinstance(alone, list) else in_a_row + 1
        yield alone[0] if isinstance(alone, list) else alone


async def atogether(
    items: Sequence[Item],
    work: Callable[[Sequence[Item]], Awaitable[Iterable[Result]]],
    *,
    patience: int | None = None,
    fatal: Fatal = (),
) -> AsyncIterator[Result | Exception]:
    """Like `together`, for work that is awaited."""
    if not items:
        return
    joint = await _atried(items, work, fatal)
    if isinstance(joint, list):
        for result in joint:
            yield result
        return
    if len(items) == 1:
        yield joint
        return
    in_a_row = 0
    for item in items:
        if in_a_row == patience:
            yield joint
            continue
        alone = await _atried([item], work, fatal)
        in_a_row = 0 if isinstance(alone, list) else in_a_row + 1
        yield alone[0] if isinstance(alone, list) else alone


def _tried(
    items: Sequence[Item], work: Callable[[Sequence[Item]], Iterable[Result]], fatal: Fatal
) -> list[Result] | Exception:
    try:
        return _one_each(items, work(items))
    except fatal:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, it costs what it is about
        return error


async def _atried(
    items: Sequence[Item],
    work: Callable[[Sequence[Item]], Awaitable[Iterable[Result]]],
    fatal: Fatal,
) -> list[Result] | Exception:
    try:
        return _one_each(items, await work(items))
    except fatal:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        return error


def _one_each(items: Sequence[Item], results: Iterable[Result]) -> list[Result]:
    found = list(results)
    if len(found) != len(items):
        raise ModelOutputError(f"{len(found)} results for {len(items)} items")
    return found
