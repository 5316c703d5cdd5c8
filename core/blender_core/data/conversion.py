"""Judgements, scores and ``cmp_results`` made of one another."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any, Literal

from blender_core.data.comparisons import cmp_results_of, comparisons
from blender_core.data.records import Judgement, Record, as_value, read_record
from blender_core.errors import InputError

__all__ = ["judged_by_scores", "to_mixinstruct"]


def judged_by_scores(record: Record, name: str, *, tie: float = 0.0) -> Record:
    """The record with a judgement more on each pair of answers that both have the score.

    Args:
        record: with the scores, its own or its answers'.
        name: of the score; it is the judge.
        tie: a difference of at most this is a tie.
    """
    scores = record.score(name)
    told = []
    for a in range(len(scores)):
        for b in range(a + 1, len(scores)):
            difference = float(scores[a] - scores[b])
            if abs(difference) <= tie:
                told.append(Judgement(a=a, b=b, winner="tie", judge=name))
            elif not math.isnan(difference):
                winner: Literal["a", "b"] = "a" if difference > 0 else "b"
                told.append(Judgement(a=a, b=b, winner=winner, judge=name))
    return record.model_copy(update={"judgements": [*record.judgements, *told]})


def to_mixinstruct(record: Record) -> Record:
    """The record in MixInstruct's shape alone.

    What is known about which answer is better (`Record.preferences`) becomes ``cmp_results``,
    and the record's scores become the answers'. Answers that have no name, or one with others,
    get one: ``answer 0``, ``name #1``.

    Raises:
        InputError: the names cannot be told apart in the keys of ``cmp_results``.
    """
    models = _different(record.models)
    value: dict[str, Any] = {"id": record.id, "instruction": record.instruction}
    value |= {"input": record.input, "output": record.output}
    value["candidates"] = []
    for place, answer in enumerate(record.candidates):
        scores = dict(answer.scores or {})
        scores |= {name: numbers[place] for name, numbers in record.scores.items()}
        part = as_value(answer) | {"model": models[place], "text": answer.text}
        value["candidates"].append(part | ({"scores": scores} if scores else {}))
    cmp_results = cmp_results_of(record.preferences(), models)
    if not record.judgements:  # as they were, with their two kinds of ties
        for told in comparisons(record.cmp_results or {}, record.models):
            cmp_results.pop(f"{models[told.b]},{models[told.a]}", None)
        cmp_results |= record.cmp_results or {}
    value["cmp_results"] = cmp_results or None
    try:
        return read_record(value)
    except InputError as error:
        raise InputError(f"cannot be written in MixInstruct's shape: {error}") from None


def _different(models: tuple[str | None, ...]) -> list[str]:
    """A name for each answer, no two the same."""
    counts = Counter(models)
    names = []
    for place, model in enumerate(models):
        if model is None:
            names.append(f"answer {place}")
        else:
            names.append(model if counts[model] == 1 else f"{model} #{place}")
    return names
