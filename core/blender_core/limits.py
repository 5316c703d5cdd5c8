"""A limit on time for all that a blend does, and work that is given up when it is too slow."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from math import inf
from typing import Any, TypeVar

from blender_core.errors import MemberTimeoutError, QuorumError
from blender_core.members import aask, ask

__all__ = ["Deadline", "apieces_within", "awithin", "pieces_within", "within"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Deadline:
    """Counts from when it is made.

    Attributes:
        seconds: that all may take together; None for no limit.
    """

    seconds: float | None
    _start: float = field(default_factory=time.monotonic)

    def left(self, at_most: float | None = None, *, at_least: float = 0.0) -> float | None:
        """Seconds left, None where there is no limit.

        Args:
            at_most: a limit of its own.
            at_least: what is given in any case, as a share of the whole.
        """
        limit = inf if at_most is None else at_most
        if self.seconds is not None:
            left = self._start + self.seconds - time.monotonic()
            limit = min(limit, max(left, at_least * self.seconds))
        return None if limit == inf else limit


def within(seconds: float | None, what: str, work: Callable[[], T]) -> T:
    """The result of work that may take so long.

    It runs in a thread, which is left to itself when time is up.

    Args:
        seconds: None for any time.
        what: the work, for the error's message.
        work: does it; None is no result.

    Raises:
        MemberTimeoutError: time is up.
        Exception: what the work raises.
    """
    if seconds is None:
        return work()
    _check(seconds, what)
    try:
        return ask({what: lambda _: work()}, None, timeout=seconds).answers[what]
    except QuorumError as error:
        raise error.failures[what] from None


async def awithin(seconds: float | None, what: str, work: Callable[[], Awaitable[T]]) -> T:
    """Like `within`; the work is cancelled when time is up."""
    if seconds is None:
        return await work()
    _check(seconds, what)
    try:
        return (await aask({what: lambda _: work()}, None, timeout=seconds)).answers[what]
    except QuorumError as error:
        raise error.failures[what] from None


def pieces_within(
    seconds: float | None, what: str, start: Callable[[], Iterator[str]]
) -> Iterator[str]:
    """The pieces of a text all of which may take so long; arguments and errors as in `within`."""
    if seconds is None:
        yield from start()
        return
    deadline = Deadline(seconds)
    pieces = start()
    try:
        while piece := within(deadline.left(), what, lambda: _next(pieces)):
            yield piece[0]
    except MemberTimeoutError:
        raise  # it is still being read
    except BaseException:
        _close(pieces)
        raise


async def apieces_within(
    seconds: float | None, what: str, start: Callable[[], AsyncIterator[str]]
) -> AsyncIterator[str]:
    """Like `pieces_within`."""
    deadline = Deadline(seconds)
    pieces: Any = start()
    try:
        while piece := await awithin(deadline.left(), what, lambda: _anext(pieces)):
            yield piece[0]
    finally:
        if hasattr(pieces, "aclose"):
            await pieces.aclose()


def _next(pieces: Iterator[str]) -> tuple[str, ...]:
    """The next piece, nothing at the end."""
    for piece in pieces:
        return (piece,)
    return ()


async def _anext(pieces: AsyncIterator[str]) -> tuple[str, ...]:
    async for piece in pieces:
        return (piece,)
    return ()


def _close(pieces: Iterator[str]) -> None:
    close = getattr(pieces, "close", None)
    if close is not None:
        close()


def _check(seconds: float, what: str) -> None:
    if seconds <= 0:
        raise MemberTimeoutError(f"the deadline had passed before {what} could begin")
