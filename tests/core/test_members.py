"""Fan-out over members. Scenarios that hold for both are run with plain and with async members."""

from __future__ import annotations

import asyncio
import contextvars
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_core.errors import (
    InputError,
    MemberCancelledError,
    MemberTimeoutError,
    QuorumError,
)
from blender_core.members import Replies, aask, ask

LONG = 30.0  # seconds; a test that waits for this has failed
SOON = 3.0  # seconds within which what should be at once is over, however busy the machine

Act = Callable[[str], Any]


class Plain:
    """Members are functions; each waits in a thread."""

    @staticmethod
    def member(act: Act, after: float = 0.0) -> Act:
        def call(question: str) -> Any:
            time.sleep(after)
            return act(question)

        return call

    @staticmethod
    def ask(members: Any, question: str = "q", **limits: Any) -> Replies[Any]:
        return ask(members, question, **limits)


class Async:
    """Members are coroutine functions; each waits in the event loop."""

    @staticmethod
    def member(act: Act, after: float = 0.0) -> Callable[[str], Awaitable[Any]]:
        async def call(question: str) -> Any:
            await asyncio.sleep(after)
            return act(question)

        return call

    @staticmethod
    def ask(members: Any, question: str = "q", **limits: Any) -> Replies[Any]:
        async def main() -> Replies[Any]:
            answers = await aask(members, question, **limits)
            assert asyncio.all_tasks() == {asyncio.current_task()}
            return answers

        return asyncio.run(main())


@pytest.fixture(params=[Plain, Async], ids=["plain", "async"])
def kind(request: pytest.FixtureRequest) -> type[Plain | Async]:
    return request.param


def says(answer: object) -> Act:
    return lambda _: answer


def raises(error: BaseException) -> Act:
    def act(_: str) -> Any:
        raise error

    return act


class Crowd:
    """Counts how many members are inside at the same time. For plain and async alike."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.inside = self.most = 0

    def enter(self) -> None:
        with self.lock:
            self.inside += 1
            self.most = max(self.most, self.inside)

    def leave(self) -> None:
        with self.lock:
            self.inside -= 1

    def member(self, kind: type[Plain | Async], after: float) -> Callable[[str], Any]:
        if kind is Plain:

            def call(question: str) -> str:
                self.enter()
                time.sleep(after)
                self.leave()
                return question

            return call

        async def acall(question: str) -> str:
            self.enter()
            await asyncio.sleep(after)
            self.leave()
            return question

        return acall


# --- what holds for plain and async members alike


def test_answers_are_in_the_order_of_the_members_not_of_their_arrival(kind):
    members = {
        "slow": kind.member(str.upper, after=0.1),
        "broken": kind.member(raises(KeyError("k"))),
        "quick": kind.member(str.title),
        "middle": kind.member(str.swapcase, after=0.05),
    }
    result = kind.ask(members, "Why so?")
    assert result.answers == {"slow": "WHY SO?", "quick": "Why So?", "middle": "wHY SO?"}
    assert list(result.answers) == ["slow", "quick", "middle"]
    assert list(result.failures) == ["broken"]
    assert list(result.seconds) == list(members)


def test_members_run_at_the_same_time_and_each_ones_seconds_are_its_own(kind):
    members = {f"m{i}": kind.member(says(i), after=0.1 if i == 3 else 0.05) for i in range(10)}
    began = time.monotonic()
    result = kind.ask(members)
    assert time.monotonic() - began < 0.5  # one after the other: 0.55
    assert all(0.04 < seconds < 0.5 for seconds in result.seconds.values())
    assert max(result.seconds, key=result.seconds.__getitem__) == "m3"


def test_an_exception_costs_only_that_member_and_is_kept_as_it_is(kind):
    own = ValueError("no credit left")
    result = kind.ask({"a": kind.member(raises(own)), "b": kind.member(says("yes"), after=0.05)})
    assert result.answers == {"b": "yes"}
    assert result.failures == {"a": own}
    assert result.failures["a"].__traceback__ is not None


@pytest.mark.parametrize("answer", ["", 0, ValueError("an answer, not raised")])
def test_any_value_is_an_answer(kind, answer):
    assert kind.ask({"a": kind.member(says(answer))}).answers == {"a": answer}


def test_none_is_no_answer(kind):
    result = kind.ask({"a": kind.member(says(None)), "b": kind.member(says("yes"))})
    assert result.answers == {"b": "yes"}
    assert str(result.failures["a"]) == "gave None, which is no answer"


def test_the_error_of_a_missed_quorum_can_cross_processes(kind):
    with pytest.raises(QuorumError) as error:
        kind.ask({"a": kind.member(says(None))})
    again = pickle.loads(pickle.dumps(error.value))  # noqa: S301  (our own bytes)
    assert str(again) == str(error.value)
    assert (again.needed, again.answered) == (1, ())
    assert list(again.failures) == ["a"]


def test_a_member_past_its_timeout_fails_and_gives_its_place_to_the_next(kind):
    began = time.monotonic()
    result = kind.ask(
        {"hangs": kind.member(says("never"), after=LONG), "answers": kind.member(says("yes"))},
        timeout=0.15,
        deadline=LONG,
        max_concurrency=1,
    )
    assert 0.15 <= time.monotonic() - began < SOON
    assert result.answers == {"answers": "yes"}
    failure = result.failures["hangs"]
    assert isinstance(failure, MemberTimeoutError)
    assert isinstance(failure, TimeoutError)
    assert str(failure) == "no answer within the timeout of 0.15 s"
    assert 0.15 <= result.seconds["hangs"] < 0.45


def test_a_members_own_timeout_error_is_told_apart_from_ours(kind):
    own = TimeoutError("the server did not answer")
    result = kind.ask(
        {"a": kind.member(raises(own)), "b": kind.member(says("yes"))}, timeout=LONG, deadline=LONG
    )
    assert result.failures == {"a": own}


def test_a_member_that_cancels_itself_fails_alone(kind):
    own = asyncio.CancelledError("inner")
    result = kind.ask({"a": kind.member(raises(own)), "b": kind.member(says("yes"), after=0.05)})
    assert result.answers == {"b": "yes"}
    assert isinstance(result.failures["a"], MemberCancelledError)
    assert isinstance(result.failures["a"].__cause__, asyncio.CancelledError)


def test_too_few_answers_raise_with_every_members_own_error(kind):
    own = ValueError("no credit left")
    members = {
        "late": kind.member(says("never"), after=LONG),
        "fine": kind.member(says("yes")),
        "broken": kind.member(raises(own)),
    }
    with pytest.raises(QuorumError) as caught:
        kind.ask(members, timeout=0.15, min_answers=2)
    error = caught.value
    assert error.needed == 2
    assert error.answered == ("fine",)
    assert list(error.failures) == ["late", "broken"]
    assert error.failures["broken"] is own
    assert isinstance(error.failures["late"], MemberTimeoutError)
    assert "1 of 3 members answered, 2 needed" in str(error)
    assert "broken: ValueError: no credit left" in str(error)
    assert "late: MemberTimeoutError: no answer within the timeout of 0.15 s" in str(error)


def test_an_unreachable_quorum_still_waits_for_what_the_others_have_to_say(kind):
    second = OSError("disk")
    members = {
        "a": kind.member(raises(ValueError("at once"))),
        "b": kind.member(raises(second), after=0.06),
        "c": kind.member(says("yes"), after=0.03),
    }
    with pytest.raises(QuorumError) as caught:
        kind.ask(members, min_answers=3)
    assert caught.value.answered == ("c",)
    assert caught.value.failures["b"] is second


def test_no_more_members_than_max_concurrency_run_at_a_time(kind):
    crowd = Crowd()
    members = {f"m{i}": crowd.member(kind, after=0.02 * (1 + i % 3)) for i in range(9)}
    result = kind.ask(members, "q", max_concurrency=3)
    assert crowd.most == 3
    assert list(result.answers) == list(members)


def test_the_timeout_counts_from_each_members_own_start(kind):
    members = {f"m{i}": kind.member(says(i), after=0.08) for i in range(4)}
    result = kind.ask(members, timeout=0.3, max_concurrency=1)
    assert list(result.answers.values()) == [0, 1, 2, 3]  # 0.32 s in all


def test_members_never_started_because_of_the_deadline_say_so(kind):
    calls = []
    members = {
        "first": kind.member(says("yes")),
        "hangs": kind.member(says("never"), after=LONG),
        "third": kind.member(calls.append),
        "fourth": kind.member(calls.append),
    }
    began = time.monotonic()
    result = kind.ask(members, timeout=LONG, deadline=0.15, max_concurrency=1)
    assert 0.15 <= time.monotonic() - began < SOON
    assert result.answers == {"first": "yes"}
    assert list(result.failures) == ["hangs", "third", "fourth"]
    assert isinstance(result.failures["hangs"], MemberTimeoutError)
    assert (
        str(result.failures["hangs"]) == "no answer within the deadline of 0.15 s for all members"
    )
    for name in ("third", "fourth"):
        assert isinstance(result.failures[name], MemberTimeoutError)
        assert str(result.failures[name]).startswith("not started: the deadline of 0.15 s")
        assert result.seconds[name] == 0.0
    assert calls == []


USER = contextvars.ContextVar("USER", default="nobody")


def test_members_see_the_callers_context_and_do_not_change_it(kind):
    def act(_: str) -> str:
        seen = USER.get()
        USER.set("a member")
        return seen

    token = USER.set("the caller")
    try:
        result = kind.ask({"a": kind.member(act), "b": kind.member(act, after=0.05)})
        assert USER.get() == "the caller"
    finally:
        USER.reset(token)
    assert result.answers == {"a": "the caller", "b": "the caller"}


def test_two_hundred_members(kind):
    members = {
        f"m{i}": kind.member(raises(ValueError(f"no {i}")) if i % 10 == 0 else says(i), after=0.05)
        for i in range(200)
    }
    began = time.monotonic()
    result = kind.ask(members, timeout=LONG, min_answers=180)
    assert time.monotonic() - began < SOON
    assert list(result.answers.values()) == [i for i in range(200) if i % 10]
    assert [str(error) for error in result.failures.values()] == [
        f"no {i}" for i in range(0, 200, 10)
    ]


def test_members_may_be_changed_while_they_are_asked(kind):
    members: dict[str, Any] = {}

    def act(_: str) -> str:
        members.clear()
        return "yes"

    members.update(first=kind.member(act), second=kind.member(says("too")))
    assert kind.ask(members, max_concurrency=1).answers == {"first": "yes", "second": "too"}


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit])
def test_what_is_no_exception_is_no_failure_but_ends_the_call(kind, stop):
    members = {"a": kind.member(raises(stop())), "b": kind.member(says("never"), after=LONG)}
    began = time.monotonic()
    with pytest.raises(stop):
        kind.ask(members)
    assert time.monotonic() - began < SOON


def test_limits_without_end_are_no_limits(kind):
    for endless in (float("inf"), 1e300):
        result = kind.ask(
            {"a": kind.member(says("yes"), after=0.02)}, timeout=endless, deadline=endless
        )
        assert result.answers == {"a": "yes"}


@pytest.mark.parametrize(
    ("members", "limits", "message"),
    [
        ({}, {}, "'members' is empty"),
        (["model"], {}, "'members' must map names to callables, got list"),
        ({"good": len, "gpt": "a name"}, {}, "member 'gpt' must be callable, got str"),
        ({"a": len}, {"timeout": 0}, "'timeout' must be a positive number of seconds"),
        ({"a": len}, {"timeout": -1.5}, "got -1.5"),
        ({"a": len}, {"timeout": float("nan")}, "'timeout' must be a positive number"),
        ({"a": len}, {"deadline": 0.0}, "'deadline' must be a positive number of seconds"),
        ({"a": len}, {"deadline": "5"}, "got '5'"),
        ({"a": len}, {"min_answers": 0}, "'min_answers' must be a whole number of at least 1"),
        ({"a": len}, {"min_answers": 1.0}, "'min_answers' must be a whole number of at least 1"),
        ({"a": len}, {"min_answers": 2}, "'min_answers' is 2 of only 1 members"),
        ({"a": len}, {"max_concurrency": 0}, "'max_concurrency' must be a whole number"),
        ({"a": len}, {"max_concurrency": -2}, "got -2"),
    ],
)
def test_unusable_arguments_are_named_and_nobody_is_asked(kind, members, limits, message):
    with pytest.raises(InputError) as caught:
        kind.ask(members, **limits)
    assert message in str(caught.value)


@settings(max_examples=25, deadline=None)
@given(fine=st.lists(st.booleans(), min_size=1, max_size=8), data=st.data())
def test_quorum_law(fine, data):
    """Every member is in exactly one dict, in order; too few answers raise, enough never do."""
    needed = data.draw(st.integers(1, len(fine)))
    places = data.draw(st.none() | st.integers(1, 10))
    for kind in (Plain, Async):
        members = {
            f"m{i}": kind.member(says(i) if good else raises(ValueError(i)))
            for i, good in enumerate(fine)
        }
        good = [f"m{i}" for i, is_fine in enumerate(fine) if is_fine]
        bad = [f"m{i}" for i, is_fine in enumerate(fine) if not is_fine]
        if len(good) < needed:
            with pytest.raises(QuorumError) as caught:
                kind.ask(members, min_answers=needed, max_concurrency=places)
            assert caught.value.answered == tuple(good)
            assert list(caught.value.failures) == bad
        else:
            result = kind.ask(members, min_answers=needed, max_concurrency=places)
            assert (list(result.answers), list(result.failures)) == (good, bad)


# --- plain members only


def test_an_async_member_among_plain_ones_fails_with_an_explanation():
    result = ask({"async": Async.member(says("yes")), "plain": says("yes")}, "q")
    assert result.answers == {"plain": "yes"}
    assert isinstance(result.failures["async"], TypeError)
    assert "is async" in str(result.failures["async"])


def test_late_results_of_an_abandoned_thread_are_dropped():
    go, ended = threading.Event(), threading.Event()

    def late(_: str) -> str:
        try:
            go.wait(LONG)
            raise SystemExit
        finally:
            ended.set()

    result = ask({"late": late, "fine": says("yes")}, "q", timeout=0.08)
    go.set()
    assert ended.wait(LONG)
    assert result.answers == {"fine": "yes"}
    assert isinstance(result.failures["late"], MemberTimeoutError)


def test_ctrl_c_in_the_caller_ends_the_wait():
    # Raised in another thread, so that nothing wakes the main thread but its own looking around.
    threading.Timer(0.05, signal.raise_signal, (signal.SIGINT,)).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        ask({"hangs": Plain.member(says("never"), after=LONG)}, "q")
    assert time.monotonic() - began < SOON


def test_a_hanging_member_does_not_keep_the_interpreter_from_exiting():
    program = (
        "import time\n"
        "from blender_core.members import ask\n"
        "result = ask({'hangs': lambda _: time.sleep(60), 'fine': str.upper}, 'q', timeout=0.1)\n"
        "print(result.answers, *result.failures)\n"
    )
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=LONG, check=True
    )
    assert (done.stdout, done.stderr) == ("{'fine': 'Q'} hangs\n", "")
    assert time.monotonic() - began < 10.0


# --- async members only


async def test_a_plain_member_among_async_ones_fails_with_an_explanation():
    result = await aask({"plain": says("yes"), "async": Async.member(says("yes"))}, "q")
    assert result.answers == {"async": "yes"}
    assert isinstance(result.failures["plain"], TypeError)
    assert "is not async: it answered with str" in str(result.failures["plain"])


class Hanging:
    """An async member that notes how it ended."""

    def __init__(self, cleanup: float = 0.0) -> None:
        self.started = asyncio.Event()
        self.saw: list[str] = []
        self.cleanup = cleanup

    async def __call__(self, question: str) -> str:
        self.started.set()
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            self.saw.append("cancelled")
            await asyncio.sleep(self.cleanup)
            self.saw.append("cleaned up")
            raise
        return "never"


async def test_a_member_past_its_timeout_is_cancelled_and_may_clean_up():
    member = Hanging(cleanup=0.05)
    result = await aask({"hangs": member, "fine": Async.member(says("yes"))}, "q", timeout=0.1)
    assert result.answers == {"fine": "yes"}
    assert member.saw == ["cancelled", "cleaned up"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_member_cleaning_up_is_not_cancelled_twice():
    member = Hanging(cleanup=0.15)
    members = {"hangs": member, "next": Async.member(says("yes"), after=0.05)}
    await aask(members, "q", timeout=0.1, max_concurrency=1)  # ends while the first cleans up
    assert member.saw == ["cancelled", "cleaned up"]


async def test_cancelling_the_caller_cancels_all_members_and_leaves_no_task():
    members = {f"m{i}": Hanging(cleanup=0.02) for i in range(3)}
    waiting = Hanging()
    caller = asyncio.create_task(aask(members | {"waiting": waiting}, "q", max_concurrency=3))
    for member in members.values():
        await member.started.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert caller.cancelled()
    assert [member.saw for member in members.values()] == [["cancelled", "cleaned up"]] * 3
    assert not waiting.started.is_set()
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_wait_for_around_the_call_works():
    member = Hanging()
    with pytest.raises(asyncio.TimeoutError):
        await asyncio.wait_for(aask({"hangs": member}, "q"), 0.05)
    assert member.saw == ["cancelled", "cleaned up"]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_member_that_ignores_cancellation_does_not_hold_up_the_deadline():
    release = asyncio.Event()

    async def stubborn(question: str) -> str:
        while not release.is_set():
            with suppress(asyncio.CancelledError):
                await release.wait()
        return "too late"

    began = time.monotonic()
    asyncio.get_running_loop().call_later(SOON, release.set)  # or a failing test would hang
    members = {"stubborn": stubborn, "fine": Async.member(says("yes"))}
    result = await aask(members, "q", deadline=0.1)
    assert time.monotonic() - began < SOON
    assert result.answers == {"fine": "yes"}
    assert isinstance(result.failures["stubborn"], MemberTimeoutError)

    release.set()
    await asyncio.sleep(0.02)
    assert asyncio.all_tasks() == {asyncio.current_task()}
    assert list(result.answers) == ["fine"]


async def test_an_answer_after_the_limit_does_not_count_even_if_it_is_there():
    async def blocks_the_loop(_: str) -> str:
        time.sleep(0.1)  # noqa: ASYNC251 - what a careless member does
        return "late"

    with pytest.raises(QuorumError) as caught:
        await aask({"blocks": blocks_the_loop}, "q", timeout=0.05)
    assert isinstance(caught.value.failures["blocks"], MemberTimeoutError)


def test_a_keyboard_interrupt_in_a_member_cancels_the_others():
    saw = []

    async def hanging(_: str) -> None:
        try:
            await asyncio.sleep(LONG)
        except asyncio.CancelledError:
            saw.append("cancelled")
            raise

    members = {"hangs": hanging, "stops": Async.member(raises(KeyboardInterrupt()), after=0.05)}
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(aask(members, "q"))
    assert saw == ["cancelled"]
