"""LangGraph pauses and redirects a graph by exceptions; they pass through members and steps."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["arriving", "passing"]


class _Passing(BaseException):
    """Carries such an exception past all who count an `Exception` as a failure."""

    def __init__(self, exception: Exception) -> None:
        super().__init__(exception)
        self.exception = exception


@contextmanager
def passing() -> Iterator[None]:
    """Where somebody is asked: what is raised to steer a graph is no failure of theirs."""
    try:
        yield
    except Exception as error:
        # Only LangGraph raises them; where it is not imported, nobody has.
        errors = sys.modules.get("langgraph.errors")
        if errors is not None and isinstance(error, errors.GraphBubbleUp):
            raise _Passing(error) from error
        raise


@contextmanager
def arriving() -> Iterator[None]:
    """Around a whole run: such exceptions leave it as they were raised."""
    try:
        yield
    except _Passing as error:
        raise error.exception from None
