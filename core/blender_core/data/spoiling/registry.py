"""All ways of spoiling, by name: a new one is a line here."""

from __future__ import annotations

import random
from collections.abc import Mapping

from blender_core.data.spoiling.amounts import ignored_count, ignored_length
from blender_core.data.spoiling.asked_json import ignored_json
from blender_core.data.spoiling.case import Case, Spoiling
from blender_core.data.spoiling.code import broken_code, code_without_text, text_without_code
from blender_core.data.spoiling.cutting import cut_off
from blender_core.data.spoiling.dialogue import prompt_leak, think_only
from blender_core.data.spoiling.elsewhere import off_topic, other_language
from blender_core.data.spoiling.facts import changed_names, changed_numbers
from blender_core.data.spoiling.markup import markup_noise
from blender_core.data.spoiling.noise import blank, gibberish, mojibake
from blender_core.data.spoiling.order import repeated, shuffled
from blender_core.data.spoiling.padding import contradiction, padded
from blender_core.data.spoiling.wordy import echo, injected_verdict, saying
from blender_core.errors import InputError

__all__ = ["SPOILINGS", "spoil"]

SPOILINGS: Mapping[str, Spoiling] = {
    # nothing is answered
    "refusal": saying("refusal"),
    "non_answer": saying("non_answer"),
    "placeholder": saying("placeholder"),
    "self_praise": saying("self_praise"),
    "injected_verdict": injected_verdict,
    "error_message": saying("error_message"),
    "empty_tool_result": saying("empty_tool_result"),
    "question_back": saying("question_back"),
    "deferral": saying("deferral"),
    "echo": echo,
    "think_only": think_only,
    "gibberish": gibberish,
    # something else is answered
    "off_topic": off_topic,
    "other_language": other_language,
    # the answer is damaged
    "cut_off": cut_off,
    "mojibake": mojibake,
    "shuffled": shuffled,
    "repeated": repeated,
    "padded": padded,
    "contradiction": contradiction,
    "changed_numbers": changed_numbers,
    "changed_names": changed_names,
    "broken_code": broken_code,
    "code_without_text": code_without_text,
    "text_without_code": text_without_code,
    "markup_noise": markup_noise,
    "prompt_leak": prompt_leak,
    # nothing is there
    "blank": blank,
    # the answer is not as it was asked for
    "ignored_json": ignored_json,
    "ignored_length": ignored_length,
    "ignored_count": ignored_count,
}
"""Each says of itself what it does. Those of the first group apply to every question."""

_TRIES = 4


def spoil(kind: str, case: Case, chance: random.Random) -> str | None:
    """A spoilt text in place of an answer, never the answer itself.

    Args:
        kind: a name in `SPOILINGS`.
        case: the answer, its question and others.
        chance: what is drawn is drawn from it; the same state gives the same text.

    Returns:
        None where this kind does not apply, such as numbers where there are none.

    Raises:
        InputError: there is no such kind.

    >>> spoil("cut_off", Case("What is rain?", "Rain is water from clouds."), random.Random(3))
    'Rain is wat'
    >>> spoil("changed_numbers", Case("What is rain?", "Water."), random.Random(0)) is None
    True
    """
    if kind not in SPOILINGS:
        raise InputError(f"{kind!r} is no way of spoiling; known are {', '.join(SPOILINGS)}")
    for _ in range(_TRIES):
        text = SPOILINGS[kind](case, chance)
        if text is None:
            return None
        if (text.strip() or kind == "blank") and text.strip() != case.answer.strip():
            return text
    return None
