"""The right words in no order, and the same words again and again."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence

from blender_core.data.spoiling.case import Case
from blender_core.data.spoiling.pieces import sentences, words
from blender_core.data.spoiling.scripts import unspaced

__all__ = ["repeated", "shuffled"]

_LEAST_UNITS = 5
_MOST_CHARACTERS = 6_000
"""A text that is repeated ends here, or at twice the answer's length."""


def shuffled(case: Case, chance: random.Random) -> str | None:
    """The same words (characters, of a script without spaces) in another order.

    They change places in the whole text, within each sentence, or with their neighbours.
    """
    split = list if unspaced(case.answer) else words
    units = split(case.answer)
    places = [place for place, unit in enumerate(units) if not unit.isspace()]
    if len({units[place] for place in places}) < _LEAST_UNITS:
        return None
    groups = chance.choice([_whole, _by_sentence, _neighbours])(units, places, chance)
    for group in groups:
        chance_order = chance.sample(group, len(group))
        for place, unit in zip(group, [units[other] for other in chance_order], strict=True):
            units[place] = unit
    return "".join(units)


def _whole(units: list[str], places: list[int], chance: random.Random) -> list[list[int]]:  # noqa: ARG001
    return [places]


def _by_sentence(units: list[str], places: list[int], chance: random.Random) -> list[list[int]]:  # noqa: ARG001
    groups: list[list[int]] = [[]]
    for place in places:
        groups[-1].append(place)
        if units[place].endswith((".", "!", "?", "。", "！", "？")):
            groups.append([])
    return groups


def _neighbours(units: list[str], places: list[int], chance: random.Random) -> list[list[int]]:  # noqa: ARG001
    size = chance.randint(4, 8)
    return [places[start : start + size] for start in range(0, len(places), size)]


def repeated(case: Case, chance: random.Random) -> str | None:
    """The whole, one sentence or a few words said many times, up to a loop without an end."""
    text = case.answer.strip()
    if not text:
        return None
    most = min(_MOST_CHARACTERS, max(600, 2 * len(text)))
    return "".join(_loop(text, most, chance))


def _loop(text: str, most: int, chance: random.Random) -> Iterator[str]:
    parts = sentences(text)
    way = chance.choice(["whole", "sentence", "phrase"]) if len(parts) > 1 else "phrase"
    if way == "whole":
        yield chance.choice([" ", "\n", "\n\n"]).join([text] * chance.randint(2, 5))
        return
    if way == "sentence":
        place = chance.randrange(len(parts))
        yield from parts[:place]
        yield from _times(_spaced(parts[place]), most, chance)
        if chance.random() < 0.5:
            yield from parts[place + 1 :]
        return
    units: Sequence[str] = text if unspaced(text) else text.split()
    glue = "" if unspaced(text) else " "
    size = chance.randint(1, 8)
    start = chance.randrange(max(1, len(units) - size + 1))
    yield glue.join([*units[:start], ""])
    loop = "".join(_times(glue.join([*units[start : start + size], ""]), most, chance))
    cut = chance.random() < 0.5 and len(loop) > 40
    yield loop[: -chance.randint(1, 9)] if cut else loop.rstrip()


def _spaced(sentence: str) -> str:
    return sentence if sentence[-1:].isspace() or unspaced(sentence) else f"{sentence} "


def _times(piece: str, most: int, chance: random.Random) -> list[str]:
    return [piece] * max(3, min(chance.randint(3, 60), most // max(1, len(piece))))
