"""Hostile versions of real files: of their JSON, and of their bytes, by chance."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

DEEP = "a place for something deep"
_LEVELS = (90, 150, 1_000, 100_000)

_VALUES = [
    *(None, True, False, 0, 1, -1, 2, 512, 2**31, 2**32, 2**63, 10**400),
    *(-0.5, 0.5, 1.0, 1e308, -1e308, 5e-324, float("nan"), float("inf"), float("-inf")),
    *("", "x", "1", "-1", "nan", "\ud800", "\x00", "../..", "/dev/null", "é" * 3, "a" * 10_000),
    *([], [[]], [None], [0, 0], ["x"], {}, {"": None}, {"first": 5}, {"x": {"y": []}}, DEEP),
]


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every container and key in a value."""
    keys: Any = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _places(value[key])


def mutated(value: Any, chance: Random) -> Any:
    """A JSON value with one to three changes at places by chance."""
    if chance.random() < 0.02:
        return chance.choice(_VALUES)
    value = deepcopy(value)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(value))
        # As often near the top, where there are few places, as anywhere.
        top = [place for place in places if place[0] is value]
        if not top:
            return value
        container, key = chance.choice(chance.choice([top, places]))
        change = chance.choice(["replace", "replace", "delete", "add", "move"])
        if change == "replace":
            container[key] = deepcopy(chance.choice(_VALUES))
        elif change == "delete":
            del container[key]
        elif change == "move":
            other, name = chance.choice(places)
            container[key] = deepcopy(other[name])
        elif isinstance(container, dict):
            container[chance.choice(["", "x", "\ud800", "format"])] = container[key]
        else:
            container.insert(key, deepcopy(container[key]))
    return value


def mutated_json(value: Any, chance: Random) -> bytes:
    """The same as a file; some are nested deeper than Python could write them."""
    levels = chance.choice(_LEVELS)
    text = json.dumps(mutated(value, chance))
    return text.replace(json.dumps(DEEP), "[" * levels + "]" * levels).encode()


def mutated_bytes(content: bytes, chance: Random) -> bytes:
    """Bytes with one to eight changes: flipped, cut off, put in, left out, repeated."""
    result = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        size = len(result)
        # Headers are at either end.
        first, last = chance.choice([(0, min(size, 200)), (max(0, size - 200), size), (0, size)])
        place, length = chance.randint(first, last), chance.randint(0, 16)
        change = chance.choice(["flip", "flip", "cut", "insert", "delete", "repeat"])
        if change == "flip" and place < size:
            result[place] ^= chance.randint(1, 255)
        elif change == "cut":
            del result[place:]
        elif change == "insert":
            result[place:place] = chance.randbytes(length)
        elif change == "delete":
            del result[place : place + length]
        elif change == "repeat":
            result[place:place] = result[place : place + length]
    return bytes(result)
