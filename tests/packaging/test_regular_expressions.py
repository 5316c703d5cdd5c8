"""No text holds a regular expression up: each takes time that is linear in the text's length.

Found are all that the package's sources hand to `re`, so that a new one is tried, too.
"""

from __future__ import annotations

import ast
import importlib
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

if sys.version_info >= (3, 11):
    from re import _constants as constants
    from re import _parser as parser
else:
    import sre_constants as constants
    import sre_parse as parser

ROOT = Path(__file__).parents[2]
SOURCES = {"core/blender_core": "core", "langchain_blender": ".", "llamaindex_blender": "."}

LENGTH = 20_000
SECONDS = 0.05

MADE_OF_NAMES = "re.sub(names, lambda match: _GUARD + match.group(), text)"
"""The one that is made at run time: an alternation of the names of tokens, escaped."""


def calls() -> Iterator[tuple[str, ast.Call, str]]:
    """Every call of `re` in the package: its module, itself, and its source."""
    for folder, root in SOURCES.items():
        for file in sorted((ROOT / folder).rglob("*.py")):
            source = file.read_text(encoding="utf-8")
            module = ".".join(file.relative_to(ROOT / root).with_suffix("").parts)
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.ImportFrom) and node.module == "re":
                    raise AssertionError(f"{file}: import re as a whole, or this test sees nothing")
                if (
                    isinstance(node, ast.Call)
                    and isinstance(node.func, ast.Attribute)
                    and isinstance(node.func.value, ast.Name)
                    and node.func.value.id == "re"
                    and node.func.attr not in ("escape", "purge")
                ):
                    yield module, node, ast.get_source_segment(source, node) or ""


def patterns() -> Iterator[Any]:
    """The regular expressions of these calls, as they are compiled there."""
    for module, call, source in calls():
        if source == MADE_OF_NAMES:
            continue
        flags = [one for one in [*call.args, *(k.value for k in call.keywords)] if _is_flag(one)]
        scope = vars(importlib.import_module(module))
        pattern, *rest = (
            eval(compile(ast.Expression(one), module, "eval"), scope)  # noqa: S307
            for one in (call.args[0], *flags)
        )
        yield pytest.param(re.compile(pattern, *rest), id=f"{module}:{call.lineno}")


def _is_flag(node: ast.expr) -> bool:
    return all(
        isinstance(one, ast.Attribute | ast.Name | ast.BinOp | ast.BitOr | ast.Load)
        and (not isinstance(one, ast.Name) or one.id == "re")
        for one in ast.walk(node)
    )


def hostile(pattern: re.Pattern[str]) -> Iterator[str]:
    """Texts that invite it to try over and over.

    Of what it matches, every beginning and every part that it may repeat, again and again: alone,
    behind what precedes that part, and in front of something that does not match.
    """
    whole = parser.parse(pattern.pattern, pattern.flags)
    units = {"a", " ", "\n", "1", "?", ".", "\x00"}
    for before, part in parts(list(whole), ""):
        units |= {part, before, before + part, before + part[:-1]}
        yield from (before + text for text in repeated(part))
    for unit in units:
        yield from repeated(unit)


def repeated(unit: str) -> Iterator[str]:
    if unit:
        text = unit * (LENGTH // len(unit))
        yield from (text, text[:-1] + "\x00", text[:-1] + "x")


def parts(items: list[Any], before: str) -> Iterator[tuple[str, str]]:
    """Every part of a parsed expression as a text that it matches, with what stands before it."""
    for item in items:
        kind, value = item
        for inner in alternatives(kind, value):
            yield from parts(inner, before)
        for text in dict.fromkeys(map(example, alternatives(kind, value) or [[item]])):
            yield before, text
        before += example([item])


def alternatives(kind: Any, value: Any) -> list[list[Any]]:
    """What a part is made of: one of these."""
    if kind is constants.BRANCH:
        return [list(one) for one in value[1]]
    if kind is constants.SUBPATTERN:
        return [list(value[-1])]
    if kind in (constants.MAX_REPEAT, constants.MIN_REPEAT):
        return [list(value[2])]
    if kind is constants.ASSERT:
        return [list(value[1])]
    return []


def example(items: list[Any]) -> str:
    """A text that a part of an expression matches, optional parts included."""
    text = ""
    for kind, value in items:
        if kind is constants.LITERAL:
            text += chr(value)
        elif kind is constants.IN:
            text += next(one for one in map(chr, range(32, 0x10000)) if _in(value, one))
        elif kind in (constants.ANY, constants.NOT_LITERAL):
            text += "z"
        elif kind is constants.ASSERT:
            pass  # it takes no room
        elif inner := alternatives(kind, value):
            text += example(inner[0])
    return text


def _in(choices: list[Any], char: str) -> bool:
    negated = bool(choices) and choices[0][0] is constants.NEGATE
    return negated != any(_is(*choice, char) for choice in choices[negated:])


def _is(kind: Any, value: Any, char: str) -> bool:
    if kind is constants.LITERAL:
        return ord(char) == value
    if kind is constants.RANGE:
        return bool(value[0] <= ord(char) <= value[1])
    category = {
        constants.CATEGORY_DIGIT: r"\d",
        constants.CATEGORY_SPACE: r"\s",
        constants.CATEGORY_WORD: r"\w",
        constants.CATEGORY_NOT_SPACE: r"\S",
        constants.CATEGORY_NOT_DIGIT: r"\D",
        constants.CATEGORY_NOT_WORD: r"\W",
    }[value]
    return re.match(category, char) is not None


def seconds(pattern: re.Pattern[Any], text: str) -> float:
    """What finding all matches takes, of the processor's time."""
    read = text if isinstance(pattern.pattern, str) else text.encode("utf-8", "surrogatepass")
    start = time.thread_time()
    for _ in pattern.finditer(read):
        pass
    pattern.fullmatch(read)
    return time.thread_time() - start


def slow(pattern: re.Pattern[str], length: int = LENGTH) -> str | None:
    """A text of that length on which it takes too long, shown by its ends; None: there is none."""
    for text in set(hostile(pattern)):
        # On a short one first: what is exponential would never come to an end.
        for tried in (text[:24] + text[-1], text[:length] + text[-1]):
            took = seconds(pattern, tried)
            if took > SECONDS:  # once more: a machine can be busy
                took = min(seconds(pattern, tried) for _ in range(3))
            if took > SECONDS:
                return f"{took:.2f} s: {tried[:50]!r}...{tried[-20:]!r}"
    return None


@pytest.mark.parametrize("pattern", list(patterns()))
def test_takes_linear_time(pattern: re.Pattern[str]):
    assert slow(pattern) is None


@pytest.mark.parametrize(
    ("pattern", "length"),
    [
        (r"[.!?]+(?=\s|$)", LENGTH // 3),
        (r"\w*embed\w*\.", LENGTH // 20),
        (r"\s*x", LENGTH // 3),
        (r"is (?:a+)+b", LENGTH // 3),
    ],
)
def test_what_is_not_linear_is_found(pattern, length):
    assert slow(re.compile(pattern), length) is not None


def test_all_are_found():
    found = list(calls())
    assert len(found) > 25
    assert [source for _, _, source in found].count(MADE_OF_NAMES) == 1
