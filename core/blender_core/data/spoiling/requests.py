"""A form is asked for as well, once kept to and once not: nothing but the form tells them apart."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass

from blender_core.data.spoiling.case import Case
from blender_core.data.spoiling.pieces import sentences

__all__ = ["Requested", "requested"]


@dataclass(frozen=True, slots=True)
class Requested:
    """A question that asks for a form, a text that keeps to it, and one that does not."""

    question: str
    kept: str
    ignored: str


_ASKING = {
    "en": (
        ("Answer in {n} sentences.", "Use exactly {n} sentences.", "{n} sentences, please."),
        ("Give exactly {n} points.", "Name {n} things as a list.", "List {n} facts."),
        ("Answer as JSON.", "Reply with a JSON object only.", "Output: JSON with the key answer."),
    ),
    "de": (
        ("Antworte in {n} Sätzen.", "Bitte genau {n} Sätze.", "Schreibe {n} Sätze."),
        ("Nenne genau {n} Beispiele.", "Bitte {n} Ideen als Liste.", "Gib {n} Tipps."),
        ("Antworte als JSON.", "Gib nur ein JSON-Objekt aus."),
    ),
    "fr": (
        ("Réponds en {n} phrases.", "Exactement {n} phrases.", "Écris {n} phrases."),
        ("Donne exactement {n} exemples.", "Fais une liste de {n} idées.", "Donne {n} raisons."),
        ("Réponds en JSON.", "Donne seulement un objet JSON."),
    ),
    "es": (
        ("Responde en {n} frases.", "Usa exactamente {n} frases.", "Escribe {n} oraciones."),
        ("Da exactamente {n} ejemplos.", "Haz una lista de {n} ideas.", "Da {n} razones."),
        ("Responde en JSON.", "Devuelve solo un objeto JSON."),
    ),
    "ru": (
        ("Ответь в {n} предложениях.", "Ровно {n} предложения.", "Напиши {n} предложений."),
        ("Приведи {n} примера.", "Назови {n} причины списком.", "Дай {n} совета."),
        ("Ответь в формате JSON.", "Выведи только объект JSON."),
    ),
    "ja": (
        ("{n}文で答えてください。", "ちょうど{n}文で。", "{n}文にまとめて。"),
        ("{n}つ挙げてください。", "箇条書きで{n}つ。", "{n}点を挙げて。"),
        ("JSONで答えてください。", "JSONオブジェクトだけを出力。"),
    ),
    "ko": (
        ("{n}문장으로 답하세요.", "정확히 {n}문장으로.", "{n} 문장으로 써 주세요."),
        ("{n}가지를 말해 주세요.", "목록으로 {n}가지.", "{n}가지 예를 들어 주세요."),
        ("JSON으로 답하세요.", "JSON 객체만 출력하세요."),
    ),
    "zh": (
        ("用{n}句话回答。", "正好{n}句话。", "请写{n}句。"),
        ("列出{n}个。", "请用列表给出{n}点。", "举{n}个例子。"),
        ("用JSON回答。", "只输出一个JSON对象。"),
    ),
}
"""By language: so many sentences, so many items, JSON."""

_LEAST = 3
"""Sentences of an answer that can be cut to a number."""
_MOST = 12


def requested(case: Case, chance: random.Random) -> Requested | None:
    """The case with a form asked for at the end of its question.

    None where the answer has too few sentences, or something that is no prose.

    >>> case = Case("What is rain?", "It is water. It falls. It comes from clouds. It is wet.")
    >>> requested(case, random.Random(2)).question
    'What is rain? Answer in 2 sentences.'
    >>> requested(case, random.Random(2)).kept
    'It is water. It falls.'
    """
    text = case.answer.strip()
    said = [sentence.strip() for sentence in sentences(text) if sentence.strip()]
    if "```" in text or len(said) < _LEAST or case.spoken not in _ASKING:
        return None
    asking = _ASKING[case.spoken]
    glue = "" if case.spoken in {"ja", "zh"} else " "
    way = chance.randrange(3)
    number = chance.randint(2, min(4, len(said) - 1)) if way == 0 else chance.randint(2, 4)
    question = case.question.rstrip() + " " + chance.choice(asking[way]).format(n=number)
    few, many = said[:number], said[: max(_LEAST, min(_MOST, number + chance.randint(2, 8)))]
    if way == 2:
        return Requested(question, json.dumps({"answer": text}, ensure_ascii=False), text)
    if len(many) <= number:
        return None
    if way == 0:
        return Requested(question, glue.join(few), glue.join(many))
    ignored = many if chance.random() < 0.6 else few[:-1] or many
    numbered = chance.random() < 0.5
    return Requested(question, _listed(few, numbered), _listed(ignored, numbered))


def _listed(items: list[str], numbered: bool) -> str:
    if numbered:
        return "\n".join(f"{place}. {item}" for place, item in enumerate(items, start=1))
    return "\n".join(f"- {item}" for item in items)
