"""Preference data, scores and cmp_results made of one another."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_core.data import Answer, Record, read_record, read_records
from blender_core.data.conversion import judged_by_scores, to_mixinstruct
from blender_core.data.pairs import from_pair, is_pair, to_pairs
from blender_core.errors import InputError

RECORDS = Path(__file__).parents[1] / "data" / "records.jsonl"


def says(role, content):
    return {"role": role, "content": content}


def texts_of(record):
    return record.instruction, *(answer.text for answer in record.candidates)


# --- prompt, chosen, rejected ----------------------------------------------------------------

TURNS = [says("user", "Hi"), says("assistant", "Hello."), says("user", "2 + 2?")]
ASKED = "User: Hi\nAssistant: Hello.\nUser: 2 + 2?"
YES, NO = [says("assistant", "4")], [says("assistant", "5")]
HH = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: 2 + 2?\n\nAssistant: "

SHAPES = {
    "texts": ({"prompt": "2 + 2?", "chosen": "4", "rejected": "5"}, "2 + 2?"),
    "another name": ({"instruction": "2 + 2?", "chosen": "4", "rejected": "5"}, "2 + 2?"),
    "conversation": ({"prompt": TURNS, "chosen": YES, "rejected": NO}, ASKED),
    "conversation and texts": ({"prompt": TURNS, "chosen": "4", "rejected": "5"}, ASKED),
    "no prompt": ({"chosen": TURNS + YES, "rejected": TURNS + NO}, ASKED),
    "prompt repeated": ({"prompt": TURNS, "chosen": TURNS + YES, "rejected": TURNS + NO}, ASKED),
    "prompt as text, repeated": (
        {"prompt": "Hi", "chosen": [*TURNS[:1], *YES], "rejected": [*TURNS[:1], *NO]},
        "Hi",
    ),
    "dialogue as text": ({"chosen": HH + "4", "rejected": HH + "5"}, ASKED),
    "system": ({"prompt": [says("system", "Be short."), *TURNS], "chosen": YES, "rejected": NO},
               "Be short.\n\n" + ASKED),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_preference_data(shape):
    value, asked = SHAPES[shape]
    assert is_pair(value)
    record = from_pair(value)
    assert texts_of(record) == (asked, "4", "5")
    np.testing.assert_array_equal(record.preferences(), [[0.5, 1.0], [0.0, 0.5]])


def test_conversations_that_part_early_are_answers_of_several_turns():
    more = [says("user", "Sure?"), says("assistant", "Yes.")]
    record = from_pair({"prompt": "2 + 2?", "chosen": YES + more, "rejected": NO})
    assert texts_of(record) == ("2 + 2?", "4\nUser: Sure?\nAssistant: Yes.", "5")


def test_models_margin_and_all_else_are_kept():
    value = {"prompt": "q", "chosen": "a", "rejected": "b", "chosen_model": "m", "margin": 0.5}
    record = from_pair(value | {"licence": "MIT", "prompt_id": 7})
    assert record.models == ("m", None)
    assert record.preferences()[0, 1] == 0.75
    assert (record.licence, record.model_extra) == ("MIT", {"prompt_id": 7})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"prompt": "q", "chosen": "a"}, "'chosen' or 'rejected' is missing"),
        ({"prompt": 1, "chosen": "a", "rejected": "b"}, "'prompt' must be a text or a list of"),
        ({"prompt": "q", "chosen": None, "rejected": "b"}, "'chosen' must be a text or a list of"),
        ({"prompt": "q", "chosen": YES, "rejected": []}, "'rejected' must be a text or a list of"),
        ({"prompt": "q", "chosen": YES, "rejected": ["b"]}, "'rejected[0]' must be an object with"),
        ({"prompt": "q", "chosen": YES, "rejected": [says("user", 3)]}, "must be texts"),
        ({"prompt": "q", "chosen": YES, "rejected": TURNS}, "'rejected' must answer the prompt"),
        ({"chosen": YES, "rejected": NO}, "there is no 'prompt', and 'chosen' and 'rejected'"),
        ({"chosen": "a", "rejected": "b"}, "there is no 'prompt', and 'chosen' is no dialogue"),
        ({"prompt": "q", "chosen": "a", "rejected": "b", "margin": -7}, "'margin' is -7"),
        ({"prompt": "", "chosen": "a", "rejected": "b"}, "are both empty"),
    ],
)
def test_bad_preference_data_are_named(value, reason):
    with pytest.raises(InputError) as caught:
        from_pair(value)
    assert reason in str(caught.value)


def test_files_of_preference_data_are_read_as_records(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"prompt": "q", "chosen": "a", "rejected": "b"}\n{"chosen": 1, "rejected": 2}')
    faults = []
    (record,) = read_records(path, on_fault=faults.append)
    assert texts_of(record) == ("q", "a", "b")
    assert [fault.line for fault in faults] == [2]


@st.composite
def judged(draw):
    count = draw(st.integers(2, 5))
    scores = draw(st.lists(st.none() | st.integers(0, 3), min_size=count, max_size=count))
    answers = [Answer(text=f"answer {place}", model=f"m{place}") for place in range(count)]
    return Record(id=1, instruction="q", candidates=answers, scores={"judge": scores})


@given(judged())
def test_pairs_hold_all_preferences_but_ties(record):
    preferences = record.preferences()
    back = np.full_like(preferences, np.nan)
    for value in to_pairs(record):
        pair = from_pair(value)
        chosen, rejected = (int(model[1:]) for model in pair.models)
        assert pair.candidates[0].text == record.candidates[chosen].text
        back[chosen, rejected] = pair.preferences()[0, 1]
        back[rejected, chosen] = pair.preferences()[1, 0]
    preferences[preferences == 0.5] = np.nan
    np.testing.assert_array_equal(back, preferences)


def test_pairs_that_are_hardly_decided_can_be_left_out():
    told = [{"a": 1, "b": 0, "winner": "a", "strength": 0.5}, {"a": 0, "b": 2, "winner": "a"}]
    record = read_record({"instruction": "q", "candidates": ["x", "y", "z"], "judgements": told})
    assert [pair["margin"] for pair in to_pairs(record)] == [0.5, 1.0]
    (pair,) = to_pairs(record, least_margin=0.6)
    assert pair == {"prompt": "q", "chosen": "x", "rejected": "z", "margin": 1.0}


# --- scores to judgements, all to MixInstruct ------------------------------------------------


@given(judged())
def test_judgements_of_scores_say_what_the_scores_say(record):
    told = judged_by_scores(record, "judge")
    np.testing.assert_array_equal(told.preferences(names=[]), record.preferences())
    assert all(judgement.judge == "judge" for judgement in told.judgements)


def test_small_differences_may_be_ties():
    record = read_record({"instruction": "q", "candidates": ["x", "y"], "scores": {"j": [7, 6.5]}})
    assert judged_by_scores(record, "j").judgements[0].winner == "a"
    assert judged_by_scores(record, "j", tie=0.5).judgements[0].winner == "tie"


def test_real_records_in_mixinstructs_shape():
    for record in read_records(RECORDS):
        made = to_mixinstruct(record)
        assert not made.judgements
        assert not made.scores
        np.testing.assert_array_equal(
            made.preferences(), np.round(0.5 + 0.5 * np.sign(record.preferences() - 0.5), 1)
        )
        for name in record.scores:
            np.testing.assert_array_equal(made.score(name), record.score(name))


def test_cmp_results_keep_their_two_kinds_of_ties():
    answers = [{"text": model, "model": model} for model in "abc"]
    said = {"b,a": "Same bad", "a,c": "Same good"}
    value = {"instruction": "q", "candidates": answers, "cmp_results": said}
    assert to_mixinstruct(read_record(value)).cmp_results == said
    more = value | {"scores": {"judge": [1, 1, 2]}}
    assert to_mixinstruct(read_record(more)).cmp_results == said | {"b,c": "B is better"}


def test_answers_without_a_name_of_their_own_get_one():
    answers = ["x", {"text": "y", "model": "m"}, {"text": "z", "model": "m"}]
    told = [{"a": 0, "b": 2, "winner": "a"}]
    record = read_record({"instruction": "q", "candidates": answers, "judgements": told})
    made = to_mixinstruct(record)
    assert made.models == ("answer 0", "m #1", "m #2")
    assert made.cmp_results == {"answer 0,m #2": "A is better"}
