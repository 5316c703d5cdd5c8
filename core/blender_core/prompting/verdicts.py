"""What a judge's reply says: A or B, in the many ways in which models write it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from blender_core.thoughts import without_thoughts

__all__ = ["verdict"]

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?|[.!?,;:=<>≻→)\n–—-]")
"""What is read of a reply: words and what parts them. Quotes, bold type and the like are not."""

# All that follows reads words with one space between them.
_OF = r"(?:(?:the )?(?:answer|response|candidate|assistant|option|choice|model) )?(?:: )?(?:the )?"
_SIDE = (
    rf"{_OF}(?P<letter>(?-i:[ABb12]|a(?= ?[.!)]?\Z))|first|second|one|two|1st|2nd)"
    r"(?: \))?(?: (?:answer|response|one)\b)?(?= |\Z)"
)
_BETTER = (
    r"(?:better|best|preferred|preferable|superior|stronger|more \w+|winner|correct|right|chosen"
    r"|favou?red)"
)

_ALONE = re.compile(
    _SIDE.replace("[ABb12]|a(?= ?[.!)]?\\Z)", "[ABab12]") + r"(?: \))?(?:\Z|(?= [.!:,;)\n–—-]))",
    re.IGNORECASE,
)
"""All that is said, or what is said first, with reasons behind it."""

_ANNOUNCED = re.compile(
    r"\b(?:answer|verdict|choice|judge?ment|decision|conclusion|preference|pick|vote|result|winner"
    rf"|selection|evaluation|{_BETTER}(?: (?:answer|response|option|one))?) "
    r"(?:(?:is|was|would be|goes to|:|=|→|-|>|\n|that|clearly|definitely) ){1,4}" + _SIDE,
    re.IGNORECASE,
)
"""The better answer is B; final answer: B; winner = A."""

_PREFERRED = re.compile(
    r"\bI(?:['’](?:d|ll))? (?:(?:would|will|do|have to|must|should|clearly|strongly) ){0,2}"
    r"(?:prefer|choose|chose|pick|picked|select|selected|vote for|go for|go with|favou?r|recommend"
    rf"|say) {_SIDE}",
    re.IGNORECASE,
)
"""I would choose answer B."""

_PRAISED = re.compile(
    rf"{_SIDE} (?:is|was|seems|appears|looks|would be) (?:to be )?(?:(?:the|a|an|clearly|definitely"
    r"|slightly|much|far|overall|significantly|marginally|bit|somewhat|also|still) ){0,3}"
    rf"{_BETTER}\b(?! (?:in|for|but)\b)",
    re.IGNORECASE,
)
"""Answer B is clearly better."""

_WINS = re.compile(
    rf"{_SIDE} (?:wins|beats|outperforms|surpasses|is preferred|(?:> ){{1,3}}(?:other|[AB]\b))",
    re.IGNORECASE,
)

_NEGATED = re.compile(
    r"(?:\b(?:not|isn['’]t|never|neither|whether|if|which|don['’]t|either|hardly)\b[^.,;\n]{0,25}"
    r"|\ban? )\Z",
    re.IGNORECASE,
)
_TIED = re.compile(
    r"\b(?:tie|tied|draw|equally (?:good|bad|well)|both (?:answers )?are (?:equal|the same))\b",
    re.IGNORECASE,
)

_MARKED = (
    re.compile(r"\[\[ ?(?P<letter>[ABab12]|tie|[Cc]) ?\]\]", re.IGNORECASE),
    re.compile(r"\\boxed\{ ?(?:\\text\{ ?)?(?P<letter>[AB12])\b"),
    re.compile(r"<(?:answer|verdict|choice|winner|result|better|final)>\s?(?P<letter>[AB12])\s?</"),
)
"""The letter alone, in marks that say that it is the verdict."""

_NEAR = 60
"""Characters before a verdict in which it may be negated."""

_FIRST = {"a", "1", "first", "one", "1st"}

Found = tuple[bool, int]
"""Whether it is the first answer, and where it says so."""


def verdict(reply: str) -> Found | None:
    """Which of two answers a reply says is better.

    The last verdict counts, as models reason before they decide; one in brackets, in a box or a
    tag counts before words. Thoughts are not read.

    Returns:
        Whether it is the first one, and where in the reply the letter stands; None where the reply
        is no verdict, or says both.

    >>> verdict("Final answer: B"), verdict("**A**"), verdict("A cat sat there.")
    ((False, 14), (True, 2), None)
    """
    shown = without_thoughts(reply)
    offset = reply.rfind(shown)
    for form in _MARKED:
        if marked := [*form.finditer(shown)]:
            last = marked[-1]
            is_tie = last["letter"].lower() in ("tie", "c")
            return None if is_tie else _found(last, offset)
    words = [*_WORD.finditer(shown)]
    text = " ".join(word[0] for word in words).strip()
    found = _begins(text) or _last_line(text) or _said(text)
    if found is None:
        return None
    starts, place = [], 0
    for word in words:
        starts.append(place)
        place += len(word[0]) + 1
    lead = len(" ".join(word[0] for word in words)) - len(" ".join(w[0] for w in words).lstrip())
    at = words[bisect_right(starts, found[1] + lead) - 1]
    return found[0], offset + at.start()


def _found(match: re.Match[str], offset: int = 0) -> Found:
    return match["letter"].lower() in _FIRST, offset + match.start("letter")


def _begins(text: str) -> Found | None:
    """What a reply begins with, if it is not the first of a list, or taken back later."""
    match = _ALONE.match(text)
    if match is None:
        return None
    rest = text[match.end() :].lstrip(" .!:,;\n–—-")
    other = _ALONE.match(rest)
    if other is not None and _found(other)[0] != _found(match)[0]:
        return None
    if match["letter"] in ("1", "one", "first", "a") and re.search(r"\n (?:2|two|b)\b", rest):
        return None
    later = _said(rest)
    return _found(match) if later is None else (later[0], text.rfind(rest) + later[1])


def _last_line(text: str) -> Found | None:
    before, parted, last = text.rpartition("\n ")
    match = _ALONE.match(last) if parted else None
    if match is None or last[match.end() :].strip(" .!"):
        return None
    return _found(match, len(before) + len(parted))


def _said(text: str) -> Found | None:
    said = sorted((place, is_first) for is_first, place in _verdicts(text))
    if not said:
        return None
    place, is_first = said[-1]
    tied = [match.start() for match in _TIED.finditer(text)]
    return None if tied and tied[-1] > place else (is_first, place)


def _verdicts(text: str) -> Iterator[Found]:
    for form in (_ANNOUNCED, _PREFERRED, _PRAISED, _WINS):
        for match in form.finditer(text):
            start = match.start()
            if not _NEGATED.search(text[max(0, start - _NEAR) : start]):
                yield _found(match)
