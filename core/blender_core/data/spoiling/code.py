"""Code that does not run, and halves of answers that need both code and text."""

from __future__ import annotations

import random
import re

from blender_core.data.spoiling.case import Case

__all__ = ["broken_code", "code_without_text", "text_without_code"]

_FENCE = "```"
_BRACKETS = "()[]{}"
_IDENTIFIER = re.compile(r"[A-Za-z_]\w{2,40}")


def broken_code(case: Case, chance: random.Random) -> str | None:
    """The answer with its fenced code made wrong in one of several ways."""
    parts = case.answer.split(_FENCE)
    blocks = [place for place in range(1, len(parts), 2) if parts[place].strip()]
    if not blocks:
        return None
    ways = [_without_brackets, _without_indentation, _other_names, _without_lines]
    way = chance.choice([*ways, None])
    if way is None:
        return _FENCE.join([*parts[: blocks[-1]], _cut(parts[blocks[-1]], chance)])
    for place in blocks:
        parts[place] = way(parts[place], chance)
    return _FENCE.join(parts)


def _without_brackets(code: str, chance: random.Random) -> str:
    share = chance.uniform(0.2, 0.8)
    return "".join(char for char in code if char not in _BRACKETS or chance.random() > share)


def _without_indentation(code: str, chance: random.Random) -> str:
    at_random = chance.random() < 0.5

    def line(text: str) -> str:
        return " " * (chance.randint(0, 9) if at_random else 0) + text.lstrip(" \t")

    head, *lines = code.split("\n")
    return "\n".join([head, *map(line, lines)])


def _other_names(code: str, chance: random.Random) -> str:
    """Names are misspelt in some of the places where they are used."""

    def misspelt(name: re.Match[str]) -> str:
        if chance.random() < 0.7 or name.start() == 0:  # at the start is the language
            return name[0]
        place = chance.randrange(1, len(name[0]))
        return name[0][:place] + name[0][place + 1 :]

    return _IDENTIFIER.sub(misspelt, code)


def _without_lines(code: str, chance: random.Random) -> str:
    head, *lines = code.split("\n")
    return "\n".join([head, *(line for line in lines if not line.strip() or chance.random() < 0.6)])


def _cut(code: str, chance: random.Random) -> str:
    return code[: chance.randint(len(code) // 5, max(len(code) // 5, len(code) * 4 // 5))]


def code_without_text(case: Case, chance: random.Random) -> str | None:  # noqa: ARG001
    """Only the fenced code of an answer that also has sentences."""
    parts = case.answer.split(_FENCE)
    prose = "".join(parts[::2])
    blocks = [part for part in parts[1::2] if part.strip()]
    if not blocks or len(prose.split()) < 8:
        return None
    return "\n\n".join(f"{_FENCE}{block}{_FENCE}" for block in blocks)


def text_without_code(case: Case, chance: random.Random) -> str | None:  # noqa: ARG001
    """Only the sentences of an answer that also has fenced code."""
    parts = case.answer.split(_FENCE)
    prose = "\n\n".join(part.strip() for part in parts[::2] if part.strip())
    if len(parts) < 3 or not prose:
        return None
    return prose
