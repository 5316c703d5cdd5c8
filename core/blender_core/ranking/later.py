"""A ranker that is loaded when it is needed, once, whoever waits for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, wait
from functools import cache
from threading import Thread, current_thread
from typing import Any

from blender_core.forking import Turn, await_before_forks
from blender_core.ranking.joining import joined
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.wrapper import Method, RankerWrapper

__all__ = ["LaterRanker", "Once", "once"]


class Once:
    """A ranker that is loaded once, in a thread of its own, whoever waits for it and how.

    Args:
        load: loads it. Where that fails, everybody who waits is told, and the next one to ask
            has it tried again.
    """

    def __init__(self, load: Callable[[], Ranker]) -> None:
        self._load = load
        self._lock = Turn()
        self._loading: Future[Ranker] | None = None
        self._thread: Thread | None = None
        await_before_forks(self)

    def __deepcopy__(self, memo: object) -> Once:
        return self  # a copy of what uses it uses the same

    def __reduce__(self) -> tuple[Callable[[Callable[[], Ranker]], Once], tuple[Any]]:
        return once, (self._load,)

    def before_fork(self) -> None:
        """Wait until it is loaded: the child has no thread that would go on."""
        loading = self._loading
        if loading is not None and current_thread() is not self._thread:
            wait([loading])

    def begin(self) -> Future[Ranker]:
        """Begin to load it, if nobody has yet; the future says when it is there."""
        with self._lock:
            loading = self._loading
            if loading is not None and not (loading.done() and loading.exception()):
                return loading
            loading = self._loading = Future()
            self._thread = Thread(
                target=self._work, args=(loading,), name="blended-llm-load", daemon=True
            )
        self._thread.start()
        return loading

    def _work(self, loading: Future[Ranker]) -> None:
        try:
            loading.set_result(self._load())
        except BaseException as error:  # noqa: BLE001 - raised where the ranker is waited for
            loading.set_exception(error)


@cache
def once(load: Callable[[], Ranker]) -> Once:
    """The same one for the same function: also for a copy that comes out of a pickle."""
    return Once(load)


class LaterRanker(RankerWrapper):
    """A ranker that is loaded when it is first asked, without blocking an event loop.

    Loaded, it is fit for many callers at a time (see `joined`).
    """

    def __init__(self, once: Once) -> None:
        self._once = once

    @property
    def ranker(self) -> Ranker:
        """The loaded ranker; waits until it is loaded."""
        return joined(self._once.begin().result())

    @property
    def waits(self) -> bool:
        """Its callers wait until it is loaded; then they share batches."""
        return True

    async def _aask(self, method: Method, items: list[Any]) -> list[Any]:
        # Shielded: who is cancelled while waiting does not cancel the loading for the others.
        await asyncio.shield(asyncio.wrap_future(self._once.begin()))
        return await super()._aask(method, items)
