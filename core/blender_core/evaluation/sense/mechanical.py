"""Spoilt answers that are made from a good one by rule."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from random import Random

from blender_core.evaluation.sense.cases import Case

__all__ = [
    "broken_code",
    "changed_names",
    "changed_numbers",
    "cut_off",
    "gibberish",
    "mojibake",
    "noisy",
    "of_text",
    "repeated",
    "shuffled",
]

_NUMBER = re.compile(r"[0-9]{1,9}")
_NOISE = (
    *("<div>", "</span>", "&nbsp;", "&amp;quot;", "**", "####", "<br/>", "\\n", "]]>", "|---|"),
    *("</p></p>", '<a href="#">', "&#8203;", "~~", "{{", "}}", "<!-- -->", "\\u00e2", "__", "```"),
)
_CODE = "```"

Rule = Callable[[Case, Random], str | None]
"""From a case to its full answer, spoilt; None where it does not apply."""


def of_text(rule: Rule, case: Case, chance: Random) -> list[str]:
    """Up to three different results of a rule; those that equal a good answer do not count."""
    found = dict.fromkeys(rule(case, chance) for _ in range(12))
    return [text for text in found if text is not None and text not in case.good][:3]


def cut_off(case: Case, chance: Random) -> str | None:
    """The beginning, up to somewhere within a sentence."""
    units, gap = _units(case.full, case.language, 1)
    if len(units) < 4:
        return None
    kept = max(2, int(len(units) * chance.uniform(0.35, 0.75)))
    return gap.join(units[:kept]).rstrip(" .,;:!?\n。、，；：！？")


def shuffled(case: Case, chance: Random) -> str | None:
    """The same words in another order."""
    units, gap = _units(" ".join(case.full.split()), case.language, 2)
    if len(units) < 4:
        return None
    chance.shuffle(units)
    return gap.join(units)


def repeated(case: Case, chance: Random) -> str | None:
    """A line said over and over; of a long answer the beginning comes first."""
    lines = [line for line in case.full.splitlines() if line.strip()]
    gap = "\n" if len(lines) > 1 else " "
    place = chance.randrange(len(lines))
    return gap.join([*lines[:place], *[lines[place]] * chance.randint(4, 9)])


def gibberish(case: Case, chance: Random) -> str | None:
    """Its letters in any order, with the gaps where they were."""
    letters = [letter for letter in case.full if letter.isalnum()]
    if len(letters) < 8:
        return None
    chance.shuffle(letters)
    drawn = iter(letters)
    return "".join(next(drawn) if letter.isalnum() else letter for letter in case.full)


def noisy(case: Case, chance: Random) -> str | None:
    """Scraps of markup between its words."""
    units, gap = _units(case.full, case.language, 3)
    parts = [chance.choice(_NOISE)]
    for unit in units:
        parts.append(unit)
        if chance.random() < 0.4:
            parts.append(chance.choice(_NOISE))
    return gap.join([*parts, chance.choice(_NOISE)])


def mojibake(case: Case, chance: Random) -> str | None:
    """Letters beyond ASCII lost to a wrong encoding."""
    if sum(not letter.isascii() for letter in case.full) < 3:
        return None
    way = chance.randrange(3)
    if way == 0:
        return case.full.encode("ascii", "replace").decode("ascii")
    once = case.full.encode("utf-8").decode("cp1252", "replace")
    return once if way == 1 else once.encode("utf-8").decode("cp1252", "replace")


def changed_numbers(case: Case, chance: Random) -> str | None:
    """Other numbers of as many digits; those of numbered lists stay."""
    if _CODE in case.full:
        return None
    return _NUMBER.sub(partial(_other, chance=chance), case.full)


def _other(number: re.Match[str], chance: Random) -> str:
    digits, text = number.group(), number.string
    starts_line = number.start() == 0 or text[number.start() - 1] == "\n"
    if starts_line and text.startswith((".", ")"), number.end()):
        return digits
    least, most = (1, 9) if len(digits) == 1 else (10 ** (len(digits) - 1), 10 ** len(digits) - 1)
    while (other := str(chance.randint(least, most))) == digits:
        pass
    return other


def changed_names(case: Case, chance: Random) -> str | None:
    """Other names, most of them or all."""
    if not case.names:
        return None
    changes = [*case.names]
    chance.shuffle(changes)
    text = case.full
    for name, other in changes[: chance.randint((len(changes) + 1) // 2, len(changes))]:
        text = text.replace(name, other)
    return text


def broken_code(case: Case, chance: Random) -> str | None:
    """What is in its block of code no longer runs."""
    parts = case.full.split(_CODE)
    if len(parts) < 3:
        return None
    way = chance.randrange(4)
    code = parts[1]
    if way == 0:
        broken = code.replace(")", "")
    elif way == 1:
        broken = code.replace(":\n", "\n").replace("(", " ")
    elif way == 2:
        broken = code[: int(len(code) * chance.uniform(0.3, 0.6))].rstrip() + " ("
    else:
        broken = code.replace("(", "[").replace("return", "retrun x")
    return _CODE.join([parts[0], broken, *parts[2:]])


def _units(text: str, language: str, size: int) -> tuple[list[str], str]:
    """Words and what stands between them; without blanks so many letters are a word."""
    if language in {"ja", "zh"}:
        return [text[start : start + size] for start in range(0, len(text), size)], ""
    return text.split(" "), " "
