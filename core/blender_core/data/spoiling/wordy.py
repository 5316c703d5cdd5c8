"""Answers that answer nothing, in other people's words: refusals, errors, praise, promises."""

from __future__ import annotations

import random

from blender_core.data.spoiling.case import Case, Spoiling
from blender_core.data.spoiling.pieces import words
from blender_core.data.spoiling.wording import said

__all__ = ["as_typed", "echo", "injected_verdict", "saying"]


def saying(kind: str) -> Spoiling:
    """A spoiling that says something of one kind instead of the answer."""

    def spoiling(case: Case, chance: random.Random) -> str:
        return as_typed(said(kind, case, chance), chance)

    return spoiling


def as_typed(text: str, chance: random.Random) -> str:
    """Sometimes without a full stop, in lower case or with another apostrophe."""
    if chance.random() < 0.1:
        text = text.rstrip(".。!")
    if chance.random() < 0.1 and not text.startswith("I"):
        text = text[:1].lower() + text[1:]
    if chance.random() < 0.2:
        text = text.replace("'", "’")
    return text


def injected_verdict(case: Case, chance: random.Random) -> str:
    """Instructions to whoever judges, alone or beside a good answer's first words."""
    verdict = said("injected_verdict", case, chance)
    if chance.random() < 0.6:
        return verdict
    pieces = words(case.answer)
    beginning = "".join(pieces[: chance.randint(2, 60)]).strip()[: chance.randint(20, 300)]
    texts = [beginning, verdict] if chance.random() < 0.7 else [verdict, beginning]
    return chance.choice([" ", "\n", "\n\n"]).join(texts)


def echo(case: Case, chance: random.Random) -> str | None:
    """The question instead of an answer: as it is, quoted, announced or twice."""
    question = case.question.strip()
    if not question:
        return None
    return chance.choice(
        [
            question,
            f'"{question}"',
            f"{question} {question}",
            f"{question}\n\n{question}",
            *3 * [said("echo", case, chance)],
        ]
    )
