"""How much was asked for: so many sentences, words, paragraphs or items."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Amount", "asked_amounts", "asked_briefly"]

_NUMBERS = {
    1: "one single ein einem einen eine un une uno una одно одном одним 一 한",
    2: "two zwei deux dos два двух двумя две 二 两 두",
    3: "three drei trois tres три трёх трех тремя 三 세",
    4: "four vier quatre cuatro четыре четырёх четырех 四 네",
    5: "five fünf cinq cinco пять пяти 五 다섯",
    6: "six sechs seis шесть шести 六 여섯",
    7: "seven sieben sept siete семь семи 七 일곱",
    8: "eight acht huit ocho восемь восьми 八 여덟",
    9: "nine neun neuf nueve девять девяти 九 아홉",
    10: "ten zehn dix diez десять десяти 十 열",
    20: "twenty zwanzig vingt veinte двадцать двадцати 二十",
}
_UNITS = {
    "sentence": "sentence sentences satz sätze sätzen phrase phrases frase frases oración oraciones"
    " предложение предложения предложений предложениях предложении 句话 句 文 문장",
    "word": "word words wort worte worten wörter wörtern mot mots palabra palabras"
    " слово слова слов словах словами 字 文字 글자 단어",
    "paragraph": "paragraph paragraphs absatz absätze absätzen paragraphe paragraphes párrafo"
    " párrafos абзац абзаца абзацев абзацах 段 段落 문단",
    "item": "items points bullets examples ways reasons tips ideas steps names things facts"
    " suggestions benefits questions beispiele gründe tipps ideen exemples raisons idées conseils"
    " ejemplos razones consejos ideas примера примеров причины причин совета советов"
    " 个 つ 가지 点",
}
_NUMBER_OF = {name: number for number, names in _NUMBERS.items() for name in names.split()}
_UNIT_OF = {name: unit for unit, names in _UNITS.items() for name in names.split()}
_WORD = re.compile(r"[^\W_]+")
_TIGHT_NUMBER = "|".join(name for name in _NUMBER_OF if name > "\u3000")
_TIGHT_UNIT = "|".join(sorted((u for u in _UNIT_OF if u > "\u3000"), key=len, reverse=True))
_TIGHT = re.compile(rf"([0-9]{{1,4}}|{_TIGHT_NUMBER}) ?({_TIGHT_UNIT})")
"""In Chinese, Japanese and Korean the unit is right behind the number."""
_BETWEEN = 2
"""Words that may be between a number and its unit elsewhere, as in "two short sentences"."""

_LEAST = ("at least", "minimum", "mindestens", "au moins", "al menos", "не менее", "以上", "이상")
_BRIEFLY = (
    *("briefly", "be brief", "concise", "in short", "short answer", "succinct", "in a nutshell"),
    *("kurz", "knapp", "brièvement", "en bref", "concis", "brevemente", "breve", "кратко"),
    *("簡潔", "简要", "简短", "简洁", "간단히", "간략"),
)
_MOST = 3_000
"""Characters of a question that are read, half of them at its end."""


@dataclass(frozen=True, slots=True)
class Amount:
    """What was asked for.

    Attributes:
        number: at least 1.
        unit: "sentence", "word", "paragraph" or "item". Words are characters in Chinese and
            Japanese.
        at_least: more are welcome.
    """

    number: int
    unit: str
    at_least: bool = False


def asked_amounts(question: str) -> list[Amount]:
    """The amounts that a question asks for, in its order; at most one of each unit.

    >>> asked = asked_amounts("Explain rain in two short sentences, with at least 3 examples.")
    >>> [(amount.number, amount.unit, amount.at_least) for amount in asked]
    [(2, 'sentence', False), (3, 'item', True)]
    >>> [(amount.number, amount.unit) for amount in asked_amounts("雨を3文で説明してください。")]
    [(3, 'sentence')]
    >>> asked_amounts("Who are you?")
    []
    """
    text = f"{question[: _MOST // 2]}\n{question[_MOST // 2 :][-_MOST // 2 :]}".casefold()
    amounts: dict[str, Amount] = {}
    for number, unit, start, end in [*_spaced(text), *_tight(text)]:
        if number and (unit, number) != ("item", 1):
            around = text[max(0, start - 14) : end + 4]
            at_least = any(words in around for words in _LEAST)
            amounts.setdefault(unit, Amount(number, unit, at_least))
    return list(amounts.values())


def _spaced(text: str) -> Iterator[tuple[int, str, int, int]]:
    found = list(_WORD.finditer(text))
    for place, last in enumerate(found):
        if unit := _UNIT_OF.get(last[0]):
            for first in found[max(0, place - 1 - _BETWEEN) : place][::-1]:
                if number := _number(first[0]):
                    yield number, unit, first.start(), last.end()
                    break


def _tight(text: str) -> Iterator[tuple[int, str, int, int]]:
    for found in _TIGHT.finditer(text):
        yield _number(found[1]), _UNIT_OF[found[2]], found.start(), found.end()


def _number(text: str) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 4:
        return int(text)
    return _NUMBER_OF.get(text, 0)


def asked_briefly(question: str) -> bool:
    """Whether a question asks for a short answer without saying how short."""
    text = question[-_MOST:].casefold()
    return any(words in text for words in _BRIEFLY)
