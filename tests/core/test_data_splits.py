"""Near duplicates, splits that have none between them, and figures about records."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_core.data import read_record, read_records
from blender_core.data.near_duplicates import groups, matches
from blender_core.data.splits import overlaps, question, split
from blender_core.data.stats import as_json, stats
from blender_core.errors import InputError

RECORDS = Path(__file__).parents[1] / "data" / "records.jsonl"

STORY = "the cat sat on a mat and saw how seven grey mice went by without any hurry at all"
WORDS = STORY.split()


def asking(*questions, **more):
    return [
        read_record({"id": place, "instruction": text, "candidates": ["x", "yy"]} | more)
        for place, text in enumerate(questions)
    ]


def jaccard(a, b):
    """Of the runs of three words, written down a second time."""

    def runs(text):
        words = text.split()
        return {tuple(words[i : i + 3]) for i in range(max(len(words) - 2, 1))}

    return len(runs(a) & runs(b)) / len(runs(a) | runs(b))


def test_near_duplicates_are_found_and_others_are_not():
    near = STORY.replace("hurry", "haste")
    far = " ".join(WORDS[:9] + WORDS[:9:-1])
    texts = [STORY, "What is 2 + 2?", near, STORY.upper() + "!", far, "", "?!", "  what is 2 2 "]
    assert groups(texts) == [0, 1, 0, 0, 4, 5, 6, 1]
    assert groups(texts, threshold=1.0) == [0, 1, 2, 0, 4, 5, 6, 1]
    assert groups([]) == []
    found = list(matches([STORY, far], [near, "new"]))
    assert [(match.first, match.second) for match in found] == [(0, 0)]
    assert found[0].similarity == pytest.approx(jaccard(STORY, near))


def test_near_duplicates_of_near_duplicates_stay_together():
    chain = [STORY, f"{STORY} {STORY[::-1][:12]}", f"{STORY} {STORY[::-1][:12]} one two three"]
    assert jaccard(chain[0], chain[2]) < 0.75 <= min(jaccard(*chain[:2]), jaccard(*chain[1:]))
    assert groups(chain, threshold=0.75) == [0, 0, 0]


def test_all_close_pairs_among_many_are_found():
    random.seed(0)
    words = [f"w{i}" for i in range(500)]
    texts = []
    for _ in range(60):
        text = random.choices(words, k=60)
        changed = list(text)
        for place in random.sample(range(60), 2):
            changed[place] = "other"
        texts += [" ".join(text), " ".join(changed)]
    close = {
        (i, j)
        for i in range(len(texts))
        for j in range(i + 1, len(texts))
        if jaccard(texts[i], texts[j]) >= 0.7
    }
    assert len(close) > 40
    told = groups(texts)
    assert {
        (i, j) for i in range(len(texts)) for j in range(i + 1, len(texts)) if told[i] == told[j]
    } == close


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_like_itself(text):
    assert groups(["something else entirely", text, text])[2] == 1


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.1, float("nan")])
def test_thresholds_that_mean_nothing_are_refused(threshold):
    with pytest.raises(InputError, match="threshold must be above 0 and at most 1"):
        groups(["a"], threshold)


# --- splits ----------------------------------------------------------------------------------


def many():
    questions = [f"Tell me about topic number {place} and why" for place in range(200)]
    return asking(*questions, *questions[:50], *(f"{text}!" for text in questions[50:80]))


def test_a_split_has_its_shares_and_no_question_twice():
    records = many()
    parts = split(records, {"dev": 0.1, "test": 0.2})
    sizes = {name: len(part) for name, part in parts.items()}
    assert list(sizes) == ["train", "dev", "test"]
    assert sum(sizes.values()) == len(records) == 280
    assert 26 <= sizes["dev"] <= 28
    assert 54 <= sizes["test"] <= 56
    assert overlaps(parts) == []
    assert [record.id for record in parts["train"]] == sorted(r.id for r in parts["train"])


def test_a_split_depends_on_the_seed_and_not_on_the_order():
    records = many()
    shuffled = random.Random(1).sample(records, len(records))
    shares = {"dev": 0.1, "test": 0.1}

    def division(records, seed):
        parts = split(records, shares, seed=seed)
        return {name: sorted(record.id for record in part) for name, part in parts.items()}

    assert division(records, 0) == division(shuffled, 0)
    assert division(records, 0) != division(records, 1)


def test_a_group_larger_than_a_share_goes_to_train():
    records = asking(*["the same question"] * 9, "another one entirely")
    parts = split(records, {"dev": 0.1})
    assert [len(part) for part in parts.values()] == [9, 1]


@pytest.mark.parametrize("shares", [{"dev": 1.0}, {"dev": 0.6, "test": 0.5}, {"dev": -0.1}])
def test_shares_that_leave_nothing_are_refused(shares):
    with pytest.raises(InputError, match="must be above 0 and leave something for train"):
        split([], shares)


def test_overlaps_name_both_records():
    old = asking("What is the capital of France?", STORY)
    new = asking("Something new", STORY.replace("hurry", "haste"), STORY)
    near, same = overlaps({"old": old, "new": new})
    assert near.parts == ("old", "new")
    assert [question(record) for record in near.records] == [STORY, question(new[1])]
    assert 0.7 <= near.similarity < same.similarity == 1.0


# --- figures ---------------------------------------------------------------------------------


def test_figures_by_hand():
    answers = [{"text": "x" * 10, "model": "m"}, {"text": "x" * 20, "model": "m"}, "y", " "]
    told = [
        {"a": 0, "b": 1, "winner": "b"},  # the longer one
        {"a": 1, "b": 2, "winner": "b"},  # the shorter one
        {"a": 2, "b": 3, "winner": "a"},  # as long
        {"a": 0, "b": 2, "winner": "tie"},
    ]
    value = {"instruction": "q", "candidates": answers, "judgements": told, "licence": "MIT"}
    first = read_record(value | {"output": "r"})
    second = read_record({"instruction": "q", "candidates": ["same", "same", "same"]})
    figures = stats([first, second], similar=0.7)
    assert (figures.records, figures.answers, figures.references) == (2, 7, 1)
    assert figures.models == {"m": 2, "": 5}
    assert figures.licences == {"MIT": 1, "": 1}
    assert (figures.empty_answers, figures.repeated_answers) == (1, 2)
    assert (figures.repeated_questions, figures.near_questions) == (1, 1)
    assert (figures.decided, figures.ties, figures.unknown) == (3, 1, 5)
    assert (figures.longer, figures.longer_wins) == (2, 1)
    assert (figures.share_of_longer_wins, figures.share_of_ties) == (0.5, 0.25)
    assert (figures.answers_a_record.mean, figures.answers_a_record.largest) == (3.5, 4)
    assert figures.answer_characters.median == 4
    said = as_json(figures)
    assert list(said["models"]) == ["", "m"]
    assert said["share_of_ties"] == 0.25


def test_figures_of_nothing():
    figures = stats([])
    assert (figures.records, figures.share_of_longer_wins, figures.share_of_ties) == (0, None, None)


def test_figures_of_real_records():
    figures = stats(read_records(RECORDS), similar=0.7)
    assert (figures.records, figures.repeated_questions) == (12, 2)
    assert figures.near_questions == 2
    assert figures.empty_answers == 1
    assert figures.decided > 100


@pytest.mark.parametrize("share", [float("nan"), float("inf"), 0.0, -0.1, 1.0])
def test_shares_that_are_none_are_refused(share):
    with pytest.raises(InputError, match="shares must be above 0"):
        split([], {"dev": share})
