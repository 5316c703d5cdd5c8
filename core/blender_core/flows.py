"""Flows: algorithms as generators that never touch a model or the network.

A flow yields a request, is sent the reply, and returns its result. `lockstep` turns many flows
into one flow whose requests are lists, so that one round of all of them is one call of a model.
Drivers, sync or async, answer the requests of a `Course`; the algorithm is written once for both.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Generic, TypeVar

__all__ = ["TASKS_IN_FLIGHT", "Course", "lockstep"]

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Result = TypeVar("Result")

TASKS_IN_FLIGHT = 512
"""Flows advanced together: enough to fill any batch, few enough that a million tasks fit."""


class Course(Generic[Request, Reply, Result]):
    """A flow under way: at its next request, or at its end with the result.

    Only the flow itself runs inside; what its driver does between `request` and `reply` can raise
    whatever it likes, StopIteration included.

    Attributes:
        done: whether the flow has ended.
        request: what it asks for, while it has not.
        result: what it returned, once it has.
    """

    request: Request
    result: Result

    def __init__(self, flow: Generator[Request, Reply, Result]) -> None:
        self._flow = flow
        self.done = False
        try:
            self.request = next(flow)
        except StopIteration as end:
            self.done, self.result = True, end.value

    def reply(self, reply: Reply) -> None:
        """Answer the request."""
        try:
            self.request = self._flow.send(reply)
        except StopIteration as end:
            self.done, self.result = True, end.value


def lockstep(
    flows: Iterable[Generator[Request, Reply, Result]], in_flight: int = TASKS_IN_FLIGHT
) -> Generator[list[Request], list[Reply], list[Result]]:
    """Advance many flows together.

    Yields the requests of all flows in flight, is sent their replies in the same order, and
    returns the flows' results in the order of `flows`. A flow that ends makes room for the next.
    """
    courses: list[Course[Request, Reply, Result]] = []
    waiting: list[Course[Request, Reply, Result]] = []
    arriving = map(Course[Request, Reply, Result], flows)
    while True:
        while len(waiting) < in_flight and (course := next(arriving, None)) is not None:
            courses.append(course)
            if not course.done:
                waiting.append(course)
        if not waiting:
            return [course.result for course in courses]
        replies = yield [course.request for course in waiting]
        for course, reply in zip(waiting, replies, strict=True):
            course.reply(reply)
        waiting = [course for course in waiting if not course.done]
