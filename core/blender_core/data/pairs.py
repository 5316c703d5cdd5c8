"""Preference data, ``prompt``, ``chosen`` and ``rejected``, as records and back.

The sides are texts or conversations, in all forms that TRL knows and some that others use. A
conversation as prompt becomes the text that it is everywhere (`blender_core.conversations`).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from blender_core.conversations import (
    ASSISTANT,
    SYSTEM,
    USER,
    Message,
    as_text,
    messages_of,
    told,
)
from blender_core.data.records import Record, read_record
from blender_core.errors import InputError

__all__ = ["from_pair", "is_pair", "messages_or_text", "prompt_of", "to_pairs"]

_PROMPTS = ("prompt", "instruction")
_OTHER_PROMPTS = ("question", "query", "messages", "conversations", "conversation", "history")

_MARGIN = "margin"
_MADE_OF = {"chosen", "rejected", _MARGIN, "system"}
_MODELS = ("{}_model", "{}-model", "model_{}")

_SPEAKS = re.compile(r"(?:^|\n\n)(Human|Assistant):")


def is_pair(value: Any) -> bool:
    """Whether a JSON value has the shape of preference data."""
    return isinstance(value, Mapping) and {"chosen", "rejected"} <= value.keys()


def from_pair(value: Any) -> Record:
    r"""The record of the answers that a JSON value of preference data is: chosen first.

    * ``prompt``, also called ``instruction``, is a text or messages: all of the conversation or
      its last turn. Without one, ``question``, ``query``, ``messages``, ``conversations``,
      ``conversation`` and ``history`` are looked for. ``system`` comes before it.
    * ``chosen`` and ``rejected`` are an answer, a message, or messages: the answer or the whole
      conversation; or each a list of answers, of which every chosen one is the better one.
    * Without a prompt, it is what the two begin with in common, in messages, in texts of the form
      ``\n\nHuman: … \n\nAssistant: …``, or, as for TRL, in any texts.
    * ``margin`` says how much better. From 0 to 1 it is a judgement's strength; a larger one is
      clear, and kept as the score ``margin``. ``chosen_model`` and ``rejected_model`` are read.

    Other keys are carried along.

    Raises:
        InputError: says which part is wrong.
    """
    if not is_pair(value):
        raise InputError("'chosen' or 'rejected' is missing")
    _refuse(value, ("candidates", "judgements"))
    asked, chosen, rejected = _sides(value)
    texts = [*chosen, *rejected]
    models = [_model(value, side) for side in ("chosen", "rejected")]
    named = [models[0]] * len(chosen) + [models[1]] * len(rejected)
    margin = _margin(value.get(_MARGIN))
    judgements = [
        {"a": a, "b": b, "winner": "a"} | ({"strength": margin} if margin < 1 else {})
        for a in range(len(chosen))
        for b in range(len(chosen), len(texts))
    ]
    read = {*_MADE_OF, *_prompt_names(value)}
    read |= {pattern.format(side) for pattern in _MODELS for side in ("chosen", "rejected")}
    made: dict[str, Any] = {"instruction": asked, "judgements": judgements}
    made["candidates"] = [
        {"text": text, "model": model} for text, model in zip(texts, named, strict=True)
    ]
    known = {key: part for key, part in value.items() if key not in read}
    if 1 < margin < math.inf:
        _refuse(known, ("scores",))
        made["scores"] = {_MARGIN: [margin] * len(chosen) + [0.0] * len(rejected)}
    return read_record(known | made)


def to_pairs(record: Record, *, least_margin: float = 0.0) -> Iterator[dict[str, Any]]:
    """The preferences of a record, one pair each, as JSON values.

    Ties, and answers of the same text, are left out.

    Args:
        record: whose `preferences` are asked.
        least_margin: pairs with a smaller one are left out. The margin is how far the preference
            is from undecided, from 0 to 1, or what the record has as scores of that name.
    """
    preferences = record.preferences()
    given = record.score(_MARGIN)
    for i, first in enumerate(record.candidates):
        for j in range(i + 1, len(record.candidates)):
            margin = 2.0 * float(preferences[i, j]) - 1.0  # NaN where nothing is known
            if not abs(margin) > 0.0:
                continue
            if not math.isnan(apart := float(given[i] - given[j])):
                margin = math.copysign(apart, margin)
            if abs(margin) < least_margin:
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


def prompt_of(value: Mapping[str, Any]) -> list[Message]:
    """The conversation that ``prompt``, or its other names, and ``system`` make up.

    Empty where there is none of them.

    Raises:
        InputError: says which part is wrong, or that two of them say different things.
    """
    names = _prompt_names(value)
    said = [messages_or_text(name, value[name]) for name in names]
    if len(said) == 2 and said[0] != said[1]:
        raise InputError(f"{names[0]!r} and {names[1]!r} are both there, and differ")
    messages = said[0] if said else []
    while names and names[0] in _OTHER_PROMPTS and messages and messages[-1].speaker == ASSISTANT:
        messages.pop()  # all of a conversation, with an answer to it
    system = value.get("system")
    if system is None or system == "":
        return messages
    if not isinstance(system, str):
        raise InputError("'system' must be a text")
    if messages and messages[0].speaker == SYSTEM:
        if messages[0].text.strip() != system.strip():
            raise InputError("'system' is another one than that of the conversation")
        return messages
    return [Message(SYSTEM, system), *messages]


def _prompt_names(value: Mapping[str, Any]) -> list[str]:
    """The keys that hold the prompt: both, where it is there by both its names."""
    named = [key for key in _PROMPTS if value.get(key) is not None]
    return named or [key for key in _OTHER_PROMPTS if value.get(key) is not None][:1]


def messages_or_text(name: str, value: Any) -> list[Message]:
    r"""A conversation; a text is what a user says, or one of ``\n\nHuman: … \n\nAssistant: …``."""
    if not isinstance(value, str):
        return messages_of(name, value)
    turns = _dialogue(value)
    if len(turns) > 1 and turns[-1] == Message(ASSISTANT, ""):
        turns.pop()
        return turns
    return [Message(USER, value)]


def _refuse(value: Mapping[str, Any], names: Sequence[str]) -> None:
    """Keys of a record that the other keys of this value make already."""
    for name in names:
        if name in value:
            raise InputError(
                f"{name!r} stands beside 'chosen' and 'rejected', and clashes with them"
            )


def _model(value: Mapping[str, Any], side: str) -> str | None:
    for pattern in _MODELS:
        model = value.get(name := pattern.format(side))
        if model is not None:
            if not isinstance(model, str):
                raise InputError(f"{name!r} must be a text")
            return model
    return None


def _margin(value: Any) -> float:
    """How much better the chosen answer is; infinity where nothing is said."""
    if value is None:
        return math.inf
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InputError(f"'margin' must be a number, got {value!r:.80}")
    if value < 0:
        raise InputError(f"'margin' is {value:g}: the chosen answer would be the worse one")
    return float(value)


def _sides(value: Mapping[str, Any]) -> tuple[str, list[str], list[str]]:
    """The question, and the answers of both sides."""
    chosen, rejected = value["chosen"], value["rejected"]
    before = prompt_of(value)
    if _are_texts(chosen) and _are_texts(rejected) and before:
        return as_text(before), list(chosen), list(rejected)
    if isinstance(chosen, str) and isinstance(rejected, str):
        return _sides_of_texts(value, before, chosen, rejected)
    one, other = _conversation("chosen", chosen), _conversation("rejected", rejected)
    return _sides_of_messages(before, one, other)


def _sides_of_texts(
    value: Mapping[str, Any], before: list[Message], chosen: str, rejected: str
) -> tuple[str, list[str], list[str]]:
    one, other = _dialogue(chosen), _dialogue(rejected)
    if len(one) > 1 and len(other) > 1:
        return _sides_of_messages(before, one, other)
    if any(message.speaker != SYSTEM for message in before):
        return as_text(before), [chosen], [rejected]
    if more := [key for key, part in value.items() if _may_be_a_question(key, part)]:
        raise InputError(
            f"there is no 'prompt', and 'chosen' is no dialogue; is the question in {more[0]!r}?"
        )
    shared = _shared_text(chosen, rejected)
    if not shared.strip():
        raise InputError("there is no 'prompt', and 'chosen' is no dialogue of Human: and …")
    asked = as_text([*before, Message(USER, shared)])
    return asked, [chosen[len(shared) :]], [rejected[len(shared) :]]


def _may_be_a_question(key: str, part: Any) -> bool:
    """Whether a part that nobody knows may be what the two texts answer."""
    return isinstance(part, str) and " " in part.strip() and key not in {*_MADE_OF, "licence"}


def _shared_text(one: str, other: str) -> str:
    """What both begin with, without the space before what differs: a prompt that TRL finds."""
    count = 0
    while count < min(len(one), len(other)) and one[count] == other[count]:
        count += 1
    if count == min(len(one), len(other)):
        return ""  # one is all of the other: there is no answer left
    return one[:count].removesuffix(" ")


def _sides_of_messages(
    before: list[Message], one: list[Message], other: list[Message]
) -> tuple[str, list[str], list[str]]:
    """What two conversations have in common joined to the prompt, and how they go on."""
    system = _one_system(before, one, other)
    turns, first, second = map(_turns, (before, one, other))
    common = 0
    while common < min(len(first), len(second)) - 1 and _same(first[common], second[common]):
        common += 1
    asked = _joined(turns, first[:common])
    if not asked:
        raise InputError("there is no 'prompt', and 'chosen' and 'rejected' begin differently")
    chosen, rejected = _answer("chosen", first[common:]), _answer("rejected", second[common:])
    return as_text([*system, *asked]), [chosen], [rejected]


def _one_system(*conversations: list[Message]) -> list[Message]:
    """The system's messages, which those conversations that have any have alike."""
    given = [[m for m in messages if m.speaker == SYSTEM] for messages in conversations]
    given = [system for system in given if system]
    for system in given[1:]:
        if not all(map(_same, system, given[0])) or len(system) != len(given[0]):
            raise InputError("'prompt', 'chosen' and 'rejected' have different system messages")
    return given[0] if given else []


def _joined(before: list[Message], shared: list[Message]) -> list[Message]:
    """A prompt and what follows it, a turn that is in both only once.

    The prompt may be the conversation's beginning, its last turn, all of it, or stand before it.
    """
    for start in range(len(shared) - len(before) + 1):
        if all(map(_same, shared[start:], before)):
            return shared
    overlap = min(len(before), len(shared))
    while not all(map(_same, before[len(before) - overlap :], shared)):
        overlap -= 1
    return before + shared[overlap:]


def _same(one: Message, other: Message) -> bool:
    return one.speaker == other.speaker and one.text.strip() == other.text.strip()


def _turns(messages: list[Message]) -> list[Message]:
    return [message for message in messages if message.speaker != SYSTEM]


def _conversation(name: str, value: Any) -> list[Message]:
    """One side: an answer, a message or several."""
    return [Message(ASSISTANT, value)] if isinstance(value, str) else messages_of(name, value)


def _answer(name: str, messages: list[Message]) -> str:
    """The text of an answer, of one message or several turns."""
    if messages[-1].speaker != ASSISTANT or messages[0].speaker != ASSISTANT:
        raise InputError(f"{name!r} must answer the prompt and end with a message of the assistant")
    first, *others = messages
    return "\n".join(filter(None, [first.text, told(others)])) if others else first.text


def _dialogue(text: str) -> list[Message]:
    r"""A text ``\n\nHuman: …\n\nAssistant: …`` as messages; empty where it is none."""
    begins, *parts = _SPEAKS.split(text.lstrip())
    if begins or not parts:
        return []
    return [
        Message(USER, what.removeprefix(" "))
        if who == "Human"
        else Message(ASSISTANT, what.strip(" "))
        for who, what in zip(parts[::2], parts[1::2], strict=True)
    ]


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(one, str) for one in value)
