"""Flows: algorithms as generators that never touch a model or the network.

A flow yields a request, is sent the reply, and returns its result. `lockstep` turns many flows
into one flow whose requests are lists, so that one round of all of them is one call of a model.
Drivers, sync or async, answer the requests; the algorithm is written once for both.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import TypeVar

Request = TypeVar("Request")
Reply = TypeVar("Reply")
Result = TypeVar("Result")

TASKS_IN_FLIGHT = 512
"""Flows advanced together: enough to fill any batch, few enough that a million tasks fit."""


def lockstep(
    flows: Iterable[Generator[Request, Reply, Result]], in_flight: int = TASKS_IN_FLIGHT
) -> Generator[list[Request], list[Reply], list[Result]]:
    """Advance many flows together.

    Yields the requests of all flows in flight, is sent their replies in the same order, and
    returns the flows' results in the order of `flows`. A flow that ends makes room for the next.
    """
    results: dict[int, Result] = {}
    waiting: list[tuple[int, Generator[Request, Reply, Result], Request]] = []
    arriving = enumerate(flows)
    while True:
        while len(waiting) < in_flight and (arrival := next(arriving, None)) is not None:
            place, flow = arrival
            try:
                waiting.append((place, flow, next(flow)))
            except StopIteration as end:
                results[place] = end.value
        if not waiting:
            return [results[place] for place in sorted(results)]
        replies = yield [request for _, _, request in waiting]
        still_waiting = []
        for (place, flow, _), reply in zip(waiting, replies, strict=True):
            try:
                still_waiting.append((place, flow, flow.send(reply)))
            except StopIteration as end:
                results[place] = end.value
        waiting = still_waiting
