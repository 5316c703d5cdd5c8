"""JSON was asked for, and it is none."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

from blender_core.data.spoiling.case import Case
from blender_core.errors import InputError
from blender_core.json_values import parsed

__all__ = ["ignored_json"]

_SIGNS = '{}[]":,'
_IS = " is "


def ignored_json(case: Case, chance: random.Random) -> str | None:
    """Sentences instead of the JSON, or JSON that does not parse.

    Applies where the question speaks of JSON and the answer has an object or a list.
    """
    if "json" not in case.question.casefold():
        return None
    text = _json_in(case.answer)
    value = _value(text)
    if not value:
        return None
    way = chance.choice(["sentences", "sentences", "end", "sign", "quotes"])
    if way == "sentences":
        text = " ".join(_sentences(value, ""))
        return (text if case.spoken == "en" else text.replace(_IS, ": ")) or None
    return case.answer.replace(text, _broken(text, way, chance))


def _broken(text: str, way: str, chance: random.Random) -> str:
    if way == "end":
        return text.rstrip("}] \n")
    if way == "quotes":
        return text.replace('"', "'")
    places = [place for place, char in enumerate(text) if char in _SIGNS]
    gone = set(chance.sample(places, min(len(places), chance.randint(1, 3))))
    return "".join(char for place, char in enumerate(text) if place not in gone)


def _json_in(text: str) -> str:
    """From the first opening bracket to the last closing one; "" where there are none."""
    starts = [place for place in (text.find("{"), text.find("[")) if place >= 0]
    end = max(text.rfind("}"), text.rfind("]"))
    return text[min(starts) : end + 1] if starts else ""


def _value(text: str) -> Any:
    """The object or list; None: it is none."""
    try:
        value = parsed(text.encode("utf-8", "replace"))
    except InputError:
        return None
    return value if isinstance(value, dict | list) else None


def _sentences(value: Any, name: str) -> Iterator[str]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _sentences(inner, f"{name} {key}".strip())
    elif isinstance(value, list):
        for inner in value:
            yield from _sentences(inner, name)
    elif name:
        yield f"{name.replace('_', ' ').capitalize()}{_IS}{value}."
    else:
        yield f"{value}."
