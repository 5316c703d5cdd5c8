"""Processes that fork: what waits for a thread or holds a lock begins anew in the child.

A forked child has a copy of all memory, but only the thread that forked. A lock that another
thread held stays locked in it for ever, what another thread was to bring never comes, and the
threads that torch computes with on a CPU are waited for though they are gone.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from importlib import import_module
from threading import Lock
from types import TracebackType
from typing import Protocol
from weakref import WeakSet

__all__ = ["Turn", "await_before_forks", "renew_in_children"]

_IMPORTED_IN_THREADS = ("blender_core", "langchain_blender", "llamaindex_blender")
_IMPORTED_WHOLE = ("torch", "transformers")


class _Awaited(Protocol):
    def before_fork(self) -> None: ...


class _Renewed(Protocol):
    def in_child(self) -> None: ...


_awaited: WeakSet[_Awaited] = WeakSet()
_renewed: WeakSet[_Renewed] = WeakSet()


def await_before_forks(one: _Awaited) -> None:
    """Have its `before_fork` called by who forks, in the parent, as long as it lives."""
    _awaited.add(one)


def renew_in_children(one: _Renewed) -> None:
    """Have its `in_child` called in every child, where there is no other thread."""
    _renewed.add(one)


class Turn:
    """A lock that a copy, an unpickled twin and a forked child have free, as one of their own."""

    def __init__(self) -> None:
        self._lock = Lock()
        renew_in_children(self)

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._lock.release()

    def __reduce__(self) -> tuple[type[Turn], tuple[()]]:
        return Turn, ()

    def in_child(self) -> None:
        """Nobody has the turn here."""
        self._lock = Lock()


def _before() -> None:
    for one in list(_awaited):
        one.before_fork()
    # A module that another thread is importing would be half made for ever. Importing it waits.
    for name in list(sys.modules):
        if name in _IMPORTED_WHOLE or name.partition(".")[0] in _IMPORTED_IN_THREADS:
            with suppress(ImportError):  # that thread is told
                import_module(name)


def _in_child() -> None:
    for one in list(_renewed):
        one.in_child()
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(1)  # as torch's own data loaders do in their workers


if hasattr(os, "register_at_fork"):  # Windows has none, and no forks
    os.register_at_fork(before=_before, after_in_child=_in_child)
