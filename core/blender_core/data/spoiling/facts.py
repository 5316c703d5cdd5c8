"""Wrong facts in a right text: other numbers, other names."""

from __future__ import annotations

import random
import re
from itertools import groupby, pairwise

from blender_core.data.spoiling.case import Case

__all__ = ["changed_names", "changed_numbers"]

_NUMBER = re.compile(r"(?<![A-Za-z_0-9])[0-9]{1,18}")
_LISTED = re.compile(r"[ \t]{0,8}[-*#]{0,4} ?\(?$")
_WORD = re.compile(r"[^\W\d_]{3,}")

_OTHERS, _MOST = 8, 1_000
"""So many characters of so many other answers are searched for names."""


def changed_numbers(case: Case, chance: random.Random) -> str | None:
    """The answer with other numbers: its last one, mostly the result, and some of the others.

    The numbers of list items stay.
    """
    found = [number for number in _NUMBER.finditer(case.answer) if not _is_listed(number)]
    if not found:
        return None
    pieces: list[str] = []
    start = 0
    for number in found:
        changes = number is found[-1] or chance.random() < 0.5
        pieces += [case.answer[start : number.start()]]
        pieces += [_other_number(number[0], chance) if changes else number[0]]
        start = number.end()
    return "".join([*pieces, case.answer[start:]])


def _is_listed(number: re.Match[str]) -> bool:
    """Whether a number only counts items, as in ``2. Milk``."""
    text = number.string
    line = text[max(number.start() - 16, text.rfind("\n", 0, number.start()) + 1) : number.start()]
    return text[number.end() : number.end() + 2] in {". ", ") "} and bool(_LISTED.fullmatch(line))


def _other_number(digits: str, chance: random.Random) -> str:
    """Near to the number, or another one of as many digits."""
    value, size = int(digits), len(digits)
    if chance.random() < 0.4:
        other = max(0, value + chance.choice([-10, -2, -1, 1, 2, 10]))
    else:
        other = chance.randint(10 ** (size - 1) if size > 1 else 0, 10**size - 1)
    return str(other if other != value else value + 1).zfill(size)


def changed_names(case: Case, chance: random.Random) -> str | None:
    """The answer with names of other texts, or with its own names changed about.

    A name is a capitalized word within a sentence, or a word in katakana. One that the question
    has too mostly stays.
    """
    pieces = _pieces(case.answer)
    own = list(dict.fromkeys(pieces[1::2]))
    news = [name for name in own if name not in case.question or chance.random() < 0.3]
    others = chance.sample(case.others, min(_OTHERS, len(case.others)))
    of_others = {name for _, text in others for name in _pieces(text[:_MOST])[1::2]}
    pool = sorted(of_others.difference(own))
    if len(pool) < len(news):
        pool += own
    swapped: dict[str, str] = {}
    for name in news:
        if choices := [new for new in pool if new != name and _like(new, name)]:
            swapped[name] = chance.choice(choices)
    pieces[1::2] = [swapped.get(name, name) for name in pieces[1::2]]
    return "".join(pieces) if swapped else None


def _pieces(text: str) -> list[str]:
    """The text in pieces, every second of which is a name."""
    ends = [0]
    for word in _WORD.finditer(text):
        before = text[max(0, word.start() - 2) : word.start()]
        within = len(before) == 2 and before[1] == " " and (before[0].isalnum() or before[0] == ",")
        if word[0].istitle() and within:
            ends += word.span()
        else:
            ends += _in_katakana(word)
    return [text[start:end] for start, end in pairwise([*ends, len(text)])]


def _in_katakana(word: re.Match[str]) -> list[int]:
    """Where runs of at least three katakana start and end, in a "word" of Japanese."""
    ends: list[int] = []
    start = word.start()
    for is_katakana, run in groupby(word[0], key=lambda char: "ァ" <= char <= "ー"):
        end = start + len(list(run))
        if is_katakana and end - start >= 3:
            ends += [start, end]
        start = end
    return ends


def _like(one: str, other: str) -> bool:
    """Whether both are written in one alphabet."""
    return (one[0] > "\u3000") == (other[0] > "\u3000")
