"""Every error this package raises on purpose.

Each message says what was wrong, where, and what to do. All derive from `BlenderError`, and
also from the built-in exception that a caller would naturally catch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = [
    "BlenderError",
    "CheckpointError",
    "InputError",
    "MemberCancelledError",
    "MemberTimeoutError",
    "MissingExtraError",
    "ModelOutputError",
    "NotSavedError",
    "QuorumError",
    "quorum_error",
]


class BlenderError(Exception):
    """Base of all errors raised by this package."""


class InputError(BlenderError, ValueError):
    """A value handed in by the caller is not usable; the message names it."""


class CheckpointError(BlenderError, ValueError):
    """A checkpoint is missing, broken or of an unknown layout; the message names the file."""


class ModelOutputError(BlenderError, ArithmeticError):
    """A model answered with something that is no number (NaN or infinity)."""


class NotSavedError(BlenderError, OSError):
    """A checkpoint could not be written, for example because the disk is full."""


class MissingExtraError(BlenderError, ImportError):
    """An optional dependency is not installed; the message is the line that installs it.

    Args:
        feature: what needs it.
        extra: of this package.
        then: a command besides, for what no extra can name.
    """

    def __init__(self, feature: str, extra: str, then: str = "") -> None:
        self._made_of = (feature, extra, then)
        super().__init__(
            f"{feature} needs an optional dependency: pip install 'blended-llm[{extra}]'"
            + (f" && {then}" if then else "")
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), self._made_of


class MemberTimeoutError(BlenderError, TimeoutError):
    """A member had no answer in time; the message says which limit it ran into."""


class MemberCancelledError(BlenderError, RuntimeError):
    """A member was cancelled by something else than the one who asked it; see `__cause__`."""


class QuorumError(BlenderError, RuntimeError):
    """Fewer members answered than the quorum asks for.

    What is raised is also an error of the type that all failures have in common, if they have one
    (see `quorum_error`): who catches a `TimeoutError`, or a provider's rate limit, catches it here,
    too. The first failure's own attributes (``status_code``, ``response``) come with it.

    Attributes:
        failures: every failed member's own exception, by member name.
        answered: names of the members that did answer.
        needed: how many had to.
    """

    def __init__(
        self, needed: int, answered: tuple[str, ...], failures: Mapping[str, Exception]
    ) -> None:
        self._made_of = (needed, answered, dict(failures))
        self.needed = needed
        self.answered = answered
        self.failures = dict(failures)
        reasons = "; ".join(f"{name}: {describe(error)}" for name, error in self.failures.items())
        # Not `super()`: the type that the failures share may want other arguments.
        Exception.__init__(
            self,
            f"{len(answered)} of {len(answered) + len(self.failures)} members answered, "
            f"{needed} needed. Failed: {reasons or 'none'}",
        )

    @property
    def exceptions(self) -> tuple[Exception, ...]:
        """The failures, under the name that they have in an `ExceptionGroup`."""
        return tuple(self.failures.values())

    def __str__(self) -> str:
        return str(self.args[0])

    def __reduce__(self) -> tuple[Any, ...]:
        return quorum_error, self._made_of


def quorum_error(
    needed: int, answered: tuple[str, ...], failures: Mapping[str, Exception]
) -> QuorumError:
    """A `QuorumError` that is also of the type that all failures have in common.

    >>> failures = {"a": ConnectionRefusedError("no"), "b": ConnectionResetError("no")}
    >>> isinstance(quorum_error(1, (), failures), ConnectionError)
    True
    """
    shared = _in_common([type(error) for error in failures.values()])
    if shared:
        try:
            kind = type("QuorumError", (QuorumError, *shared), {"__module__": __name__})
            error: QuorumError = kind(needed, answered, failures)
        except Exception:  # noqa: BLE001 - a type that cannot be derived from, or made like this
            return QuorumError(needed, answered, failures)
        told = vars(next(iter(failures.values())))
        vars(error).update({key: told[key] for key in told.keys() - vars(error).keys()})
        return error
    return QuorumError(needed, answered, failures)


def _in_common(kinds: Sequence[type[Exception]]) -> list[type[Exception]]:
    """The narrowest types that all these are of, without those that say nothing."""
    nothing = (BlenderError, *QuorumError.__mro__)
    common = [
        kind
        for kind in (kinds[0].__mro__ if kinds else ())
        if issubclass(kind, Exception)
        and all(issubclass(other, kind) for other in kinds)
        and kind not in nothing
        # What ends an iteration cannot be raised through a generator or a coroutine.
        and not issubclass(kind, QuorumError | StopIteration | StopAsyncIteration)
    ]
    return [
        kind
        for kind in common
        if not any(other is not kind and issubclass(other, kind) for other in common)
    ]


def describe(error: BaseException) -> str:
    """`TypeName: message` of an exception, or only the name if it has no message."""
    name, message = type(error).__name__, message_of(error)
    return name if message == name else f"{name}: {message}"


def reason(error: BaseException) -> str:
    """What to tell people: an error of ours is a sentence, another one needs its type's name."""
    return message_of(error) if isinstance(error, BlenderError) else describe(error)


def message_of(error: BaseException) -> str:
    """What an exception says; its type's name where it says nothing, or where asking it raises."""
    try:
        return str(error).strip() or type(error).__name__
    except Exception:  # noqa: BLE001 - an exception that cannot be shown is still one to report
        return type(error).__name__


def first_line(error: BaseException) -> str:
    """The first line of `message_of`: libraries' messages can be pages long."""
    return message_of(error).splitlines()[0]
