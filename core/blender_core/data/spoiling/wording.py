"""What people and programs say, in several languages: the files in ``wordings/``."""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from blender_core.data.spoiling.case import Case
from blender_core.data.spoiling.pieces import topic

__all__ = ["LANGUAGES", "Wording", "filled", "said", "wording"]

LANGUAGES = ("en", "de", "fr", "es", "ja", "ko", "ru", "zh")
"""Of which there are wordings. For any other language it is the English ones."""

_ANY = "any"
"""Wordings of no language, such as ``[]``: beside those of every language."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Ways to say one thing in one language.

    Attributes:
        whole: complete texts.
        parts: what texts are made of: one of each list, in this order. "" leaves a part out.
        shared: complete texts of no language, such as ``[]``.
    """

    whole: tuple[str, ...] = ()
    parts: tuple[tuple[str, ...], ...] = ()
    shared: tuple[str, ...] = ()

    def draw(self, chance: random.Random, glue: str = " ") -> str:
        """One text, with its slots such as ``{topic}`` still open.

        Raises:
            IndexError: there is nothing to say.
        """
        source = chance.choice([way for way in (self.whole, self.parts, self.shared) if way])
        if source is self.parts:
            chosen = glue.join(filter(None, map(chance.choice, self.parts)))
            return chosen[:1].upper() + chosen[1:]
        return str(chance.choice(source))


def wording(kind: str, language: str) -> Wording:
    """How a language says something, with what all languages share.

    Args:
        kind: such as ``"refusal"``.
        language: ISO 639-1 code.
    """
    own = _read(language if language in LANGUAGES else "en").get(kind, Wording())
    shared = _read(_ANY).get(kind, Wording())
    return Wording(own.whole, own.parts, shared.whole)


@cache
def _read(language: str) -> Mapping[str, Wording]:
    file = files("blender_core.data.spoiling") / "wordings" / f"{language}.json"
    return {
        kind: Wording(tuple(ways["whole"]), tuple(map(tuple, ways.get("parts", ()))))
        for kind, ways in json.loads(file.read_text(encoding="utf-8")).items()
    }


def said(kind: str, case: Case, chance: random.Random) -> str:
    """Something of a kind, in the language of the case and about its question."""
    glue = "" if case.spoken in {"ja", "zh"} else " "
    return filled(wording(kind, case.spoken).draw(chance, glue), case, chance)


def filled(text: str, case: Case, chance: random.Random) -> str:
    """A wording with its slots closed."""
    for slot, value in (
        ("{number}", str(chance.randint(2, 9000))),
        ("{hex}", f"{chance.getrandbits(64):016x}"),
        ("{topic}", topic(case.question, chance)),
        ("{question}", case.question.strip()),  # last: it may contain anything, slots included
    ):
        text = text.replace(slot, value)
    return text
