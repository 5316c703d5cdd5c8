"""Whether an answer has the form that the question asks for."""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache

from blender_core.comparison.worth.signs.asked import Amount, asked_amounts, asked_briefly

__all__ = ["NAMES", "values"]

NAMES = (
    "asked for JSON",
    "JSON as asked",
    "no JSON though asked",
    "asked for so many",
    "off the number asked for",
    "asked for few words",
    "too long for what was asked",
    "asked for code",
    "no code though asked",
    "nothing but code though asked to explain",
    "asked yes or no",
    "says yes or no",
    "asked how many",
    "says a number",
)

_CODE = re.compile(
    r"\b(?:code|function|python|java|javascript|sql|script|regex|program|funktion|fonction|"
    r"función|функци\w{1,2})\b|関数|函数|함수|コード|代码|코드",
    re.IGNORECASE,
)
_EXPLAIN = re.compile(
    r"\b(?:explain|why|how|describe|erkläre?|expli\w{1,8}|объясни\w{0,2})\b|説明|解释|설명",
    re.IGNORECASE,
)
_POLAR = re.compile(
    r"\A(?:is|are|was|were|do|does|did|can|could|will|would|should|has|have|ist|sind|kann|hat|"
    r"est-ce|es|puede|hay|является)\b",
    re.IGNORECASE,
)
_YES_NO = re.compile(
    r"\A\W{0,3}(?:yes|no|ja|nein|oui|non|sí|si|да|нет|はい|いいえ|是|不|네|아니)", re.IGNORECASE
)
_MANY = re.compile(
    r"\b(?:how (?:many|much|old|long|far|tall)|what year|when|wie ?viele?|combien|cuánt\w{1,2}|"
    r"сколько|wann|quand|cuándo|когда)\b|いくつ|何年|多少|几|몇|언제|いつ",
    re.IGNORECASE,
)
_DIGIT = re.compile(r"[\d一二三四五六七八九十百千]")
_SENTENCE_END = re.compile(r"[.!?](?=\s|$)|[。！？]")
_POINT = re.compile(r"^[ \t]{0,8}(?:[-*+•]|\(?\d{1,3}[.)])[ \t]", re.MULTILINE)
_READ = 2_000


def values(question: str, answer: str) -> list[float]:
    """The figures of `NAMES`."""
    asked = _of_question(question)
    text = answer.strip()
    is_json = asked.json and _is_json(text)
    has_code = "```" in text or (asked.code and _looks_like_code(text))
    prose = "".join(text.split("```")[::2]).split()
    return [
        float(asked.json),
        float(is_json),
        float(asked.json and not is_json),
        float(bool(asked.amounts)),
        max((_off(amount, text) for amount in asked.amounts), default=0.0),
        float(asked.brief),
        float(asked.brief) * math.log1p(len(text.split())),
        float(asked.code),
        float(asked.code and not has_code),
        float(asked.explain and has_code and len(prose) < 12),
        float(asked.polar),
        float(asked.polar and _YES_NO.match(text) is not None),
        float(asked.many),
        float(asked.many and _DIGIT.search(text) is not None),
    ]


class _Asked:
    """What a question asks for, found once for all answers to it."""

    def __init__(self, question: str) -> None:
        self.amounts = asked_amounts(question)
        self.brief = asked_briefly(question)
        ends = question[:_READ] + "\n" + question[-_READ:]
        self.json = "json" in ends.casefold()
        self.code = _CODE.search(ends) is not None
        self.explain = self.code and _EXPLAIN.search(ends) is not None
        self.polar = _POLAR.match(question[:_READ].strip()) is not None
        self.many = _MANY.search(ends) is not None


_of_question = lru_cache(maxsize=64)(_Asked)


def _off(amount: Amount, text: str) -> float:
    """How far a text is from the number that was asked for, as |log ratio|, at most 3."""
    if amount.unit == "sentence":
        found = len(_SENTENCE_END.findall(text))
    elif amount.unit == "word":
        found = len(text.split()) if " " in text else len(text)
    elif amount.unit == "paragraph":
        found = sum(bool(part.strip()) for part in text.split("\n\n"))
    else:
        found = len(_POINT.findall(text))
        if not found:  # not a list: lines, commas and sentences may count as well
            found = max(len(_SENTENCE_END.findall(text)), text.count(",") + 1, text.count("\n") + 1)
    ratio = math.log((found + 0.3) / (amount.number + 0.3))
    return min(3.0, max(0.0, -ratio) if amount.at_least else abs(ratio))


def _is_json(text: str) -> bool:
    """Whether the text, or the one fenced block in it, is JSON."""
    fenced = text.split("```")
    body = fenced[1].removeprefix("json") if len(fenced) == 3 else text
    try:
        json.loads(body)
    except (ValueError, RecursionError):
        return False
    return True


def _looks_like_code(text: str) -> bool:
    marks = sum(text.count(mark) for mark in ("(", ")", "=", ";", "{", "}", "SELECT ", "return "))
    return marks >= 4
