"""Sync work in a thread of its own, awaited in an event loop, in the caller's context."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import suppress
from contextvars import copy_context
from threading import Event, Thread
from typing import TypeVar, cast

__all__ = ["in_own_thread", "in_thread"]

Q = TypeVar("Q")
A = TypeVar("A")


def in_own_thread(call: Callable[[Q], A]) -> Callable[[Q], Awaitable[A]]:
    """A sync call as an async one: each has a thread of its own.

    The threads of the event loop's pool are few, and who waits for one of them may be out of time
    before it starts. A thread cannot be stopped: one that is given up is left to itself.
    """

    async def called(question: Q) -> A:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[A] = loop.create_future()

        def end(result: A | None, error: BaseException | None) -> None:
            if future.done():
                return  # given up
            if error is None:
                future.set_result(cast("A", result))
            else:
                future.set_exception(_raisable(error))

        def work() -> None:
            try:
                result = call(question)
            except BaseException as error:  # noqa: BLE001 - raised where it is awaited
                ended: tuple[A | None, BaseException | None] = None, error
            else:
                ended = result, None
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(end, *ended)

        Thread(target=copy_context().run, args=(work,), daemon=True).start()
        return await future

    return called


def _raisable(error: BaseException) -> BaseException:
    """The error, as one that a future can hold."""
    return RuntimeError("raised StopIteration") if isinstance(error, StopIteration) else error


async def in_thread(start: Callable[[], Iterator[str]]) -> AsyncIterator[str]:
    """Yield what an iterator yields that is made and read in a thread, in the caller's context.

    Nobody waits for the thread when reading ends early; it stops after the piece it is at.
    """
    loop = asyncio.get_running_loop()
    pieces: asyncio.Queue[str | BaseException | None] = asyncio.Queue()
    abandoned = Event()

    def send(piece: str | BaseException | None) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody reads any more
            loop.call_soon_threadsafe(pieces.put_nowait, piece)

    def work() -> None:
        try:
            for piece in start():
                send(piece)
                if abandoned.is_set():
                    break
        except BaseException as error:  # noqa: BLE001 - raised again where the text is read
            send(error)
        finally:
            send(None)

    Thread(target=copy_context().run, args=(work,), name="blended-llm-stream", daemon=True).start()
    try:
        while (piece := await pieces.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            yield piece
    finally:
        abandoned.set()
