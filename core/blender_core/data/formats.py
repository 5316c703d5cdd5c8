"""Judged answers in the formats of public data, read as records: whatever a line holds.

Our own shape, MixInstruct's and pairs have files of their own (`records`, `pairs`); here are
the ways in which others write down many judged answers, or two conversations.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from blender_core.conversations import ASSISTANT, as_text
from blender_core.data.pairs import from_pair, is_pair, messages_or_text, prompt_of
from blender_core.data.records import Record
from blender_core.data.records import read_record as read_own
from blender_core.errors import InputError

__all__ = ["is_foreign", "read_record"]


def read_record(value: Any) -> Record:
    """The record that a JSON value is, in our own shape or in one of those that are known.

    * ``prompt``, ``chosen``, ``rejected``: see `from_pair` (TRL, RewardBench, HH-RLHF, …).
    * ``completions``, each with ``response`` and its ratings (UltraFeedback): what is rated is a
      score; ``overall_score`` is the only one if it is there.
    * ``answers``, each with ``answer`` and ``rank`` (Nectar): the score ``rank``, negated.
    * ``conv_A``, ``conv_B`` with ``conv_A_rating``, … (Unified-Feedback): the score ``rating``.
    * What ``blended-llm rank`` and ``blend`` write, with question and answers: the score
      ``ranker``.
    * ``conversation_a``, ``conversation_b`` and ``winner`` (Chatbot Arena): a judgement.

    Raises:
        InputError: says which part is wrong.
    """
    for is_one, read in _FORMATS:
        if isinstance(value, Mapping) and is_one(value):
            return read(value)
    return read_own(value)


def is_foreign(value: Any) -> bool:
    """Whether a JSON value has one of those shapes, and not our own."""
    return isinstance(value, Mapping) and any(is_one(value) for is_one, _ in _FORMATS)


def _has(*names: str) -> Callable[[Mapping[str, Any]], bool]:
    return lambda value: all(value.get(name) is not None for name in names)


def _is_rated(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("completions"), list) and "candidates" not in value


def _is_ranked(value: Mapping[str, Any]) -> bool:
    return isinstance(value.get("answers"), list) and "candidates" not in value


def _is_result(value: Mapping[str, Any]) -> bool:
    return {"order", "ranks", "scores"} <= value.keys() and isinstance(value["scores"], list)


def _result(value: Mapping[str, Any]) -> Record:
    """A line that ``blended-llm rank`` or ``blend`` wrote."""
    if not value.get("candidates"):
        raise InputError("a ranking without its answers; rank with --with-input")
    told = {key: value[key] for key in ("id", "instruction", "input", "candidates") if key in value}
    return read_own(told | {"scores": {"ranker": value["scores"]}})


def _rated(value: Mapping[str, Any]) -> Record:
    """A row of UltraFeedback."""
    answers, scores = _answers(value, "completions", "response"), []
    for place, one in enumerate(value["completions"]):
        here = f"completions[{place}]"
        overall = _number(f"{here}.overall_score", one.get("overall_score"))
        scores.append({"overall_score": overall} if overall is not None else _ratings(here, one))
    names = dict.fromkeys(name for told in scores for name in told)
    rated = {name: [told.get(name) for told in scores] for name in names}
    return _made(value, {"completions", "models"}, answers, rated)


def _ratings(here: str, completion: Mapping[str, Any]) -> dict[str, float | None]:
    """The ratings of what is said about a completion, by what they are about."""
    told = completion.get("annotations")
    if not isinstance(told, Mapping):
        return {}
    return {
        str(name): _number(f"{here}.annotations.{name}.Rating", one.get("Rating"))
        for name, one in told.items()
        if isinstance(one, Mapping)
    }


def _ranked(value: Mapping[str, Any]) -> Record:
    """A row of Nectar."""
    ranks = [
        _number(f"answers[{place}].rank", one.get("rank") if isinstance(one, Mapping) else None)
        for place, one in enumerate(value["answers"])
    ]
    scores = {"rank": [None if rank is None else -rank for rank in ranks]}
    return _made(value, {"answers"}, _answers(value, "answers", "answer"), scores)


def _rated_conversations(value: Mapping[str, Any]) -> Record:
    """A row of Unified-Feedback."""
    names = ("conv_A", "conv_B")
    ratings = [_number(f"{name}_rating", value.get(f"{name}_rating")) for name in names]
    pair = _pair(value, names)
    return read_own(pair | {"judgements": [], "scores": {"rating": ratings}})


def _battle(value: Mapping[str, Any]) -> Record:
    """A row of the Chatbot Arena."""
    names = ("conversation_a", "conversation_b")
    pair, winner = _pair(value, names), value["winner"]
    sides = {"model_a": "a", "a": "a", "model_b": "b", "b": "b"}
    if not isinstance(winner, str) or not (winner in sides or winner.startswith("tie")):
        raise InputError(f"'winner' must be model_a, model_b or a tie, got {winner!r:.80}")
    told = {"a": 0, "b": 1, "winner": sides.get(winner, "tie")}
    models = [value.get(name) for name in ("model_a", "model_b")]
    candidates = [
        answer | {"model": model} for answer, model in zip(pair["candidates"], models, strict=True)
    ]
    return read_own(pair | {"candidates": candidates, "judgements": [told]})


def _pair(value: Mapping[str, Any], names: tuple[str, str]) -> dict[str, Any]:
    """Two conversations as question and answers, without what is said of them."""
    sides = dict(zip(("chosen", "rejected"), (value[name] for name in names), strict=True))
    taken = (*names, "winner", *(f"{name}_rating" for name in names))
    rest = {key: part for key, part in value.items() if key not in taken}
    try:
        record = from_pair(rest | sides)
    except InputError as error:
        reason = str(error)
        for side, name in zip(sides, names, strict=True):
            reason = reason.replace(f"'{side}", f"'{name}")
        raise InputError(reason) from None
    return record.model_dump(exclude_defaults=True)


def _answers(value: Mapping[str, Any], key: str, text: str) -> list[dict[str, Any]]:
    """The answers under a key, each with its text under another one."""
    answers = []
    for place, one in enumerate(value[key]):
        here = f"'{key}[{place}]'"
        if not isinstance(one, Mapping) or text not in one:
            raise InputError(f"{here} must be an object with {text!r}")
        said = one[text]
        if not isinstance(said, str):  # a conversation whose last message is the answer
            *_, last = messages_or_text(f"{key}[{place}].{text}", said)
            if last.speaker != ASSISTANT:
                raise InputError(f"{here}: {text!r} must end with a message of the assistant")
            said = last.text
        model = one.get("model")
        if model is not None and not isinstance(model, str):
            raise InputError(f"{here}: 'model' must be a text")
        answers.append({"text": said, "model": model})
    return answers


def _made(
    value: Mapping[str, Any],
    read: set[str],
    answers: Sequence[Mapping[str, Any]],
    scores: Mapping[str, Sequence[float | None]],
) -> Record:
    """A record of these answers to the question of a row, with all of the row that is not read."""
    if not (messages := prompt_of(value)):
        raise InputError("'prompt' is missing")
    known = {key: part for key, part in value.items() if key not in {*read, "prompt", "system"}}
    made = {"instruction": as_text(messages), "candidates": answers, "scores": scores}
    return read_own(known | made)


def _number(name: str, value: Any) -> float | None:
    """A rating: a number, also as text; None where there is none, or ``N/A``."""
    if value is None or (isinstance(value, str) and value.strip().upper() in ("", "N/A")):
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"{name!r} must be a number, got {value!r:.80}")
    return number


_FORMATS: Sequence[tuple[Callable[[Mapping[str, Any]], bool], Callable[[Any], Record]]] = (
    (_is_result, _result),
    (is_pair, from_pair),
    (_is_rated, _rated),
    (_is_ranked, _ranked),
    (_has("conv_A", "conv_B"), _rated_conversations),
    (_has("conversation_a", "conversation_b", "winner"), _battle),
)
