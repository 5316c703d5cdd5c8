"""Records: every field is checked, and what judges said becomes preferences."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_core.data import (
    Answer,
    Judgement,
    Record,
    cmp_results_of,
    comparison_matrix,
    comparisons,
    gpt_ranks,
    read_record,
    read_records,
)
from blender_core.data.comparisons import CMP_RESULTS
from blender_core.data.pairs import from_pair
from blender_core.data.records import as_value
from blender_core.errors import InputError

RECORDS = Path(__file__).parents[1] / "data" / "records.jsonl"

MIXINSTRUCT = {
    "id": "unified_chip2/69962",
    "instruction": "",
    "input": "I've always wondered what the difference is between a skeptic and a denier.",
    "output": "A skeptic is someone who questions the validity of something.",
    "candidates": [
        {
            "decoding_method": "top_p_sampling",
            "model": model,
            "text": f"Answer of {model}.",
            "scores": {"logprobs": -0.024, "bleu": 5.65, "bertscore": 0.73, "rouge1": 0.2},
        }
        for model in ("oasst-sft-4", "koala-7B-HF", "flan-t5-xxl")
    ],
    "cmp_results": json.dumps(
        {
            "oasst-sft-4,koala-7B-HF": "A is better",
            "oasst-sft-4,flan-t5-xxl": "Same bad",
            "koala-7B-HF,flan-t5-xxl": "B is better",
        }
    ),
}


def but(**changes):
    return MIXINSTRUCT | changes


def test_a_record_of_mixinstruct():
    record = read_record(MIXINSTRUCT)
    assert record.models == ("oasst-sft-4", "koala-7B-HF", "flan-t5-xxl")
    assert record.candidates[0].decoding_method == "top_p_sampling"
    assert record.to_task().source == MIXINSTRUCT["input"]
    np.testing.assert_array_equal(record.score("bertscore"), [0.73] * 3)
    assert np.isnan(record.score("bartscore")).all()
    as_object = read_record(but(cmp_results=json.loads(MIXINSTRUCT["cmp_results"])))
    assert as_object == record
    for nothing in (None, "", "{}", {}):
        assert read_record(but(cmp_results=nothing)).cmp_results is None


def test_unread_keys_are_carried_along():
    value = but(content_warning=True)
    value["candidates"] = [{"text": "a", "temperature": 0.5}]
    value["cmp_results"] = None
    record = read_record(value)
    assert record.model_extra == {"content_warning": True}
    assert record.candidates[0].model_extra == {"temperature": 0.5}


ONE = {"instruction": "q", "candidates": ["a", "b"]}

WRONG = [
    ([1], "not a JSON object but a list"),
    (ONE | {"instruction": " \n"}, "'instruction' and 'input' are both empty"),
    (ONE | {"output": 3}, "'output' must be a text, not a number"),
    (
        ONE | {"candidates": [{"text": "a", "decoding_method": 1}]},
        "decoding_method' must be a text",
    ),
    (ONE | {"candidates": [{"text": "a", "scores": {"x": float("nan")}}]}, "finite number"),
    (ONE | {"scores": {"x": [1.0]}}, "'scores.x' has 1 numbers for 2 answers"),
    (ONE | {"scores": {"x": [1.0, "2"]}}, "'scores.x[1]' must be a number, not a text"),
    (ONE | {"scores": [1, 2]}, "'scores' must be an object, not a list"),
    (ONE | {"licence": ["MIT"]}, "'licence' must be a text, not a list"),
    (ONE | {"judgements": [3]}, "'judgements[0]' must be an object, not a number"),
    (
        ONE | {"judgements": [{"a": 0, "b": 1, "winner": "c"}]},
        "'judgements[0].winner' is 'c'; known: 'a', 'b', 'tie'",
    ),
    (ONE | {"judgements": [{"a": 0, "b": 2, "winner": "a"}]}, "the last of the 2 is 1"),
    (ONE | {"judgements": [{"a": 1, "b": 1, "winner": "a"}]}, "compares answer 1 with itself"),
    (
        ONE | {"judgements": [{"a": True, "b": 1, "winner": "a"}]},
        "'judgements[0].a' must be a whole number, not true or false",
    ),
    (
        ONE | {"judgements": [{"a": 0, "b": 1, "winner": "a", "strength": 2}]},
        "'judgements[0].strength' must be less than or equal to 1, got 2",
    ),
    (but(cmp_results="{"), "'cmp_results': not JSON: "),
    (but(cmp_results="[1]"), "'cmp_results' must be an object, not a list"),
    (
        but(cmp_results={"oasst-sft-4,koala-7B-HF": "A wins"}),
        "is 'A wins'; known: 'A is better', 'B is better', 'Same good', 'Same bad'",
    ),
    (
        but(cmp_results={"oasst-sft-4,gpt-5": "Same good"}),
        "'cmp_results': 'oasst-sft-4,gpt-5': there is no answer of the model 'gpt-5'",
    ),
    (ONE | {"cmp_results": {"x,y": "Same good"}}, "there is no answer of the model 'x'"),
]


@pytest.mark.parametrize(("value", "reason"), WRONG, ids=[reason for _, reason in WRONG])
def test_what_is_wrong_is_named(value, reason):
    with pytest.raises(InputError) as caught:
        read_record(value)
    assert reason in str(caught.value)


def test_all_faults_of_a_record_are_named_at_once():
    with pytest.raises(InputError) as caught:
        read_record({"instruction": 1, "candidates": []})
    assert str(caught.value) == (
        "'instruction' must be a text, not a number; 'candidates' is empty"
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "a", "0,1"]),
    lambda parts: (
        st.lists(parts, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["text", "model", "scores", "a", "b", "winner", "role", "content", "a,b"]
            ),
            parts,
            max_size=4,
        )
    ),
    max_leaves=8,
)
FIELDS = ["id", "instruction", "input", "output", "candidates", "cmp_results", "judgements"]
FIELDS += ["scores", "licence", "prompt", "chosen", "rejected", "margin", "to_task", "model_dump"]


@given(st.dictionaries(st.sampled_from(FIELDS), JSON) | JSON, st.booleans())
def test_any_json_is_a_record_or_bad_input(value, valid_core):
    if valid_core and isinstance(value, dict):
        value = value | {"instruction": "q", "candidates": ["a", {"text": "b", "model": "b"}]}
    for read in (read_record, from_pair):
        try:
            record = read(value)
        except InputError:
            continue
        assert record.preferences().shape == (len(record.candidates),) * 2
        assert read_record(as_value(record)) == record


# --- cmp_results -----------------------------------------------------------------------------


def test_names_with_commas_are_found_where_there_is_only_one_way():
    (told,) = comparisons({"a,b,c": "A is better"}, ["a,b", "c"])
    assert (told.a, told.b, told.points) == (0, 1, 1.0)
    with pytest.raises(InputError, match="can be split into two models in 2 ways"):
        comparisons({"a,b,c": "A is better"}, ["a,b", "c", "a", "b,c"])
    with pytest.raises(InputError, match="does not name two of the models"):
        comparisons({"a,b,d": "A is better"}, ["a,b", "c"])
    with pytest.raises(InputError, match="does not name two of the models"):
        comparisons({"a": "A is better"}, ["a", "b"])
    with pytest.raises(InputError, match="compares a model with itself"):
        comparisons({"a,a": "A is better"}, ["a", "b"])
    with pytest.raises(InputError, match="which of the 2 answers of 'a'"):
        comparisons({"a,b": "A is better"}, ["a", "b", "a"])
    with pytest.raises(InputError, match="unknown verdict 'better'; known: 'A is better'"):
        comparisons({"a,b": "better"}, ["a", "b"])


def test_the_matrix_by_hand():
    matrix = comparison_matrix(
        {"a,b": "A is better", "b,a": "Same good", "c,a": "A is better"}, ["a", "b", "c"]
    )
    nan = np.nan
    expected = [[0.5, 0.75, 0.0], [0.25, 0.5, nan], [1.0, nan, 0.5]]
    np.testing.assert_array_equal(matrix, np.array(expected, dtype=np.float32))


@st.composite
def matrices(draw):
    """What a judge may say of up to six answers: wins, ties, and pairs never judged."""
    count = draw(st.integers(1, 6))
    matrix = np.full((count, count), 0.5, dtype=np.float32)
    for i in range(count):
        for j in range(i + 1, count):
            value = draw(st.sampled_from([0.0, 0.5, 1.0, np.nan]))
            matrix[i, j], matrix[j, i] = value, 1.0 - value
    return matrix


@given(matrices(), st.sampled_from(["Same good", "Same bad"]))
def test_matrix_to_cmp_results_and_back(matrix, tie):
    models = [f"model-{place}" for place in range(len(matrix))]
    said = cmp_results_of(matrix, models, tie=tie)
    np.testing.assert_array_equal(comparison_matrix(said, models), matrix)
    assert cmp_results_of(comparison_matrix(said, models), models, tie=tie) == said


@given(st.data())
def test_cmp_results_survive_a_record(data):
    models = data.draw(st.lists(st.text("ab,", min_size=1), min_size=2, max_size=4, unique=True))
    keys = [f"{a},{b}" for a in models for b in models if a != b]
    said = data.draw(st.dictionaries(st.sampled_from(keys), st.sampled_from(CMP_RESULTS)))
    answers = [{"text": "x", "model": model} for model in models]
    value = {"instruction": "q", "candidates": answers, "cmp_results": json.dumps(said)}
    try:
        told = comparisons(said, models)
    except InputError:
        with pytest.raises(InputError):
            read_record(value)
        return
    assert {f"{models[t.a]},{models[t.b]}": t.verdict for t in told} == said
    assert (read_record(value).cmp_results or {}) == said


def test_cmp_results_need_names_that_can_be_read_back():
    matrix = np.array([[0.5, 1.0], [0.0, 0.5]])
    with pytest.raises(InputError, match="'x,x' compares a model with itself"):
        cmp_results_of(matrix, ["x", "x"])
    with pytest.raises(InputError, match=r"shape \(2, 2\) does not fit 3 models"):
        cmp_results_of(matrix, ["x", "y", "z"])


# --- GPT-Rank --------------------------------------------------------------------------------


def test_gpt_rank_by_hand():
    models = ["a", "b", "c", "d"]
    said = {"a,b": "A is better", "a,c": "A is better", "a,d": "A is better"}
    said |= {"b,c": "Same good", "b,d": "Same bad", "c,d": "B is better"}
    # points: a 3, b 1, c 0.5, d 1.5
    np.testing.assert_array_equal(gpt_ranks(comparison_matrix(said, models)), [1, 3, 4, 2])
    # points: a 2.5, b and d 1, c 1.5
    said |= {"c,d": "A is better", "a,d": "Same bad"}
    np.testing.assert_array_equal(gpt_ranks(comparison_matrix(said, models)), [1, 3, 2, 3])


def test_gpt_rank_leaves_out_what_was_never_compared():
    said = {"a,c": "B is better"}
    ranks = gpt_ranks(comparison_matrix(said, ["a", "b", "c"]))
    np.testing.assert_array_equal(ranks, [2, np.nan, 1])
    assert np.isnan(gpt_ranks(np.array([[0.5]]))).all()


@given(matrices(), st.randoms())
def test_gpt_rank_does_not_depend_on_the_order_of_the_answers(matrix, random):
    order = list(range(len(matrix)))
    random.shuffle(order)
    shuffled = gpt_ranks(matrix[np.ix_(order, order)])
    np.testing.assert_array_equal(shuffled, gpt_ranks(matrix)[order])


# --- preferences -----------------------------------------------------------------------------


def record_of(count, **known):
    return Record(instruction="q", candidates=[Answer(text=str(i)) for i in range(count)], **known)


def test_judges_are_averaged_and_strength_counts():
    told = [
        Judgement(a=0, b=1, winner="a", judge="x"),
        Judgement(a=1, b=0, winner="a", judge="y"),
        Judgement(a=1, b=0, winner="b", judge="z"),
        Judgement(a=2, b=0, winner="a", strength=0.5),
        Judgement(a=1, b=2, winner="tie"),
    ]
    preferences = record_of(3, judgements=told).preferences()
    assert preferences.dtype == np.float32
    expected = [[0.5, 2 / 3, 0.25], [1 / 3, 0.5, 0.5], [0.75, 0.5, 0.5]]
    np.testing.assert_allclose(preferences, expected, atol=1e-6)


def test_scores_fill_only_what_no_judge_has_said():
    told = [Judgement(a=0, b=1, winner="b")]
    record = record_of(3, judgements=told, scores={"x": [9, 1, 1], "y": [1, 1, None]})
    expected = [[0.5, 0, 1], [1, 0.5, 0.5], [0, 0.5, 0.5]]
    np.testing.assert_array_equal(record.preferences(), expected)
    np.testing.assert_array_equal(record.preferences(names=["y"])[2], [np.nan, np.nan, 0.5])
    assert np.isnan(record.preferences(names=[])[0, 2])


def test_a_scale_makes_preferences_soft():
    record = record_of(3, scores={"judge": [8.0, 6.0, None]})
    soft = record.preferences(scales={"judge": 2.0})
    assert soft[0, 1] == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert soft[0, 1] + soft[1, 0] == 1.0
    assert np.isnan(soft[0, 2])
    far = record_of(2, scores={"judge": [1e9, -1e9]}).preferences(scales={"judge": 1e-9})
    np.testing.assert_array_equal(far, [[0.5, 1.0], [0.0, 0.5]])


def test_the_answers_own_scores_are_asked_by_name():
    answers = [Answer(text="a", scores={"bleu": 1.0}), Answer(text="b", scores={"bleu": 2.0})]
    record = Record(instruction="q", candidates=answers)
    assert np.isnan(record.preferences()[0, 1])
    assert record.preferences(names=["bleu"])[0, 1] == 0.0


def test_preferences_of_real_records():
    for record in read_records(RECORDS):
        preferences = record.preferences()
        known = ~np.isnan(preferences)
        assert known.any()
        np.testing.assert_array_equal(known, known.T)
        np.testing.assert_allclose((preferences + preferences.T)[known], 1.0, atol=1e-6)
        assert record.source
        assert record.licence
        assert record.licence.startswith(("Apache-2.0", "MIT"))
