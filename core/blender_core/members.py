"""Fan-out: one question to several named members at the same time.

`ask` takes plain callables and runs each in a thread, `aask` takes async ones and runs each in
a task. Both only carry out what one `_FanOut` decides: who may start, who is out of time, and
whether enough members answered.
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections import deque
from collections.abc import (
    Awaitable,
    Callable,
    Container,
    Coroutine,
    Generator,
    Iterable,
    Mapping,
)
from contextlib import suppress
from contextvars import copy_context
from dataclasses import dataclass
from functools import partial
from math import inf
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeAlias, TypeVar

from blender_core.checks import positive, seconds
from blender_core.errors import (
    InputError,
    MemberCancelledError,
    MemberTimeoutError,
    quorum_error,
)

__all__ = ["Replies", "aask", "ask", "unused_name"]

Q = TypeVar("Q")
A = TypeVar("A")

_LONGEST_WAIT = 0.5
"""Seconds after which a driver looks around even if no limit is near: on some systems Ctrl-C
cannot interrupt a wait, and none can wait for arbitrarily many seconds."""

_BUSY = 0.05
"""Seconds from which on a step of a member's is one that keeps the event loop busy."""

_GRACE = 0.25
"""Seconds that cancelled tasks get, all together, to clean up before `aask` ends without them."""

_leaving: set[asyncio.Task[object]] = set()
"""Cancelled tasks that are not done yet. An event loop itself holds its tasks only weakly."""


@dataclass(frozen=True, slots=True)
class Replies(Generic[A]):
    """What came back from the members. Every dict is in the order of the members.

    Attributes:
        answers: the answer of each member that gave one in time.
        failures: why each other member has no answer: what it raised, or a
            `MemberTimeoutError`.
        seconds: how long each member took or, where it was given up, was waited for; 0 for one
            that never started.
        blocking: who kept the event loop busy instead of waiting, which others had to wait for.
    """

    answers: dict[str, A]
    failures: dict[str, Exception]
    seconds: dict[str, float]
    blocking: frozenset[str] = frozenset()


def ask(
    members: Mapping[str, Callable[[Q], A]],
    question: Q,
    *,
    timeout: float | None = None,
    deadline: float | None = None,
    min_answers: int = 1,
    max_concurrency: int | None = None,
) -> Replies[A]:
    """Ask all members the same question, each in a thread with a copy of the caller's context.

    A member that raises or is too slow costs only its own answer. A thread cannot be stopped:
    one that is too slow is left to itself, gives its place to the next member, and keeps
    neither this function nor the interpreter from ending.

    Args:
        members: what to call, by name.
        question: the one argument of every call.
        timeout: seconds a member may take, from its own start.
        deadline: seconds all members together may take, from the beginning.
        min_answers: how many members must answer. All are waited for, also when this can no
            longer be reached, so that the error tells what happened to each.
        max_concurrency: how many members are asked at the same time; all, if not given.

    Raises:
        InputError: an argument is not usable.
        QuorumError: fewer than `min_answers` members answered.
        BaseException: what is no `Exception` (`SystemExit`, say) passes from member to caller.

    >>> ask({"loud": str.upper, "broken": int, "proper": str.title}, "hello world").answers
    {'loud': 'HELLO WORLD', 'proper': 'Hello World'}
    """
    fan_out = _FanOut[A](members, timeout, deadline, min_answers, max_concurrency)
    members = dict(members)  # the caller's own may change meanwhile
    inbox: SimpleQueue[_Ended[A]] = SimpleQueue()
    while fan_out.is_open:
        for name in fan_out.start():
            # No executor: the interpreter would wait for its threads when it exits.
            work = (_call, inbox, name, members[name], question)
            threading.Thread(target=copy_context().run, args=work, daemon=True).start()
        fan_out.settle(_receive(inbox, fan_out.patience()))
    return fan_out.result()


async def aask(
    members: Mapping[str, Callable[[Q], Awaitable[A]]],
    question: Q,
    *,
    timeout: float | None = None,
    deadline: float | None = None,
    min_answers: int = 1,
    max_concurrency: int | None = None,
) -> Replies[A]:
    """Ask all members the same question, each in a task; arguments and errors as in `ask`.

    A member that is too slow is cancelled. If the caller is cancelled, so are all members. No
    task is left behind, except where a member goes on for a quarter of a second after it was
    cancelled: that one is no longer waited for. The time for which a member keeps the event loop
    busy counts against that member alone.
    """
    fan_out = _FanOut[A](members, timeout, deadline, min_answers, max_concurrency)
    members = dict(members)
    tasks: dict[str, asyncio.Task[_Ended[A]]] = {}
    try:
        while fan_out.is_open:
            for name in fan_out.start():
                call = _acall(name, members[name], question)
                timed = _timed(call, partial(fan_out.kept_busy, name))
                tasks[name] = asyncio.create_task(timed)
            done, _ = await asyncio.wait(
                [tasks[name] for name in fan_out.running],
                timeout=fan_out.patience(),
                return_when=asyncio.FIRST_COMPLETED,
            )
            for name in fan_out.settle(task.result() for task in done):
                _cancel(tasks[name])
        return fan_out.result()
    finally:
        for name, task in tasks.items():
            if name in fan_out.running:
                _cancel(task)
        if left := _leaving.intersection(tasks.values()):
            await asyncio.wait(left, timeout=_GRACE)


def unused_name(name: str, names: Container[str]) -> str:
    """The name or, where it is taken, the name with the next free number.

    >>> unused_name("gpt", {"gpt", "gpt #2"})
    'gpt #3'
    """
    number, numbered = 1, name
    while numbered in names:
        number += 1
        numbered = f"{name} #{number}"
    return numbered


@dataclass(frozen=True, slots=True)
class _Answered(Generic[A]):
    name: str
    at: float
    answer: A


@dataclass(frozen=True, slots=True)
class _Failed:
    name: str
    at: float
    error: BaseException


_Ended: TypeAlias = _Answered[A] | _Failed
"""How a member's call ended, and when by `time.monotonic`."""


_NO_ANSWER = "gave None, which is no answer"


class _FanOut(Generic[A]):
    """The decisions of one fan-out. It calls nobody and waits for nothing.

    A driver repeats, while `is_open`: start the members that `start` names, wait up to
    `patience` seconds for calls to end, tell `settle` which did.

    Attributes:
        running: when each member was started whose end is still waited for.
    """

    def __init__(
        self,
        members: Mapping[str, object],
        timeout: float | None,
        deadline: float | None,
        min_answers: int,
        max_concurrency: int | None,
    ) -> None:
        _check_members(members)
        seconds("timeout", timeout)
        seconds("deadline", deadline)
        self._places = len(members) if max_concurrency is None else max_concurrency
        positive("max_concurrency", self._places)
        positive("min_answers", min_answers)
        if min_answers > len(members):
            raise InputError(f"'min_answers' is {min_answers} of only {len(members)} members")
        self._timeout = inf if timeout is None else timeout
        self._deadline = inf if deadline is None else deadline
        self._ends = time.monotonic() + self._deadline
        self._min_answers = min_answers
        self._waiting = deque(members)
        self.running: dict[str, float] = {}
        self._answers: dict[str, A] = {}
        self._failures: dict[str, Exception] = {}
        self._seconds = dict.fromkeys(members, 0.0)
        self._could_not_run = dict.fromkeys(members, 0.0)
        self._blocking: set[str] = set()

    @property
    def is_open(self) -> bool:
        """Whether some member has neither answered nor failed."""
        return bool(self._waiting or self.running)

    def start(self) -> list[str]:
        """The members to start now; from now on they count as running."""
        count = min(len(self._waiting), self._places - len(self.running))
        names = [self._waiting.popleft() for _ in range(count)]
        self.running.update(dict.fromkeys(names, time.monotonic()))
        return names

    def patience(self) -> float:
        """Seconds until the next member is out of time, at most `_LONGEST_WAIT`."""
        first = min(map(self._end, self.running))
        return min(max(first - time.monotonic(), 0.0), _LONGEST_WAIT)

    def kept_busy(self, name: str, seconds: float) -> None:
        """Note that a member kept all others from running; they get the time back."""
        self._blocking.add(name)
        for other in self.running:
            if other != name:
                self._could_not_run[other] += seconds

    def settle(self, ended: Iterable[_Ended[A]]) -> list[str]:
        """Note who ended and who is out of time; returns the latter, to be stopped."""
        for end in ended:
            if end.name not in self.running:
                continue  # given up earlier; what it has to say now comes too late
            if isinstance(end, _Failed):
                self._fail(end.name, end.at, _as_failure(end.error))
            elif late := self._late(end.name, end.at):
                self._fail(end.name, end.at, late)
            else:
                self._seconds[end.name] = end.at - self.running.pop(end.name)
                self._answers[end.name] = end.answer
        now = time.monotonic()
        overdue = {name: late for name in self.running if (late := self._late(name, now))}
        for name, late in overdue.items():
            self._fail(name, now, late)
        if now >= self._ends:
            for name in self._waiting:
                self._failures[name] = MemberTimeoutError(
                    f"not started: the deadline of {self._deadline:g} s for all members passed "
                    f"while {self._places} at a time were asked"
                )
            self._waiting.clear()
        return list(overdue)

    def result(self) -> Replies[A]:
        """The answers, if there are enough of them.

        Raises:
            QuorumError: there are not.
        """
        # `_seconds` has every member, in the members' order.
        answers = {name: self._answers[name] for name in self._seconds if name in self._answers}
        failures = {name: self._failures[name] for name in self._seconds if name in self._failures}
        if len(answers) < self._min_answers:
            raise quorum_error(self._min_answers, tuple(answers), failures)
        return Replies(answers, failures, self._seconds, frozenset(self._blocking))

    def _end(self, name: str) -> float:
        """When a running member is out of time."""
        own_end = self.running[name] + self._timeout
        return min(own_end, self._ends) + self._could_not_run[name]

    def _late(self, name: str, at: float) -> MemberTimeoutError | None:
        if at < self._end(name):
            return None
        limit = f"timeout of {self._timeout:g} s"
        if self._ends < self.running[name] + self._timeout:
            limit = f"deadline of {self._deadline:g} s for all members"
        return MemberTimeoutError(f"no answer within the {limit}")

    def _fail(self, name: str, at: float, failure: Exception) -> None:
        self._seconds[name] = at - self.running.pop(name)
        self._failures[name] = failure


def _call(inbox: SimpleQueue[_Ended[A]], name: str, member: Callable[[Q], A], question: Q) -> None:
    end: _Ended[A]
    try:
        answer = member(question)
        end = _Answered(name, time.monotonic(), answer)
        if inspect.isawaitable(answer):
            if inspect.iscoroutine(answer):
                answer.close()  # or Python warns that nobody awaited it
            end = _Failed(name, end.at, TypeError("is async: it answered with an awaitable"))
        elif answer is None:
            end = _Failed(name, end.at, TypeError(_NO_ANSWER))
    except BaseException as error:  # noqa: BLE001 - handed to the caller's thread, which decides
        end = _Failed(name, time.monotonic(), error)
    inbox.put(end)


async def _acall(name: str, member: Callable[[Q], Awaitable[A]], question: Q) -> _Ended[A]:
    try:
        answer: object = member(question)
        if inspect.isawaitable(answer):
            result: A | None = await answer
            if result is None:
                return _Failed(name, time.monotonic(), TypeError(_NO_ANSWER))
            return _Answered(name, answer=result, at=time.monotonic())
        wrong = TypeError(f"is not async: it answered with {type(answer).__name__}, no awaitable")
        return _Failed(name, time.monotonic(), wrong)
    # Nothing of this task is above here, so nobody else needs to see its CancelledError.
    except (Exception, asyncio.CancelledError) as error:  # noqa: BLE001 - handed to the fan-out
        return _Failed(name, time.monotonic(), error)


async def _timed(call: Coroutine[Any, Any, A], kept_busy: Callable[[float], None]) -> A:
    """Await a call, and tell of each of its steps that kept the event loop busy."""
    return await _Timed(call, kept_busy)


class _Timed(Generic[A]):
    """A call whose steps are timed."""

    def __init__(self, call: Coroutine[Any, Any, A], kept_busy: Callable[[float], None]) -> None:
        self._call = call
        self._kept_busy = kept_busy

    def __await__(self) -> Generator[Any, Any, A]:
        """Pass on what the call waits for, and what it is told."""
        step: Callable[[], Any] = partial(self._call.send, None)
        while True:
            begun = time.monotonic()
            try:
                waits_for = step()
            except StopIteration as end:
                return end.value  # type: ignore[no-any-return]
            finally:
                if (lasted := time.monotonic() - begun) >= _BUSY:
                    self._kept_busy(lasted)
            try:
                step = partial(self._call.send, (yield waits_for))
            except GeneratorExit:
                self._call.close()
                raise
            except BaseException as error:  # noqa: BLE001 - thrown into the call, which decides
                step = partial(self._call.throw, error)


def _receive(inbox: SimpleQueue[_Ended[A]], seconds: float) -> list[_Ended[A]]:
    """What arrives first within the seconds, and all that is there by then."""
    ended = []
    with suppress(Empty):
        ended.append(inbox.get(timeout=seconds))
        while True:
            ended.append(inbox.get_nowait())
    return ended


def _cancel(task: asyncio.Task[_Ended[A]]) -> None:
    # Once only: a second cancel would interrupt a member that is cleaning up after the first.
    if not task.done():
        task.cancel()
        _leaving.add(task)
        task.add_done_callback(_leaving.discard)
    elif not task.cancelled():
        task.exception()  # a KeyboardInterrupt, on its way up already: asyncio need not log it


def _as_failure(error: BaseException) -> Exception:
    if isinstance(error, asyncio.CancelledError):
        # Not the caller's own cancellation, which ends the caller's wait instead.
        failure = MemberCancelledError("cancelled itself, or something it waited for was cancelled")
        failure.__cause__ = error
        return failure
    if isinstance(error, Exception):
        return error
    raise error


def _check_members(members: object) -> None:
    if not isinstance(members, Mapping):
        raise InputError(f"'members' must map names to callables, got {type(members).__name__}")
    if not members:
        raise InputError("'members' is empty: there is nobody to ask")
    for name, member in members.items():
        if not callable(member):
            raise InputError(f"member {name!r} must be callable, got {type(member).__name__}")
