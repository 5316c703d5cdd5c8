"""Plain preference data, ``prompt``, ``chosen`` and ``rejected``, as records and back.

Texts, or conversations as lists of ``{"role", "content"}``. A conversation becomes one text as
the prompt of a record: the first question as it is, what follows as ``Assistant: …`` and
``User: …``, one a line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from blender_core.data.records import Record, read_record
from blender_core.errors import InputError

__all__ = ["from_pair", "is_pair", "to_pairs"]

_ROLES = {"user": "User", "human": "User", "assistant": "Assistant", "gpt": "Assistant"}
_MADE_OF = {"prompt", "chosen", "rejected", "chosen_model", "rejected_model", "margin"}

Message = tuple[str, str]
"""Who, and what is said."""


def is_pair(value: Any) -> bool:
    """Whether a JSON value has the shape of preference data."""
    return isinstance(value, Mapping) and {"chosen", "rejected"} <= value.keys()


def from_pair(value: Any) -> Record:
    """The record of two answers that a JSON value of preference data is: chosen first.

    ``prompt``, also called ``instruction``, may be left out: it is then what two conversations, or
    two texts in the form ``Human: … Assistant: …``, begin with in common. ``chosen_model``,
    ``rejected_model`` and ``margin`` (from 0 to 1: how much better, a judgement's strength) are
    read; other keys are carried along.

    Raises:
        InputError: says which part is wrong.
    """
    if not is_pair(value):
        raise InputError("'chosen' or 'rejected' is missing")
    asked, chosen, rejected = _texts(
        value.get("prompt", value.get("instruction")), value["chosen"], value["rejected"]
    )
    judgement: dict[str, Any] = {"a": 0, "b": 1, "winner": "a"}
    if value.get("margin") is not None:
        judgement["strength"] = value["margin"]
    texts = {"chosen": chosen, "rejected": rejected}
    candidates = [
        {"text": text, "model": value.get(f"{side}_model")} for side, text in texts.items()
    ]
    known = {key: part for key, part in value.items() if key not in _MADE_OF}
    made = {"instruction": asked, "candidates": candidates, "judgements": [judgement]}
    return read_record(known | made)


def to_pairs(record: Record, *, least_margin: float = 0.0) -> Iterator[dict[str, Any]]:
    """The preferences of a record, one pair each, as JSON values; ties are left out.

    Args:
        record: whose `preferences` are asked.
        least_margin: pairs with a smaller one are left out. The margin is how far the preference
            is from undecided, from 0 to 1.
    """
    preferences = record.preferences()
    for i, first in enumerate(record.candidates):
        for j in range(i + 1, len(record.candidates)):
            margin = 2.0 * float(preferences[i, j]) - 1.0  # NaN where nothing is known
            if not (abs(margin) > 0.0 and abs(margin) >= least_margin):
                continue
            second = record.candidates[j]
            chosen, rejected = (first, second) if margin > 0 else (second, first)
            pair: dict[str, Any] = {"prompt": record.instruction + record.input}
            pair |= {"chosen": chosen.text, "rejected": rejected.text, "margin": abs(margin)}
            named = {
                "chosen_model": chosen.model,
                "rejected_model": rejected.model,
                "id": None if record.id is None else f"{record.id}-{i}-{j}",
                "source": record.source,
                "licence": record.licence,
            }
            yield pair | {key: name for key, name in named.items() if name is not None}


def _texts(prompt: Any, chosen: Any, rejected: Any) -> tuple[str, str, str]:
    """Prompt and answers as one text each."""
    if isinstance(chosen, str) and isinstance(rejected, str):
        if prompt is not None:
            return _asked(_messages("prompt", prompt)), chosen, rejected
        chosen, rejected = _dialogue("chosen", chosen), _dialogue("rejected", rejected)
    before = [] if prompt is None else _messages("prompt", prompt)
    one, other = _messages("chosen", chosen), _messages("rejected", rejected)
    # a conversation may repeat the prompt or go on behind it
    common = 0
    while common < min(len(one), len(other)) - 1 and one[common] == other[common]:
        common += 1
    shared = one[:common]
    if shared[: len(before)] != before:
        shared = before + shared
    if not shared:
        raise InputError("there is no 'prompt', and 'chosen' and 'rejected' begin differently")
    answers = (_answer("chosen", one[common:]), _answer("rejected", other[common:]))
    return _asked(shared), *answers


def _messages(name: str, value: Any) -> list[Message]:
    """A conversation; a text is what a user says."""
    if isinstance(value, str):
        return [("User", value)]
    if not isinstance(value, list) or not value:
        raise InputError(f"{name!r} must be a text or a list of messages")
    messages = []
    for place, message in enumerate(value):
        here = f"'{name}[{place}]'"
        if not isinstance(message, Mapping) or not {"role", "content"} <= message.keys():
            raise InputError(f"{here} must be an object with 'role' and 'content'")
        role, content = message["role"], message["content"]
        if not isinstance(role, str) or not isinstance(content, str):
            raise InputError(f"{here}: 'role' and 'content' must be texts")
        messages.append((_ROLES.get(role.lower(), role.capitalize()), content))
    return messages


def _asked(messages: list[Message]) -> str:
    """The text of a prompt: who speaks is said from the second question on."""
    start = 0
    lines = []
    while start < len(messages) and messages[start][0] == "System":
        lines.append(messages[start][1] + "\n")
        start += 1
    for place, (role, content) in enumerate(messages[start:]):
        lines.append(content if place == 0 and role == "User" else f"{role}: {content}")
    return "\n".join(lines)


def _answer(name: str, messages: list[Message]) -> str:
    """The text of an answer, of one message or several turns."""
    if messages[-1][0] != "Assistant" or messages[0][0] != "Assistant":
        raise InputError(f"{name!r} must answer the prompt and end with a message of the assistant")
    first, *others = messages
    return "\n".join([first[1], *(f"{role}: {content}" for role, content in others)])


def _dialogue(name: str, text: str) -> list[dict[str, str]]:
    r"""A text ``\n\nHuman: …\n\nAssistant: …`` as messages."""
    messages: list[dict[str, str]] = []
    for part in f"\n\n{text.lstrip()}".split("\n\nHuman: ")[1:]:
        asked, *answers = part.split("\n\nAssistant:")
        messages.append({"role": "user", "content": asked})
        messages += ({"role": "assistant", "content": answer.strip(" ")} for answer in answers)
    if not messages:
        raise InputError(f"there is no 'prompt', and {name!r} is no dialogue of Human: and …")
    return messages
