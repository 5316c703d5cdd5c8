"""Two conversations as one comparison: what the user said, and two ways to answer all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blender_core.compat.checks import check_lengths
from blender_core.errors import InputError

__all__ = ["INSTRUCTION", "Conversation", "comparisons"]

Conversation = Sequence[Mapping[str, str]]
"""Messages with ``role``, USER and ASSISTANT in turns, and ``content``."""

# The typo is the original's: a ranker's scores belong to exactly this text.
INSTRUCTION = (
    "Finish the following coversation in each i-th turn by filling in "
    "<Response i> with your response."
)
"""What precedes the user's messages."""

_ROLES = ("USER", "ASSISTANT")


def comparisons(
    conversations_a: Sequence[Conversation], conversations_b: Sequence[Conversation]
) -> tuple[list[str], list[str], list[str]]:
    """Inputs, answers A and answers B, one of each a pair of conversations.

    Raises:
        InputError: a conversation does not alternate between user and assistant, or the users
            of a pair say different things; the place is named.
    """
    check_lengths(conversations_a=conversations_a, conversations_b=conversations_b)
    inputs, answers_a, answers_b = [], [], []
    for place, (a, b) in enumerate(zip(conversations_a, conversations_b, strict=True)):
        asked_a, answered_a = _turns(a, f"conversations_a[{place}]")
        asked_b, answered_b = _turns(b, f"conversations_b[{place}]")
        _check_same_user(asked_a, asked_b, place)
        inputs.append(
            "\n".join(f"USER: {text}\nAssistant: <Response {k}>" for k, text in _numbered(asked_a))
        )
        answers_a.append("\n".join(f"<Response {k}>: {text}" for k, text in _numbered(answered_a)))
        answers_b.append("\n".join(f"<Response {k}>: {text}" for k, text in _numbered(answered_b)))
    return inputs, answers_a, answers_b


def _numbered(texts: list[str]) -> enumerate[str]:
    return enumerate(texts, start=1)


def _turns(conversation: Sequence[Any], where: str) -> tuple[list[str], list[str]]:
    """What the user and what the assistant says in each turn, checked."""
    if len(conversation) == 0 or len(conversation) % 2:
        raise InputError(
            f"{where} has {len(conversation)} messages; expected one or more turns, each a "
            "message of USER and one of ASSISTANT"
        )
    texts: list[str] = []
    for place, message in enumerate(conversation):
        here = f"{where}, turn {place // 2 + 1}"
        role = _ROLES[place % 2]
        if not isinstance(message, Mapping) or not message.keys() >= {"role", "content"}:
            raise InputError(
                f"{here}: a message is a dict with 'role' and 'content', got {message!r}"
            )
        if message["role"] != role:
            raise InputError(f"{here}: the role must be {role!r}, got {message['role']!r}")
        if not isinstance(message["content"], str):
            kind = type(message["content"]).__name__
            raise InputError(f"{here}: the {role} message's 'content' must be a str, got {kind}")
        texts.append(message["content"])
    return texts[::2], texts[1::2]


def _check_same_user(asked_a: list[str], asked_b: list[str], place: int) -> None:
    both = f"conversations_a[{place}] and conversations_b[{place}]"
    if len(asked_a) != len(asked_b):
        raise InputError(f"{both} have {len(asked_a)} and {len(asked_b)} turns")
    for turn, (a, b) in enumerate(zip(asked_a, asked_b, strict=True), start=1):
        if a != b:
            raise InputError(
                f"{both}: the user says different things in turn {turn}; only the assistant may"
            )
