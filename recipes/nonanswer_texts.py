"""Texts of two kinds: what answers nothing, and real answers, short and misleading ones too."""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from blender_core.data.spoiling import Case
from blender_core.data.spoiling.pieces import sentences
from blender_core.data.spoiling.scripts import guessed_language
from blender_core.data.spoiling.wording import LANGUAGES, Wording, filled, wording
from blender_core.data.spoiling.wordy import as_typed

__all__ = ["Real", "Text", "hand_written", "nonanswers", "real_answers", "snippets"]

KINDS = {
    "refusal": 4,
    "non_answer": 4,
    "placeholder": 2,
    "deferral": 2,
    "question_back": 2,
    "error_message": 1,
    "empty_tool_result": 1,
}
"""Of what is said instead of an answer, how often each is drawn."""

AMBIGUOUS = frozenset({"None", "-", "?", "#", "**", "No.", "Sample text.", "Example answer."})
"""Wordings that can be right answers as well, for example of a program's output."""

GENERAL = ("refusal", "non_answer", "deferral", "question_back")
"""Kinds that are also said one behind the other."""


class Text(NamedTuple):
    """A text to learn from.

    Attributes:
        text: itself.
        is_nonanswer: which kind it is of.
        language: ISO code.
        source: where it is from.
        weight: for how many texts it counts.
    """

    text: str
    is_nonanswer: bool
    language: str
    source: str
    weight: float = 1.0


class Real(NamedTuple):
    """A real answer with its question; the same question is always held out, or never."""

    question: str
    text: str
    language: str
    source: str

    @property
    def is_held_out(self) -> bool:
        """Whether it is one of the tenth that is not learnt from."""
        return crc32(self.question.encode("utf-8", "replace")) % 10 == 0


def real_answers(lines: Iterator[str]) -> Iterator[Real]:
    """The answers in lines of records; each text once."""
    seen: set[str] = set()
    for line in lines:
        record = json.loads(line)
        question, source = record["instruction"], record["id"].partition("-")[0]
        for candidate in record["candidates"]:
            text = candidate["text"]
            if text.strip() and text not in seen:
                seen.add(text)
                language = record.get("lang") or guessed_language(text)
                yield Real(
                    question, text, guessed_language(text) if "+" in language else language, source
                )


def part(ways: Wording, held_out: bool | None) -> Wording:
    """A fifth of the wordings, or the others; None: all of them."""
    if held_out is None:
        return ways

    def kept(texts: Sequence[str]) -> tuple[str, ...]:
        chosen = tuple(text for text in texts if (crc32(text.encode()) % 5 == 0) == held_out)
        return chosen or tuple(texts)

    return Wording(kept(ways.whole), tuple(map(kept, ways.parts)), kept(ways.shared))


def nonanswers(
    questions: dict[str, list[str]], count: int, held_out: bool | None, chance: random.Random
) -> Iterator[Text]:
    """So many texts of each language that answer nothing.

    Args:
        questions: real ones by language, for what the texts are about.
        count: for each language; twice as many in English.
        held_out: from wordings that are held out, from the others, or (None) from all.
        chance: what they are drawn by.
    """
    kinds = [kind for kind, times in KINDS.items() for _ in range(times)]
    for language in LANGUAGES:
        for _ in range(2 * count if language == "en" else count):
            case = Case(chance.choice(questions[language]), "x", language=language)
            kind = chance.choice(kinds)
            text = _said(kind, case, held_out, chance)
            while kind in GENERAL and chance.random() < 0.25:
                glue = chance.choice([" ", "\n\n"])
                text += f"{glue}{_said(chance.choice(GENERAL), case, held_out, chance)}"
            if text.strip() not in AMBIGUOUS:
                yield Text(text, True, language, kind)


def _said(kind: str, case: Case, held_out: bool | None, chance: random.Random) -> str:
    glue = "" if case.spoken in {"ja", "zh"} else " "
    drawn = part(wording(kind, case.spoken), held_out).draw(chance, glue)
    return as_typed(filled(drawn, case, chance), chance)


def snippets(answers: Sequence[Real], count: int, chance: random.Random) -> Iterator[Text]:
    """So many pieces of real answers of each language: what a short answer looks like."""
    by_language: dict[str, list[Real]] = defaultdict(list)
    for answer in answers:
        by_language[answer.language].append(answer)
    for language, those in sorted(by_language.items()):
        for _ in range(4 * count if language == "en" else count):
            text = _snippet(chance.choice(those).text, chance)
            if text:
                yield Text(text, False, language, "snippet")


def _snippet(text: str, chance: random.Random) -> str:
    parts = [part for part in sentences(text[:3_000]) if part.strip()]
    way = chance.random()
    if way < 0.6:
        start = chance.randrange(len(parts))
        return "".join(parts[start : start + chance.choice([1, 1, 1, 2, 3])]).strip()
    if way < 0.75:
        return parts[-1].strip()
    words = parts[chance.randrange(len(parts))].split()
    if not words:
        return ""
    start = chance.randrange(len(words))
    return " ".join(words[start : start + chance.choice([1, 1, 2, 3, 4])]).strip(" ,;:")


def hand_written(answers: Sequence[Real], count: int, chance: random.Random) -> Iterator[Text]:
    """Answers that look like none: with words of refusal, short ones, data and code."""
    file = Path(__file__).with_name("nonanswers.json")
    known = json.loads(file.read_text(encoding="utf-8"))
    by_language: dict[str, list[Real]] = defaultdict(list)
    for answer in answers:
        by_language[answer.language].append(answer)
    for language, ways in known.items():
        glue = "" if language in {"ja", "zh"} else " "
        for text in ways["answers"]:
            yield Text(text, False, language, "hand-written", 20.0)
            yield Text(as_typed(text, chance), False, language, "hand-written", 5.0)
        for _ in range(2 * count if language == "en" else count):
            text = _snippet(chance.choice(by_language[language]).text, chance)
            if chance.random() < 0.3:
                text = chance.choice(by_language[language]).text
            if len(text) > 24:
                if chance.random() < 0.7:
                    text = chance.choice(ways["openings"]) + chance.choice([glue, "\n\n"]) + text
                else:
                    text = text + chance.choice([glue, "\n\n"]) + chance.choice(ways["closings"])
                yield Text(text, False, language, "opened or closed")
        for _ in range(count):
            yield Text(_data(by_language[language], chance), False, language, "data")
        for _ in range(count):
            text = chance.choice(ways["stated"]).replace(
                "{x}", _word(by_language[language], chance)
            )
            yield Text(text, False, language, "stated")
            case = Case(chance.choice(by_language[language]).question, "x", language=language)
            inner = _said(chance.choice([*GENERAL, "error_message"]), case, None, chance)
            text = chance.choice(ways["quoted"]).replace("{said}", inner)
            yield Text(text, False, language, "quoted")


def _word(answers: Sequence[Real], chance: random.Random) -> str:
    """A letter, a number, or one or two words of a real answer."""
    words = chance.choice(answers).text[:2_000].split() or ["x"]
    start = chance.randrange(len(words))
    some = " ".join(words[start : start + chance.choice([1, 1, 2])]).strip(".,;:*`'\"()")
    return (
        chance.choice([chance.choice("ABCDEFG"), str(chance.randint(0, 2_000)), some, some]) or "B"
    )


def _data(answers: Sequence[Real], chance: random.Random) -> str:
    """A number, a letter, a word, a call, a piece of code or of JSON."""
    words = chance.choice(answers).text[:2_000].split() or ["x"]
    word, other = (chance.choice(words).strip(".,;:*`'\"()") or "x" for _ in range(2))
    number = str(chance.randint(-20, 3_000))
    letter = chance.choice("ABCDEFGHIJ")
    return chance.choice(
        [
            *(number, f"{number}.{number[-1]}", f"{number} %", f"${number}", f"{number} {word}"),
            *(letter, f"({letter})", f"{letter}.", f"{letter}) {word}", f"Answer: {letter}"),
            *(word, f"{word}.", word.title(), f"{word}, {other}", f"{word} {other}"),
            *(f"Answer: {number}", f"The answer is {number}.", f"The answer is {word}."),
            *(f"**{word}**", f'"{word}"', f"`{word}`", f"\\boxed{{{number}}}", f"x = {number}"),
            *(f"[{number}]", f"[{number}, {number}]", f'["{word}"]', f"{{'{word}': {number}}}"),
            json.dumps({"name": word, "arguments": {other: number}}),
            json.dumps({"tool": word, "input": f"{other} {number}"}),
            json.dumps({"results": [{"title": word, "id": number}], "total": 1}),
            json.dumps({"answer": word}, ensure_ascii=False),
            json.dumps({word: other, "error": None}, ensure_ascii=False),
            f"def {word}({other}):\n    return {number}",
            f"```python\nprint({number})\n```",
            f"for {word} in {other}: print({number})",
            f"1. {word}\n2. {other}\n3. {number}",
            f"- {word}\n- {other}",
            f"{chance.randint(1, 28)}.{chance.randint(1, 12)}.{chance.randint(1800, 2025)}",
        ]
    )
