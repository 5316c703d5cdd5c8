"""Two conversations as one comparison: what the user said, and two ways to answer all of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from blender_core.compat.checks import check_lengths
from blender_core.conversations import ASSISTANT, SYSTEM, USER, Message, messages_of
from blender_core.errors import InputError

__all__ = ["INSTRUCTION", "Conversation", "comparisons"]

Conversation = Sequence[Mapping[str, Any]]
"""Messages of a user and an assistant in turns, behind one of the system if there is one."""

# The typo is the original's: a ranker's scores belong to exactly this text.
INSTRUCTION = (
    "Finish the following coversation in each i-th turn by filling in "
    "<Response i> with your response."
)
"""What precedes the user's messages."""

_SPEAKERS = (USER, ASSISTANT)


def comparisons(
    conversations_a: Sequence[Conversation], conversations_b: Sequence[Conversation]
) -> tuple[list[str], list[str], list[str]]:
    """Inputs, answers A and answers B, one of each a pair of conversations.

    What the system says is put before what the user says, as ``SYSTEM: …``.

    Raises:
        InputError: a conversation does not alternate between user and assistant, or the users
            of a pair, or their systems, say different things; the place is named.
    """
    check_lengths(conversations_a=conversations_a, conversations_b=conversations_b)
    inputs, answers_a, answers_b = [], [], []
    for place, (a, b) in enumerate(zip(conversations_a, conversations_b, strict=True)):
        system_a, asked_a, answered_a = _turns(a, f"conversations_a[{place}]")
        system_b, asked_b, answered_b = _turns(b, f"conversations_b[{place}]")
        if system_a != system_b:
            both = f"conversations_a[{place}] and conversations_b[{place}]"
            raise InputError(f"{both}: the system says different things; only the assistant may")
        _check_same_user(asked_a, asked_b, place)
        lines = [f"SYSTEM: {text}" for text in system_a]
        lines += [f"USER: {text}\nAssistant: <Response {k}>" for k, text in _numbered(asked_a)]
        inputs.append("\n".join(lines))
        answers_a.append("\n".join(f"<Response {k}>: {text}" for k, text in _numbered(answered_a)))
        answers_b.append("\n".join(f"<Response {k}>: {text}" for k, text in _numbered(answered_b)))
    return inputs, answers_a, answers_b


def _numbered(texts: list[str]) -> enumerate[str]:
    return enumerate(texts, start=1)


def _turns(conversation: Sequence[Any], where: str) -> tuple[list[str], list[str], list[str]]:
    """What the system, and in each turn the user and the assistant, says; checked."""
    messages: list[Message] = []
    for place, message in enumerate(conversation):
        here = f"{where}, turn {place // 2 + 1}"
        if not isinstance(message, Mapping) or not message.keys() >= {"role", "content"}:
            raise InputError(
                f"{here}: a message is a dict with 'role' and 'content', got {message!r}"
            )
        if message["content"] is None:
            raise InputError(f"{here}: the message's 'content' must be a str, got NoneType")
        messages += messages_of(here, [message])
    system = [text for speaker, text in messages if speaker == SYSTEM]
    turns = [message for message in messages if message.speaker != SYSTEM]
    if not turns or len(turns) % 2:
        raise InputError(
            f"{where} has {len(turns)} messages; expected one or more turns, each a "
            "message of USER and one of ASSISTANT"
        )
    for place, (speaker, _) in enumerate(turns):
        role = _SPEAKERS[place % 2]
        if speaker != role:
            raise InputError(
                f"{where}, turn {place // 2 + 1}: the role must be {role.upper()!r}, "
                f"got {speaker.upper()!r}"
            )
    texts = [text for _, text in turns]
    return system, texts[::2], texts[1::2]


def _check_same_user(asked_a: list[str], asked_b: list[str], place: int) -> None:
    both = f"conversations_a[{place}] and conversations_b[{place}]"
    if len(asked_a) != len(asked_b):
        raise InputError(f"{both} have {len(asked_a)} and {len(asked_b)} turns")
    for turn, (a, b) in enumerate(zip(asked_a, asked_b, strict=True), start=1):
        if a != b:
            raise InputError(
                f"{both}: the user says different things in turn {turn}; only the assistant may"
            )
