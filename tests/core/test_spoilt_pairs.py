"""Pairs of good and spoilt answers, as a training learns from them."""

from __future__ import annotations

import json
import random

import pytest
import torch

from blender_core.comparison.worth.signs.asked import asked_amounts
from blender_core.data.records import read_record
from blender_core.data.spoiling import Case, requested
from blender_core.data.spoiling.pieces import sentences
from blender_core.errors import InputError
from blender_core.training.config import RankerConfig
from blender_core.training.pairs import judged_pairs
from blender_core.training.spoilt_pairs import spoilt_pairs, whole

ANSWERS = [
    "Rain is water. It falls from clouds. It is wet. It comes in drops.",
    "Water that falls from clouds is called rain. It is wet. We need it.",
    "Rain is a kind of cheese. It is yellow. It is eaten on bread. Mice like it.",
]
SCORES = [3.0, 2.0, 1.0]


def _record(place, answers=ANSWERS):
    content = {
        "id": f"r{place}",
        "instruction": f"What is rain? ({place})",
        "candidates": answers,
        "scores": {"judge": SCORES[: len(answers)]},
        "source": "skies" if place % 2 else "seas",
    }
    return read_record(content)


RECORDS = [_record(place) for place in range(40)]


def _config(**changes):
    return RankerConfig(start="x", output="out", train=["records.jsonl"], **changes)


def _sides(pair):
    """The better and the worse text."""
    texts = (pair.pair.first, pair.pair.second)
    return texts if pair.preference == 1.0 else texts[::-1]


def test_the_better_answers_are_preferred_to_what_was_made_of_them():
    pairs = spoilt_pairs(RECORDS, _config(spoil={"refusal": 1.0, "shuffled": 1.0}))
    assert len(pairs) > 80
    assert {pair.preference for pair in pairs} == {0.0, 1.0}  # in both orders
    for pair in pairs:
        good, spoilt = _sides(pair)
        assert good in ANSWERS[:2] or any(text.startswith(good) for text in ANSWERS[:2])
        assert spoilt not in ANSWERS


def test_a_share_is_that_of_the_records():
    some = spoilt_pairs(RECORDS, _config(spoil={"refusal": 0.3}))
    assert 4 <= len({pair.record for pair in some}) <= 20
    assert spoilt_pairs(RECORDS, _config(spoil={})) == []
    assert {pair.weight for pair in spoilt_pairs(RECORDS, _config(spoil={"refusal": 1.0}))} == {1.0}
    heavy = spoilt_pairs(RECORDS, _config(spoil={"refusal": 1.0}, spoilt_weight=2.5))
    assert {pair.weight for pair in heavy} == {2.5}


def test_one_kind_more_changes_nothing_of_the_others():
    alone = spoilt_pairs(RECORDS, _config(spoil={"shuffled": 0.5}))
    beside = spoilt_pairs(RECORDS, _config(spoil={"refusal": 0.5, "shuffled": 0.5}))
    assert {_sides(pair) for pair in alone} < {_sides(pair) for pair in beside}


def test_an_unknown_kind_is_named():
    with pytest.raises(InputError, match="'polished' is no way of spoiling"):
        spoilt_pairs(RECORDS, _config(spoil={"polished": 1.0}))


def test_what_was_cut_where_it_was_collected_is_not_taken_for_whole():
    text = "A sentence of some length stands here. " * 110
    assert whole(text[:4000]).endswith("here.")
    assert len(whole(text[:4000])) > 3900
    assert whole("Short, and open") == "Short, and open"


def test_sources_weigh_as_told():
    config = _config(scores={"judge": 1.0}, source_weights={"seas": 0.25})
    pairs = judged_pairs(RECORDS, config, torch.Generator().manual_seed(0))
    assert {(pair.source, pair.weight) for pair in pairs} == {("seas", 0.25), ("skies", 1.0)}


@pytest.mark.parametrize("seed", range(60))
def test_a_form_is_kept_in_one_text_and_not_in_the_other(seed):
    case = Case("What is rain?", " ".join(f"It is thing {k}." for k in range(9)), language="en")
    asked = requested(case, random.Random(seed))
    if "JSON" in asked.question:
        assert json.loads(asked.kept) == {"answer": case.answer}
        with pytest.raises(ValueError, match="Expecting value"):
            json.loads(asked.ignored)
        return
    [amount] = asked_amounts(asked.question.removeprefix(case.question))

    def count(text):
        return len(text.splitlines()) if amount.unit == "item" else len(sentences(text))

    assert count(asked.kept) == amount.number != count(asked.ignored)
