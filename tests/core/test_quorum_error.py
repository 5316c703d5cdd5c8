"""What a caller can catch where too few members answered."""

from __future__ import annotations

import copy

import pytest

from blender_core.errors import MemberTimeoutError, QuorumError, quorum_error
from blender_core.members import aask, ask


class RateLimitError(OSError):
    """As providers raise it: with arguments and attributes of its own."""

    def __init__(self, message: str, *, status_code: int) -> None:
        super().__init__(message)
        self.status_code = status_code


class DailyLimitError(RateLimitError):
    pass


def raising(error: Exception):
    def member(_):
        raise error

    return member


async def test_one_type_of_failure_can_be_caught():
    members = {
        "a": raising(RateLimitError("slow down", status_code=429)),
        "b": raising(DailyLimitError("no more today", status_code=429)),
    }
    with pytest.raises(RateLimitError) as caught:
        ask(members, "q")

    async def failing(_):
        raise RateLimitError("slow down", status_code=429)

    with pytest.raises(RateLimitError):
        await aask({"a": failing}, "q")
    error = caught.value
    assert isinstance(error, QuorumError)
    assert not isinstance(error, DailyLimitError)
    assert error.status_code == 429
    assert error.failures == dict(zip("ab", error.exceptions, strict=True))
    assert str(error) == (
        "0 of 2 members answered, 1 needed. "
        "Failed: a: RateLimitError: slow down; b: DailyLimitError: no more today"
    )
    again = copy.copy(quorum_error(1, (), {"a": TimeoutError("x")}))  # as pickle does it
    assert isinstance(again, TimeoutError)
    assert again.needed == 1


@pytest.mark.parametrize(
    "error",
    [
        *(TimeoutError("x"), ConnectionResetError(1, "x"), KeyError("x"), ImportError("x")),
        UnicodeDecodeError("utf-8", b"\xff", 0, 1, "bad"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_built_in_types_can_be_caught(error):
    made = quorum_error(1, (), {"a": error})
    assert isinstance(made, type(error))
    assert "1 needed. Failed: a: " in str(made)


def test_different_types_have_nothing_in_common():
    made = quorum_error(1, (), {"a": TimeoutError("x"), "b": ValueError("y")})
    assert type(made) is QuorumError


def test_what_ends_an_iteration_is_not_raised_anew():
    assert not isinstance(quorum_error(1, (), {"a": StopIteration()}), StopIteration)


def test_a_quorum_inside_a_quorum_is_of_its_failures_type():
    inner = quorum_error(1, (), {"x": MemberTimeoutError("late")})
    made = quorum_error(1, (), {"a": inner, "b": TimeoutError("late, too")})
    assert isinstance(made, TimeoutError)
