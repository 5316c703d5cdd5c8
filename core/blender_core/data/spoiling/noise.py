"""Texts without any sense."""

from __future__ import annotations

import random

from blender_core.data.spoiling.case import Case
from blender_core.data.spoiling.pieces import words

__all__ = ["blank", "gibberish", "mojibake"]

_ROWS = ("asdfghjkl", "qwertyuiop", "zxcvbnm", "asdf jkl;", "йцукен", "фывапролд")
_SIGNS = "!@#$%^&*()_+-=[]{}|;:,.<>?/~`"
_MOST = 1_500
"""Characters."""


def gibberish(case: Case, chance: random.Random) -> str | None:
    """Random letters, a mashed keyboard, random signs, scrambled words or a wrong decoding."""
    length = max(4, min(_MOST, round(len(case.answer) * chance.uniform(0.3, 1.1))))
    way = chance.choice([_letters, _mashed, _signs, _scrambled, _decoded_wrongly])
    return way(case.answer.strip(), length, chance) or None


def blank(_case: Case, chance: random.Random) -> str:
    """Nothing, or nothing but white space and marks."""
    return chance.choice(["", "", " ", "\n\n", "…", "-", ".", "—", "\u3000", '""', "```\n```", "*"])


def mojibake(case: Case, chance: random.Random) -> str:
    """The answer decoded wrongly, or with characters lost."""
    if not case.answer.isascii() and chance.random() < 0.5:
        return _decoded_wrongly(case.answer, 0, chance)
    share = chance.uniform(0.04, 0.4)
    lost = chance.choice(["\ufffd", "\ufffd", "?", "â€™", "Ã©", "□"])
    return "".join(
        lost if char.isalpha() and chance.random() < share else char for char in case.answer
    )


def _letters(_answer: str, length: int, chance: random.Random) -> str:
    text = ""
    while len(text) < length:
        size = chance.randint(1, 12)
        text += "".join(chr(chance.randint(97, 122)) for _ in range(size))
        text += chance.choice([" ", " ", " ", ". ", ", "])
    return text[:length].strip() or "qx"


def _mashed(_answer: str, length: int, chance: random.Random) -> str:
    row = chance.choice(_ROWS)
    text = ""
    while len(text) < length:
        start = chance.randrange(len(row) - 1)
        text += row[start : start + chance.randint(2, 6)] + " " * (chance.random() < 0.2)
    return text[:length].strip()


def _signs(_answer: str, length: int, chance: random.Random) -> str:
    return "".join(chance.choice(f"{_SIGNS} 0123456789") for _ in range(length)).strip()


def _scrambled(answer: str, _length: int, chance: random.Random) -> str:
    """The letters of each word in another order."""
    return "".join("".join(chance.sample(word, len(word))) for word in words(answer))


def _decoded_wrongly(answer: str, _length: int, chance: random.Random) -> str:
    """UTF-8 read as Latin-1, where there is something beyond ASCII; else lost characters."""
    if not answer.isascii():
        return answer.encode("utf-8", "replace").decode("latin-1")
    return "".join(
        chance.choice("\ufffdÃ¢â€Â") if chance.random() < 0.35 else char for char in answer
    )
