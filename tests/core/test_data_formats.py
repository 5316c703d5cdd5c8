"""Preference data in the formats of public data: nothing doubled, nothing dropped."""

import numpy as np
import pytest

from blender_core.data import read_record, read_records
from blender_core.data.pairs import from_pair, to_pairs
from blender_core.errors import InputError


def says(role, content):
    return {"role": role, "content": content}


def texts_of(record):
    return record.instruction, *(answer.text for answer in record.candidates)


SYSTEM, FIRST, REPLY, LAST = (
    says("system", "Be brief."),
    says("user", "Hi"),
    says("assistant", "Hello."),
    says("user", "2 + 2?"),
)
TURNS = [FIRST, REPLY, LAST]
ASKED = "User: Hi\nAssistant: Hello.\nUser: 2 + 2?"
BRIEF = f"Be brief.\n\n{ASKED}"
YES, NO = [says("assistant", "4")], [says("assistant", "5")]


def share_gpt(messages):
    names = {"user": "human", "assistant": "gpt", "system": "system"}
    return [{"from": names[m["role"]], "value": m["content"]} for m in messages]


def whole(*turns):
    return {"chosen": [*turns, *YES], "rejected": [*turns, *NO]}


HH = "\n\nHuman: Hi\n\nAssistant: Hello.\n\nHuman: 2 + 2?\n\nAssistant:"

CASES = {
    "the prompt is the last turn": ({"prompt": "2 + 2?"} | whole(*TURNS), ASKED),
    "the prompt is the last message": ({"prompt": [LAST]} | whole(*TURNS), ASKED),
    "the prompt is the first turn": ({"prompt": "Hi"} | whole(*TURNS), ASKED),
    "the prompt is all of it": ({"prompt": TURNS} | whole(*TURNS), ASKED),
    "the sides repeat the last turn": ({"prompt": TURNS} | whole(LAST), ASKED),
    "the sides go on": ({"prompt": TURNS[:2]} | whole(LAST), ASKED),
    "a blank behind the prompt": ({"prompt": "2 + 2? \n"} | whole(LAST), "2 + 2?"),
    "a system in the sides alone": ({"prompt": "2 + 2?"} | whole(SYSTEM, *TURNS), BRIEF),
    "a system in the prompt alone": ({"prompt": [SYSTEM, *TURNS]} | whole(*TURNS), BRIEF),
    "a system everywhere": (
        {"prompt": [SYSTEM, *TURNS], "system": "Be brief."} | whole(SYSTEM, *TURNS),
        BRIEF,
    ),
    "a system of its own": (
        {"system": "Be brief.", "question": "2 + 2?", "chosen": "4", "rejected": "5"},
        "Be brief.\n\n2 + 2?",
    ),
    "ShareGPT, one message a side": (
        {"conversations": share_gpt(TURNS), "chosen": share_gpt(YES)[0]}
        | {"rejected": share_gpt(NO)[0]},
        ASKED,
    ),
    "ShareGPT, whole": (
        {"chosen": share_gpt([*TURNS, *YES]), "rejected": share_gpt([*TURNS, *NO])},
        ASKED,
    ),
    "messages with an answer beside the sides": (
        {"messages": [*TURNS, *YES]} | whole(*TURNS),
        ASKED,
    ),
    "blocks": (
        {"prompt": [says("user", [{"type": "text", "text": "2 + 2?"}])]}
        | {"chosen": [says("assistant", [{"type": "text", "text": "4"}])], "rejected": NO},
        "2 + 2?",
    ),
    "a dialogue as prompt": ({"prompt": HH, "chosen": "4", "rejected": "5"}, ASKED),
    "a dialogue as prompt and in the sides": (
        {"prompt": HH, "chosen": f"{HH} 4", "rejected": f"{HH} 5"},
        ASKED,
    ),
    "a question that the answers repeat": (
        {"prompt": "2 + 2?", "chosen": "4", "rejected": "5"},
        "2 + 2?",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_no_turn_is_doubled_or_dropped(name):
    value, asked = CASES[name]
    assert texts_of(read_record(value)) == (asked, "4", "5")


def test_answers_that_begin_like_their_question_are_left_whole():
    record = read_record({"prompt": "Hi", "chosen": "Hi there!", "rejected": "Hi you."})
    assert texts_of(record) == ("Hi", "Hi there!", "Hi you.")


def test_texts_without_a_prompt_share_it_as_trl_has_it():
    record = read_record({"chosen": "The sky is blue.", "rejected": "The sky is green."})
    assert texts_of(record) == ("The sky is", " blue.", " green.")
    with pytest.raises(InputError, match="is the question in 'title'"):
        read_record({"title": "Of the sky", "chosen": "It is blue", "rejected": "It is green"})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"prompt": "a", "instruction": "b"}, "'prompt' and 'instruction' are both there"),
        ({"prompt": "a", "candidates": ["x"]}, "'candidates' stands beside 'chosen'"),
        ({"prompt": "a", "judgements": []}, "'judgements' stands beside 'chosen'"),
        ({"prompt": "a", "margin": "much"}, "'margin' must be a number, got 'much'"),
        ({"prompt": "a", "margin": True}, "'margin' must be a number, got True"),
        ({"prompt": "a", "margin": -1}, "'margin' is -1: the chosen answer would be the worse"),
        ({"prompt": "a", "chosen_model": 3}, "'chosen_model' must be a text"),
        ({"prompt": "a", "rejected-model": 3}, "'rejected-model' must be a text"),
        ({"prompt": "a", "system": ["s"]}, "'system' must be a text"),
        ({"prompt": [SYSTEM, LAST], "system": "Be kind."}, "'system' is another one"),
        ({"prompt": "a", "scores": [8, 3]}, "'scores' must be an object"),
    ],
)
def test_a_clash_is_told_by_the_datas_own_key(value, reason):
    with pytest.raises(InputError) as caught:
        read_record({"chosen": "x", "rejected": "y"} | value)
    assert reason in str(caught.value)


def test_different_systems_clash():
    sides = {"chosen": [SYSTEM, LAST, *YES], "rejected": [says("system", "Rave."), LAST, *NO]}
    with pytest.raises(InputError, match="have different system messages"):
        read_record(sides)


@pytest.mark.parametrize("margin", [0.25, 1.0, 3, 41.5])
def test_a_margin_of_any_size_is_kept(margin):
    record = read_record({"prompt": "q", "chosen": "a", "rejected": "b", "margin": margin})
    assert record.preferences()[0, 1] == 0.5 + min(margin, 1.0) / 2
    (pair,) = to_pairs(record)
    assert pair["margin"] == margin
    assert read_record(pair).preferences()[0, 1] == record.preferences()[0, 1]


def test_the_same_text_twice_is_no_preference():
    record = read_record({"prompt": "q", "chosen": "a", "rejected": "a"})
    assert np.isnan(record.preferences()[0, 1])
    assert list(to_pairs(record)) == []
    rated = {"instruction": "q", "candidates": ["a", "b", "a"], "scores": {"s": [3, 2, 1]}}
    pairs = [(pair["chosen"], pair["rejected"]) for pair in to_pairs(read_record(rated))]
    assert pairs == [("a", "b"), ("b", "a")]


def test_pairs_of_one_question_may_share_its_id(tmp_path):
    path = tmp_path / "a.jsonl"
    line = '{{"id": 1, "prompt": "{}", "chosen": "{}", "rejected": "z"}}\n'
    path.write_text(line.format("q", "a") + line.format("q", "b"))
    assert [record.id for record in read_records(path)] == [1, 1]
    path.write_text(line.format("q", "a") + line.format("r", "b"))
    with pytest.raises(InputError, match="the id 1 was there in line 1 already"):
        list(read_records(path))


# --- many judged answers -----------------------------------------------------------------------


def test_ultrafeedback():
    def completion(model, text, overall, rating):
        return {
            "model": model,
            "response": text,
            "overall_score": overall,
            "annotations": {"honesty": {"Rating": rating}},
        }

    value = {
        "source": "sharegpt",
        "instruction": "Hi?",
        "models": ["a", "b", "c"],
        "completions": [
            completion("a", "Yes", 8.5, "5"),
            completion("b", "No", 3.0, "2"),
            completion("c", "Well", 8.5, "N/A"),
        ],
    }
    record = read_record(value)
    assert texts_of(record) == ("Hi?", "Yes", "No", "Well")
    assert record.models == ("a", "b", "c")
    assert record.scores == {"overall_score": [8.5, 3.0, 8.5]}
    assert record.preferences()[0].tolist() == [0.5, 1.0, 0.5]
    for one in value["completions"]:
        del one["overall_score"]
    record = read_record(value)
    assert record.scores == {"honesty": [5.0, 2.0, None]}
    assert record.preferences()[1, 0] == 0.0
    assert record.source == "sharegpt"


def test_nectar():
    answers = [
        {"answer": text, "model": model, "rank": rank}
        for text, model, rank in (("Well", "c", 3.0), ("Yes", "a", 1.0), ("No", "b", 2.0))
    ]
    record = read_record(
        {"prompt": "\n\nHuman: Hi?\n\nAssistant: ", "answers": answers, "turns": 1}
    )
    assert texts_of(record) == ("Hi?", "Well", "Yes", "No")
    assert record.models == ("c", "a", "b")
    assert record.preferences()[1].tolist() == [1.0, 0.5, 1.0]
    assert record.model_extra == {"turns": 1}


def test_unified_feedback():
    value = {"conv_A": [*TURNS, *YES], "conv_B": [*TURNS, *NO], "source": "x"}
    record = read_record(value | {"conv_A_rating": 1.0, "conv_B_rating": 0.0})
    assert texts_of(record) == (ASKED, "4", "5")
    assert record.preferences()[0, 1] == 1.0
    tied = read_record(value | {"conv_A_rating": 1.0, "conv_B_rating": 1.0})
    assert tied.preferences()[0, 1] == 0.5
    with pytest.raises(InputError, match="'conv_B' must answer the prompt"):
        read_record(value | {"conv_B": [*TURNS, FIRST], "conv_A_rating": 1.0})


def test_reward_bench_and_its_lists_of_answers():
    value = {"prompt": "2 + 2?", "chosen": "4", "rejected": "5", "subset": "math", "id": 3}
    record = read_record(value | {"chosen_model": "m", "rejected_model": "n"})
    assert (record.models, record.model_extra) == (("m", "n"), {"subset": "math"})
    many = read_record(value | {"chosen": ["4", "It is 4."], "rejected": ["5", "6"]})
    assert texts_of(many) == ("2 + 2?", "4", "It is 4.", "5", "6")
    assert many.preferences()[:2, 2:].tolist() == [[1.0, 1.0], [1.0, 1.0]]
    assert np.isnan(many.preferences()[0, 1])


def test_chatbot_arena():
    value = {
        "conversation_a": [*TURNS, *YES],
        "conversation_b": [*TURNS, *NO],
        "model_a": "m",
        "model_b": "n",
    }
    for winner, points in (("model_a", 1.0), ("model_b", 0.0), ("tie (bothbad)", 0.5)):
        record = read_record(value | {"winner": winner})
        assert texts_of(record) == (ASKED, "4", "5")
        assert record.models == ("m", "n")
        assert record.preferences()[0, 1] == points
    with pytest.raises(InputError, match="'winner' must be model_a"):
        read_record(value | {"winner": "nobody"})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"completions": [{"response": "x"}]}, "'prompt' is missing"),
        ({"prompt": "q", "completions": ["x"]}, "'completions[0]' must be an object"),
        (
            {"prompt": "q", "completions": [{"response": "x", "overall_score": "good"}]},
            "'completions[0].overall_score' must be a number",
        ),
        (
            {"prompt": "q", "answers": [{"text": "x"}]},
            "'answers[0]' must be an object with 'answer'",
        ),
        (
            {"prompt": "q", "answers": [{"answer": "x", "rank": "first"}]},
            "'answers[0].rank' must be a number",
        ),
    ],
)
def test_what_is_wrong_with_them_is_told_by_their_own_keys(value, reason):
    with pytest.raises(InputError) as caught:
        read_record(value)
    assert reason in str(caught.value)


def test_from_pair_reads_pairs_alone():
    with pytest.raises(InputError, match="'chosen' or 'rejected' is missing"):
        from_pair({"prompt": "q", "completions": []})
