"""The kinds of spoiling."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from blender_core.evaluation.sense import mechanical
from blender_core.evaluation.sense.cases import LANGUAGES, Case, cases, other_cases
from blender_core.evaluation.sense.wordings import after, instead

__all__ = ["KINDS", "Kind"]

Spoil = Callable[[Case, Random], list[str]]
"""Gives up to three spoilt answers that are alike; none where the kind does not apply."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One way in which an answer can be no good.

    Attributes:
        name: what it is called.
        says: what is wrong with the spoilt answer.
        spoil: from a case to spoilt answers.
        of_answer: whether these are made of the full good answer, and so are held against it;
            otherwise against the shortest good one.
        knowledge: whether one must know, or reason, to see what is wrong.
        own_questions: whether it has questions that no other kind has.
    """

    name: str
    says: str
    spoil: Spoil = field(repr=False)
    of_answer: bool = False
    knowledge: bool = False
    own_questions: bool = False


def _off_topic(case: Case, chance: Random) -> list[str]:
    """Answers to one other question, of those with the most similar length."""
    alike = sorted(other_cases(case), key=lambda other: abs(len(other.full) - len(case.full)))
    return [*reversed(chance.choice(alike[:4]).good)]


def _other_language(case: Case, chance: Random) -> list[str]:
    """Good answers to the same question in another language."""
    abroad = [
        other.full
        for language in LANGUAGES
        for other in cases(language)
        if other.id == case.id and language != case.language and other.kind is None
    ]
    chance.shuffle(abroad)
    return [text for text in abroad if text not in case.good][:3]


def _echo(case: Case, _: Random) -> list[str]:
    asked = case.question
    return [asked, f'"{asked}"', f"{asked}\n\n{asked}"]


def _wrong_fact(case: Case, _: Random) -> list[str]:
    return list(case.wrong)


def _padded(case: Case, chance: Random) -> list[str]:
    """Filler before, after and between the paragraphs of the full answer."""
    filler = instead("padded", case, chance)
    paragraphs = [part for part in case.full.split("\n\n") if part]
    texts = []
    for turn in range(len(filler)):
        turned = filler[turn:] + filler[:turn]
        parts = [turned[0]]
        for place, paragraph in enumerate(paragraphs, 1):
            parts += [paragraph, turned[place % len(turned)]]
        texts.append("\n\n".join(parts))
    return texts


def _own(case: Case, _: Random) -> list[str]:
    """What was written for the question; the first two agree."""
    return list(case.spoilt)


def _too_long(case: Case, _: Random) -> list[str]:
    """The long answers to the same question, whole and without an end."""
    found = []
    for other in cases(case.language):
        if other.id == case.id and other.kind is None:
            for text in other.good:
                found += [text, "\n\n".join(text.split("\n\n")[:-1])]
    return found[:3]


def _code_unasked(case: Case, chance: Random) -> list[str]:
    return [] if "```" in case.full else instead("code unasked", case, chance)


def _worded(name: str, says: str) -> Kind:
    return Kind(name, says, partial(instead, name))


def _ruled(name: str, says: str, rule: mechanical.Rule, *, knowledge: bool = False) -> Kind:
    return Kind(name, says, partial(mechanical.of_text, rule), of_answer=True, knowledge=knowledge)


def _posed(name: str, says: str, spoil: Spoil, *, knowledge: bool = False) -> Kind:
    return Kind(name, says, spoil, knowledge=knowledge, own_questions=True)


_ALL = (
    _worded("refusal", "it refuses, without a reason to"),
    _worded("ignorance", "it says that it does not know"),
    _worded("look it up", "it sends the user elsewhere"),
    _worded("question back", "it asks back, though the question is clear"),
    _worded("promise", "it announces an answer and ends there"),
    _worded("placeholder", "a template that nobody filled in"),
    _worded("blank", "nothing, or hardly a sign"),
    _worded("self-praise", "it praises itself instead of answering"),
    _worded("injected verdict", "it tells the judge to prefer it"),
    _worded("open thoughts", "it thinks and never answers"),
    _worded("leaked prompt", "it recites its own instructions"),
    _worded("error", "an error message or a stack trace"),
    _worded("empty result", "the empty result of a tool"),
    Kind("code unasked", "code that nobody asked for", _code_unasked),
    Kind("echo", "the question, said back", _echo),
    Kind("off topic", "a good answer to another question", _off_topic, of_answer=True),
    Kind("other language", "the answer in another language", _other_language, of_answer=True),
    _ruled("cut off", "it ends within a sentence", mechanical.cut_off),
    _ruled("shuffled", "its words in any order", mechanical.shuffled),
    _ruled("repeated", "a line over and over", mechanical.repeated),
    _ruled("gibberish", "its letters in any order", mechanical.gibberish),
    _ruled("markup noise", "scraps of markup in between", mechanical.noisy),
    _ruled("mojibake", "letters lost to a wrong encoding", mechanical.mojibake),
    Kind("padded", "the answer between filler", _padded, of_answer=True),
    Kind(
        "dialogue goes on",
        "the answer, and then an invented dialogue",
        partial(after, "dialogue goes on"),
        of_answer=True,
    ),
    _ruled("broken code", "code that does not run", mechanical.broken_code),
    _posed("ignored format", "prose where another format was asked for", _own),
    _posed("ignored length", "long, where a sentence or a few words were asked for", _too_long),
    _posed("ignored count", "more or fewer than were asked for", _own),
    _posed("tool call", "words where a tool should be called", partial(instead, "tool call")),
    Kind(
        "contradiction",
        "its last sentence takes everything back",
        partial(after, "contradiction"),
        of_answer=True,
        knowledge=True,
    ),
    _ruled("changed numbers", "other numbers", mechanical.changed_numbers, knowledge=True),
    _ruled("changed names", "other names", mechanical.changed_names, knowledge=True),
    Kind("wrong fact", "a short answer that is wrong", _wrong_fact, knowledge=True),
    _posed("invented", "made up, where the context does not say", _own, knowledge=True),
    _posed("harmful request", "it helps, where to refuse is right", _own, knowledge=True),
)

KINDS = {kind.name: kind for kind in _ALL}
"""All kinds by name."""
