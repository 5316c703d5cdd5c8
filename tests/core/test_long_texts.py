"""Answers of a megabyte: what is read of them, and how long it takes."""

from __future__ import annotations

import math
import random
import time

import pytest

from blender_core.comparison.late.style import style
from blender_core.ranking.similarity import SIMILARITIES, bleu, chrf, jaccard, rouge_l
from blender_core.ranking.similarity.tokens import tokens

LENGTH = 1_000_000
DRAW = random.Random(0)
LETTERS = "abcdefghijklmnop"
WORDS = ["".join(DRAW.choices(LETTERS, k=DRAW.randint(2, 9))) for _ in range(5_000)]
CHARACTERS = [chr(code) for code in range(0x4E00, 0x9FFF)]

LONG = {
    "words": [" ".join(DRAW.choices(WORDS, k=180_000))[:LENGTH] for _ in range(3)],
    "no words": ["".join(DRAW.choices(LETTERS, k=LENGTH)) for _ in range(3)],
    "no spaces": ["".join(DRAW.choices(CHARACTERS, k=LENGTH)) for _ in range(3)],
    **{
        name: [f"{unit * (LENGTH // len(unit))}{place}" for place in range(3)]
        for name, unit in {
            "one letter": "a",
            "question marks": "?",
            "short words": "a b ",
            "formulas": r"\boxed{\boxed{}",
            "white space": "a" + "\n " * 50_000,
            "marks out of order": "\u0345\u0301\u0323",
            "eighteen letters in one": "\ufdfa",
        }.items()
    },
}


@pytest.mark.parametrize("kind", LONG)
@pytest.mark.parametrize("name", SIMILARITIES)
def test_three_answers_of_a_megabyte_take_less_than_two_seconds(name, kind):
    start = time.thread_time()
    matrix = SIMILARITIES[name](LONG[kind])
    assert time.thread_time() - start < 2.0
    assert ((matrix >= 0.0) & (matrix <= 1.0)).all()


def test_marks_out_of_order_are_composed_in_linear_time():
    start = time.thread_time()
    assert tokens("a" + "\u0345\u0301\u0327\u05b0" * 4_900)
    assert time.thread_time() - start < 0.1


def test_both_ends_of_a_long_answer_are_read():
    middle = "filler " * 10_000
    texts = [f"Berlin. {middle} Yes.", f"Berlin. {middle} No.", f"Paris. {middle} Yes."]
    for similarity in (jaccard, chrf, rouge_l):
        matrix = similarity(texts)
        assert matrix[0, 1] < 1.0
        assert matrix[0, 2] < 1.0
    assert jaccard([texts[0], texts[0].replace("filler filler filler", "filler", 1)])[0, 1] == 1.0


@pytest.mark.parametrize("similarity", [jaccard, chrf, rouge_l, bleu])
def test_a_long_answer_that_is_nearly_blank_is_one_of_words(similarity):
    blank = " " * 50_000
    matrix = similarity([f"{blank}Answer: 42{blank}", "Answer: 42", "Answer: 41"])
    assert matrix[0, 1] == pytest.approx(1.0)
    assert matrix[0, 2] < 1.0


@pytest.mark.parametrize("text", ["?" * 19_999 + ":", *(texts[0] for texts in LONG.values())])
def test_the_style_of_a_long_answer_is_read_at_once(text):
    start = time.thread_time()
    style("q", text)
    assert time.thread_time() - start < 0.5


@pytest.mark.parametrize(
    ("text", "sentences"),
    [("One. Two! Three?", 3), ("What?! No... Yes", 2), ("3.5 is e.g. x", 1), ("你好。是！ ", 1)],
)
def test_a_sentence_ends_once_however_many_marks_end_it(text, sentences):
    figures = style("q", text)
    assert figures[2] == pytest.approx(math.log1p(sentences))
