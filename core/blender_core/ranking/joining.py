"""Callers at the same time share batches: what many ask of one ranker is one call of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from threading import Thread
from typing import Any, get_args
from weakref import WeakValueDictionary

from blender_core.errors import InputError, ModelOutputError
from blender_core.forking import Turn, renew_in_children
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.wrapper import Method, RankerWrapper
from blender_core.together import together

__all__ = ["JoiningRanker", "joined"]


@dataclass(slots=True)
class _Request:
    """What one caller asks: `method` of the ranker, for its items."""

    method: Method
    items: Sequence[Any]
    reply: Future[list[Any]] = field(default_factory=Future)


class JoiningRanker(RankerWrapper):
    """A ranker for many callers at a time, in threads or in tasks of an event loop.

    While the ranker computes, what arrives is collected, and asked together next. Nobody waits
    for others to come: a call that finds the ranker idle starts at once. Computing happens in one
    thread, which ends when there is nothing more to do. No bars are drawn: whose would they be?

    Args:
        ranker: one that computes. One that waits for a network gains nothing here.
    """

    def __init__(self, ranker: Ranker) -> None:
        super().__init__(ranker)
        self._lock = Turn()
        self._requests: list[_Request] = []
        self._at_work = False
        renew_in_children(self)

    def __deepcopy__(self, memo: object) -> JoiningRanker:
        return self  # a copy of what uses it shares batches with it

    def __reduce__(self) -> tuple[Callable[[Ranker], Ranker], tuple[Ranker]]:
        return joined, (self.ranker,)

    def in_child(self) -> None:
        """Nobody is at work here, and nobody waits."""
        self._requests = []
        self._at_work = False

    @property
    def waits(self) -> bool:
        """Its callers are best served side by side: that is how they share batches."""
        return True

    def _ask(self, method: Method, items: list[Any]) -> list[Any]:
        return self._submit(method, items).result()

    async def _aask(self, method: Method, items: list[Any]) -> list[Any]:
        return await asyncio.wrap_future(self._submit(method, items))

    def _submit(self, method: Method, items: Sequence[Any]) -> Future[list[Any]]:
        request = _Request(method, items)
        with self._lock:
            self._requests.append(request)
            if self._at_work:
                return request.reply
            self._at_work = True
        Thread(target=self._work, name="blended-llm-ranker", daemon=True).start()
        return request.reply

    def _work(self) -> None:
        while True:
            with self._lock:
                requests, self._requests = self._requests, []
                if not requests:
                    self._at_work = False
                    return
            wanted = [r for r in requests if r.reply.set_running_or_notify_cancel()]
            for method in get_args(Method):
                self._answer(method, [r for r in wanted if r.method == method])

    def _answer(self, method: Method, requests: Sequence[_Request]) -> None:
        # One caller's failure is not the others': where the joint call fails, each has its own.
        results = together(requests, partial(self._results, method))
        try:
            for request, result in zip(requests, results, strict=True):
                if isinstance(result, Exception):
                    request.reply.set_exception(result)
                else:
                    request.reply.set_result(result)
        except BaseException as error:  # noqa: BLE001 - raised where the answer is waited for
            for request in requests:
                if not request.reply.done():
                    request.reply.set_exception(error)

    def _results(self, method: Method, requests: Sequence[_Request]) -> Iterator[list[Any]]:
        items = [item for request in requests for item in request.items]
        results = list(getattr(self.ranker, method)(items))
        if len(results) != len(items):
            raise ModelOutputError(f"the ranker gave {len(results)} results for {len(items)} items")
        left = iter(results)
        return (list(islice(left, len(request.items))) for request in requests)


_joined: WeakValueDictionary[int, JoiningRanker] = WeakValueDictionary()
"""By the `id` of the ranker, which its joining one keeps alive; gone when nobody is using it."""

_lock = Turn()


def joined(ranker: Ranker) -> Ranker:
    """The ranker, made to share batches between callers; the same one for the same ranker.

    One that waits for a network is returned as it is: its callers are best served side by side.

    Raises:
        InputError: it is none.
    """
    if not isinstance(ranker, Ranker):
        raise InputError(f"'ranker' must be a Ranker or None, got {type(ranker).__name__}")
    if ranker.waits or isinstance(ranker, JoiningRanker):
        return ranker
    with _lock:
        shared = _joined.get(id(ranker))
        if shared is None:
            shared = _joined[id(ranker)] = JoiningRanker(ranker)
        return shared
