"""Whether an answer has the form that the question asks for."""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache

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

_NUMBERS = {
    word: number
    for number, words in enumerate(
        ("one ein einem une un uno", "two zwei deux dos", "three drei trois tres",
         "four vier quatre cuatro", "five fünf cinq cinco", "six sechs seis", "seven sieben sept",
         "eight acht huit ocho", "nine neun neuf nueve", "ten zehn dix diez"),
        start=1,
    )
    for word in words.split()
}  # fmt: skip
_COUNT = re.compile(
    r"\b(\d{1,3}|" + "|".join(_NUMBERS) + r") (?:\w{3,12} )?"
    r"(sentence|satz|sätze|phrase|frase|oracion|word|wort|wörter|mot|palabra|"
    r"paragraph|absatz|bullet|item|point|punkt|step|idea|example|beispiel|reason|tip|way|name|"
    r"exemple|ejemplo|raison|razon|conseil|consejo|line|zeile)",
    re.IGNORECASE,
)
_JSON = re.compile(r"\bjson\b", re.IGNORECASE)
_BRIEF = re.compile(
    r"\b(?:one word|single word|only the|just the|briefly|in short|one sentence|short answer|"
    r"nur (?:das|die|den)|kurz|un mot|una palabra|en une phrase|en una frase|concise\w{0,2})\b"
    r"|一言|一句话|한 문장|一文|одним словом|кратко",
    re.IGNORECASE,
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
_DIGIT = re.compile(
    r"\d|\b(?:" + "|".join(_NUMBERS) + r")\b|[一二三四五六七八九十百千]", re.IGNORECASE
)
_SENTENCE_END = re.compile(r"[.!?。！？](?=\s|$)")
_POINT = re.compile(r"^[ \t]{0,8}(?:[-*+•]|\(?\d{1,3}[.)])[ \t]", re.MULTILINE)
_MANY_CHARACTERS = 2_000


def values(question: str, answer: str) -> list[float]:
    """The figures of `NAMES`."""
    asked = _of_question(question[:_MANY_CHARACTERS])
    text = answer.strip()
    is_json = asked.json and _is_json(text)
    has_code = "```" in text or (asked.code and _looks_like_code(text))
    words = len(text.split())
    prose = "".join(text.split("```")[::2]).split()
    off = _off(asked.count, asked.unit, text) if asked.count else 0.0
    return [
        float(asked.json),
        float(is_json),
        float(asked.json and not is_json),
        float(asked.count > 0),
        off,
        float(asked.brief),
        float(asked.brief) * math.log1p(words),
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
        self.json = _JSON.search(question) is not None
        found = _COUNT.search(question)
        self.count = 0
        self.unit = ""
        if found:
            number = found[1].lower()
            self.count = int(number) if number.isdigit() else _NUMBERS[number]
            self.unit = found[2].lower()[:4]
        self.brief = _BRIEF.search(question) is not None
        self.code = _CODE.search(question) is not None
        self.explain = self.code and _EXPLAIN.search(question) is not None
        self.polar = _POLAR.match(question.strip()) is not None
        self.many = _MANY.search(question) is not None


_of_question = lru_cache(maxsize=64)(_Asked)


def _off(count: int, unit: str, text: str) -> float:
    """How far the text is from the number that was asked for, as |log ratio|, at most 3."""
    if unit in {"sent", "satz", "sätz", "phra", "fras", "orac"}:
        found = len(_SENTENCE_END.findall(text))
    elif unit in {"word", "wort", "wört", "mot", "pala"}:
        found = len(text.split())
    elif unit in {"para", "absa"}:
        found = sum(bool(part.strip()) for part in text.split("\n\n"))
    elif unit in {"line", "zeil"}:
        found = sum(bool(line.strip()) for line in text.split("\n"))
    else:
        found = len(_POINT.findall(text))
        if not found:  # not a list: commas and sentences may count as well
            found = max(len(_SENTENCE_END.findall(text)), text.count(",") + 1)
    return min(3.0, abs(math.log((found + 0.3) / (count + 0.3))))


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
