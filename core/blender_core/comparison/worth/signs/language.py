"""Whether the answer is in the language of the question."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["NAMES", "language_of", "script_of", "values"]

NAMES = (
    "another script",
    "another language, same script",
    "another language, none named",
    "share of the main script",
    "scripts mixed within words",
)

_WORD = re.compile(r"[^\W\d_]{1,24}")

_COMMON = {
    "en": "the of and to is in that it for are with as you this be on not have i can or by an do "
    "what how which from your at was will if they we but has when who why where would there",
    "de": "der die das und ist nicht ein eine zu den mit von sich auf für im dem auch es als wie "
    "wird sind bei oder werden aus kann ich sie wir aber was warum welche durch einer eines nach",
    "fr": "le la les de des et est un une en que qui dans pour du pas sur au avec ce sont plus il "
    "par ne se vous nous je mais comme quel quelle où cette être aux ou son ses elle peut",
    "es": "el la los las de que y en un una es por con para no se del al lo como más su sus pero "
    "son está qué cómo cuál o si este esta sobre entre también ser hay puede porque muy",
    "it": "il la le di che e in un una è per con non si del della dei al lo come più suo sua ma "
    "sono questo questa anche nel alla gli i da cosa quale perché può essere o",
    "pt": "o a os as de que e em um uma é por com para não se do da dos das ao como mais seu sua "
    "mas são este esta também no na pelo ou foi qual pode ser você isso",
    "nl": "de het een en van is in dat op te zijn met voor niet die aan er om ook als maar bij of "
    "uit naar wordt kan ik je wat hoe waarom deze dit",
}
_LANGUAGES_OF = {
    word: frozenset(code for code, words in _COMMON.items() if word in words.split())
    for words in _COMMON.values()
    for word in words.split()
}
_NAMED = re.compile(
    r"\b(?:translat\w{0,6}|übersetz\w{0,6}|tradu\w{0,8}|"
    r"(?:in|into|to|auf|ins?|en|al|na|по|на) (?:english|german|french|spanish|japanese|korean|"
    r"russian|chinese|italian|portuguese|englisch|deutsch|französisch|spanisch|anglais|allemand|"
    r"français|espagnol|inglés|alemán|francés|español|английск\w{0,5}|немецк\w{0,5}))"
    r"|英語|英文|中文|日本語|翻訳|翻译|한국어|영어|번역|перев[её]д\w{0,5}",
    re.IGNORECASE,
)
_READ = 3_000


def values(question: str, answer: str) -> list[float]:
    """The figures of `NAMES`."""
    asked, named = _of_question(question)
    script, share = _script(answer)
    spoken = language_of(answer)
    other_script = bool(asked[0]) and bool(script) and asked[0] != script
    other = not other_script and None not in {asked[1], spoken} and asked[1] != spoken
    return [
        float(other_script),
        float(other),
        float((other or other_script) and not named),
        share,
        _mixed(answer),
    ]


def language_of(text: str) -> str | None:
    """The language of a text in Latin letters by its commonest words; None where unclear.

    >>> language_of("Der Hund ist nicht im Haus."), language_of("Canberra.")
    ('de', None)
    """
    counts = dict.fromkeys(_COMMON, 0)
    for word in _WORD.findall(text[:_READ].lower()):
        for code in _LANGUAGES_OF.get(word, ()):
            counts[code] += 1
    first, second = sorted(counts, key=counts.__getitem__, reverse=True)[:2]
    clear = counts[first] >= 2 and counts[first] > 1.3 * counts[second]
    return first if clear else None


@lru_cache(maxsize=64)
def _of_question(question: str) -> tuple[tuple[str, str | None], bool]:
    return (_script(question)[0], language_of(question)), _NAMED.search(question) is not None


def _script(text: str) -> tuple[str, float]:
    """The script of most letters, and its share of them."""
    counts: dict[str, int] = {}
    for letter in text[:_READ]:
        if letter.isalpha():
            name = script_of(letter)
            counts[name] = counts.get(name, 0) + 1
    if not counts:
        return "", 0.0
    # Japanese is written in three; a fifth of kana is enough to be it.
    total = sum(counts.values())
    if counts.get("kana", 0) * 5 > counts.get("han", 0):
        counts["kana"] = counts.get("kana", 0) + counts.pop("han", 0)
    script = max(counts, key=counts.__getitem__)
    return script, counts[script] / total


_RANGES = (
    (0x24F, "latin"),
    (0x3FF, "greek"),
    (0x52F, "cyrillic"),
    (0x5FF, "hebrew"),
    (0x77F, "arabic"),
    (0xDFF, "indic"),
    (0x11FF, "hangul"),
    (0x1FFF, "latin"),
    (0x303F, "other"),
    (0x30FF, "kana"),
    (0x318F, "hangul"),
    (0x9FFF, "han"),
    (0xABFF, "other"),
    (0xD7FF, "hangul"),
)


@lru_cache(maxsize=4096)
def script_of(letter: str) -> str:
    """The script of a letter: latin, cyrillic, han, kana, hangul, ...; "other" beyond these."""
    code = ord(letter)
    return next((name for end, name in _RANGES if code <= end), "other")


def _mixed(text: str) -> float:
    """Share of words with letters of two alphabets, as in text that was decoded wrongly."""
    words = _WORD.findall(text[:_READ])
    alphabets = {"latin", "greek", "cyrillic"}
    mixed = sum(len({script_of(c) for c in word} & alphabets) > 1 for word in words)
    return mixed / max(1, len(words))
