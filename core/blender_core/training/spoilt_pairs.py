"""Good answers against spoilt ones: pairs that no judge has to be asked about."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from blender_core.candidates import Pair
from blender_core.data.records import Record
from blender_core.data.spoiling import Case, requested, spoil
from blender_core.training.config import RankerConfig
from blender_core.training.pairs import JudgedPair, preferences_of, quality

__all__ = ["spoilt_pairs"]

REQUESTED = "requested"
"""The kind for which a form is asked for as well: see `data.spoiling.requested`."""

_OTHERS = 24
"""Other questions with answers that a case is given, of the same source."""

_SENTENCE = re.compile(r"[^.!?。！？\n]{2,200}[.!?。！？]")
_BRIEF = 0.25
"""Share of the good answers that are cut down to their first sentence: good ones may be short."""

_SPACE_CUT = 3_900
"""Characters from which on a text counts as cut by whoever collected it."""


def spoilt_pairs(records: Sequence[Record], config: RankerConfig) -> list[JudgedPair]:
    """Pairs of an answer and a spoilt one, each in a random order.

    Of each record and kind of `config.spoil`, with the share it says, one of the better answers
    is spoilt, sometimes after it was cut down to its first sentence. What was spoilt is compared
    with that answer and with one more of the better ones.

    Args:
        records: with answers; what is known of them says which are the better ones.
        config: with `spoil`, `spoilt_weight` and `seed`.

    Raises:
        InputError: there is no such kind of spoiling.
    """
    chance = random.Random(config.seed)
    by_source: dict[tuple[str | None, str | None], list[Record]] = {}
    for record in records:
        by_source.setdefault(_home(record), []).append(record)
    result: list[JudgedPair] = []
    for place, record in enumerate(records):
        good = _better_half(record, config)
        if not good:
            continue
        question = record.to_task().source
        others = _others(by_source[_home(record)], record, chance)
        new = len(record.candidates)
        for kind, share in config.spoil.items():
            if chance.random() >= share:
                continue
            index = chance.choice(good)
            answer = whole(record.candidates[index].text)
            case = Case(question, answer, others, _language(record))
            other = whole(record.candidates[chance.choice(good)].text)
            for asked_for, rival, text in _spoilt(kind, case, other, chance):
                pair = JudgedPair(
                    Pair(asked_for, rival, text),
                    1.0,
                    ((1.0,), (0.0,)),
                    (index, new),
                    place,
                    config.spoilt_weight,
                    record.source,
                )
                result.append(pair if chance.random() < 0.5 else pair.swapped)
            new += 1
    return result


def _spoilt(kind: str, case: Case, other: str, chance: random.Random) -> list[tuple[str, str, str]]:
    """Questions, each with a good answer and a spoilt one; none where the kind does not apply."""
    if kind == REQUESTED:
        asked = requested(case, chance)
        return [(asked.question, asked.kept, asked.ignored)] if asked else []
    if chance.random() < _BRIEF and (first := _SENTENCE.match(case.answer)):
        case = replace(case, answer=first[0])
    text = spoil(kind, case, chance)
    if text is None:
        return []
    rivals = dict.fromkeys((case.answer, other))
    return [(case.question, rival, text) for rival in rivals if rival != text]


def whole(text: str) -> str:
    """A text that was cut where it was collected, up to its last sentence that is whole."""
    if len(text) < _SPACE_CUT:
        return text
    end = max(text.rfind(stop) for stop in (". ", ".\n", "! ", "? ", "。", "！", "？", "```\n"))
    return text[: end + 1].rstrip() if end > len(text) // 2 else text


def _better_half(record: Record, config: RankerConfig) -> list[int]:
    """Places of the answers that are at least as good as the middle one, blank ones left out."""
    known = quality(preferences_of(record, config))
    usable = [
        place
        for place, answer in enumerate(record.candidates)
        if answer.text.strip() and not np.isnan(known[place])
    ]
    if not usable:
        return []
    middle = float(np.median(known[usable]))
    return [place for place in usable if known[place] >= middle]


def _home(record: Record) -> tuple[str | None, str | None]:
    return record.source, _language(record)


def _language(record: Record) -> str | None:
    told = (record.model_extra or {}).get("lang")
    return told if isinstance(told, str) else None


def _others(
    records: Sequence[Record], record: Record, chance: random.Random
) -> list[tuple[str, str]]:
    drawn = chance.sample(records, min(_OTHERS, len(records)))
    return [
        (other.to_task().source, whole(chance.choice(other.candidates).text))
        for other in drawn
        if other is not record and other.instruction != record.instruction
    ]
