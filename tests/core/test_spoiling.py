"""Spoilt answers: deterministic, never the good one, and spoilt in the way that was asked for."""

from __future__ import annotations

import json
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_core.comparison.worth.signs.asked import asked_amounts
from blender_core.data.spoiling import SPOILINGS, Case, spoil
from blender_core.data.spoiling.pieces import sentences, topic, words
from blender_core.data.spoiling.scripts import script
from blender_core.data.spoiling.wording import LANGUAGES, wording
from blender_core.errors import InputError

OTHERS = (
    ("Who walked on the moon first?", "It was Neil Armstrong, in July 1969, with Buzz Aldrin."),
    ("水的沸点是多少？", "在一个标准大气压下，水的沸点是一百摄氏度。"),
    ("Name some rivers.", "- the Danube\n- the Nile\n- the Amazon"),
)
CODE = """Here is a function that adds two numbers, and it returns what they make:

```python
def add(first, second):
    if first is None:
        return second
    return first + second
```

Call it with two numbers, for example 1 and 2. Then it returns 3."""
LIST = "Some rivers of Europe:\n\n1. The Danube\n2. The Rhine\n3. The Volga\n\nThese are long."
RAIN = "Rain falls from clouds. They are made of many small drops. It was named by Ada Byron."

SCRIPTS = {"ja": "kana", "ko": "hangul", "ru": "cyrillic", "zh": "han"}
SAID = ("refusal", "non_answer", "self_praise", "question_back", "deferral")
"""Kinds that are said in the language of the answer, and of which nothing is shared by all."""

NOTHING_NEEDED = list(SPOILINGS)[: list(SPOILINGS).index("gibberish") + 1]
GENTLE = ("padded", "contradiction")
"""The answer is all there, among other sentences."""


def answered(text: str, question: str = "What is rain, in short words?", **more: str) -> Case:
    return Case(question, text, OTHERS, **more)


def drawn(kind: str, case: Case, count: int = 60) -> list[str]:
    """Many texts of a kind, of those that apply."""
    texts = (spoil(kind, case, random.Random(seed)) for seed in range(count))
    return [text for text in texts if text is not None]


texts = st.one_of(
    st.text(max_size=300),
    st.text(alphabet="ab 12.,\n`{}[]天東はア", max_size=200),
    st.sampled_from([CODE, LIST, RAIN, "", " ", "42", "```", "雨は水です。空から降ります。"]),
)
cases = st.builds(
    Case,
    question=st.one_of(
        st.text(max_size=80),
        st.sampled_from(
            [
                "Reply in JSON.",
                "In two sentences, name 5 rivers.",
                "in one word",
                "三句话",
                "briefly",
            ]
        ),
    ),
    answer=texts,
    others=st.lists(st.tuples(st.text(max_size=40), texts), max_size=4),
    language=st.sampled_from([None, "en", "de", "it", "ja"]),
)


@pytest.mark.parametrize("kind", SPOILINGS)
@given(case=cases, seed=st.integers(0, 999))
def test_any_text_is_spoilt_or_left_and_twice_in_the_same_way(kind, case, seed):
    text = spoil(kind, case, random.Random(seed))
    assert text == spoil(kind, case, random.Random(seed))
    if text is not None:
        assert text.strip() or kind == "blank"
        assert text.strip() != case.answer.strip()


@pytest.mark.parametrize("kind", NOTHING_NEEDED)
def test_some_kinds_apply_to_every_question(kind):
    assert len(set(drawn(kind, answered(RAIN)))) > 8
    assert len(drawn(kind, Case("What is rain?", "Water."))) == 60


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        *[("broken_code", CODE), ("code_without_text", CODE), ("text_without_code", CODE)],
        *[("changed_numbers", CODE), ("changed_names", RAIN), ("off_topic", RAIN)],
        *[(kind, RAIN) for kind in ("cut_off", "shuffled", "repeated", "padded", "contradiction")],
        *[("markup_noise", RAIN), ("prompt_leak", RAIN), ("other_language", RAIN)],
    ],
)
def test_what_a_kind_needs_is_enough(kind, answer):
    assert drawn(kind, answered(answer))


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        *[("cut_off", "Canberra."), ("shuffled", "Yes, two."), ("changed_numbers", "None.")],
        *[("changed_names", "no names"), ("broken_code", RAIN), ("code_without_text", RAIN)],
        *[("text_without_code", RAIN), ("ignored_json", '{"a": 1}'), ("ignored_count", LIST)],
        *[
            ("ignored_length", CODE),
            ("repeated", " "),
            ("padded", ""),
            ("code_without_text", "``````"),
        ],
    ],
)
def test_what_does_not_apply_is_left(kind, answer):
    assert drawn(kind, Case("What is rain?", answer, OTHERS)) == []


def test_an_unknown_kind_is_a_sentence():
    with pytest.raises(InputError, match=r"'polished' is no way of spoiling; known are refusal, "):
        spoil("polished", answered(RAIN), random.Random(0))


@given(answer=texts, seed=st.integers(0, 999))
def test_what_is_cut_off_is_a_beginning_that_goes_on(answer, seed):
    text = spoil("cut_off", answered(answer), random.Random(seed))
    if text is not None:
        whole = answer.strip()
        assert whole.startswith(text)
        assert 0.14 * len(whole) <= len(text) <= 0.86 * len(whole)
        assert text[-1].isalnum()
        assert whole[len(text)] not in ".!?。！？\n"


@given(answer=texts, seed=st.integers(0, 999))
def test_what_is_shuffled_has_the_same_words_in_the_same_white_space(answer, seed):
    text = spoil("shuffled", answered(answer), random.Random(seed))
    if text is not None:
        if script(answer) not in {"kana", "han"}:
            assert sorted(text.split()) == sorted(answer.split())
        assert sorted(text) == sorted(answer)


@given(answer=texts, seed=st.integers(0, 999))
def test_repeating_makes_no_new_words(answer, seed):
    text = spoil("repeated", answered(answer), random.Random(seed))
    if text is not None and script(answer) == "latin" and len(sentences(answer.strip())) > 1:
        assert set(text.split()[:-1]) <= set(answer.split()) | set(_glued(answer))
        assert len(text) > len(answer.strip()) / 3


def _glued(answer: str) -> list[str]:
    """Words at the end of the whole and of its sentences, which may be cut or meet the next."""
    parts = [part.split() for part in sentences(answer)]
    return [f"{one[-1]}{other[0]}" for one in parts for other in parts if one and other]


@pytest.mark.parametrize("kind", GENTLE)
def test_the_answer_is_still_there_among_what_does_not_belong(kind):
    for text in drawn(kind, answered(RAIN)):
        assert all(part.strip() in text for part in sentences(RAIN))
        assert len(text) > len(RAIN) + 10
    assert all(text.startswith(RAIN) for text in drawn("contradiction", answered(RAIN)))


@pytest.mark.parametrize("kind", SAID)
@pytest.mark.parametrize("language", LANGUAGES)
def test_wordings_are_in_the_language_of_the_answer(kind, language):
    statement = "".join(wording("statements", language).whole[:2])
    guessed = language if language in SCRIPTS else None
    for text in drawn(kind, Case("?", statement, language=None if guessed else language)):
        assert script(text) == SCRIPTS.get(language, "latin")


def test_latin_languages_differ():
    said = {
        language: set(drawn("refusal", Case("?", "x", language=language)))
        for language in ("en", "de", "fr", "es")
    }
    assert not set.intersection(*said.values())
    assert any("tut mir leid" in text for text in said["de"])
    assert any("désolé" in text for text in said["fr"])
    assert any("Lo siento" in text for text in said["es"])
    assert drawn("refusal", Case("?", "x", language="it")) == drawn("refusal", Case("?", "x"))


@pytest.mark.parametrize("kind", ["refusal", "non_answer"])
def test_there_are_many_ways_to_say_nothing(kind):
    assert len(wording(kind, "en").whole) >= 60
    for language in LANGUAGES:
        assert len(wording(kind, language).whole) >= 15
        assert len(set(drawn(kind, Case("?", "x", language=language), 200))) > 60


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_has_every_kind_and_no_slot_stays_open(language):
    kinds = [kind for kind in NOTHING_NEEDED if kind not in {"think_only", "gibberish"}]
    for kind in [*kinds, "padding", "contradiction", "thoughts"]:
        assert len(wording(kind, language).whole) >= 4
    case = Case("Why do the leaves of trees turn red?", "Because.", language=language)
    for kind in [*kinds, "think_only", "padded", "contradiction"]:
        for text in drawn(kind, case, 200):
            assert not {"{topic}", "{question}", "{number}", "{hex}"} & set(text.split())
            assert "{topic}" not in text


def test_another_language_is_another_one():
    for text in drawn("other_language", answered(RAIN, language="en")):
        own = set(wording("statements", "en").whole)
        assert script(text) != "latin" or not any(statement in text for statement in own)
    assert all(script(text) != "kana" for text in drawn("other_language", answered("雨は水です。")))


def test_off_topic_answers_another_question_at_similar_length():
    others = [("a?", "short"), *((f"{n}?", "A middling text. " * n) for n in range(1, 12))]
    case = Case("What?", "So long is this. " * 10, others)
    answers = drawn("off_topic", case)
    assert set(answers) <= {answer for _, answer in others}
    assert "short" not in answers
    assert drawn("off_topic", Case("a?", "x", [("a?", "y"), ("b?", "X.")])) == []


@given(answer=texts, seed=st.integers(0, 99))
def test_changed_numbers_change_digits_only(answer, seed):
    text = spoil("changed_numbers", answered(answer), random.Random(seed))
    if text is not None:
        assert _without_digits(text) == _without_digits(answer)


def _without_digits(text: str) -> str:
    return "".join(char for char in text if not ("0" <= char <= "9"))


def test_the_result_changes_and_the_count_of_items_stays():
    for text in drawn("changed_numbers", answered("1. It is 12.\n2. So 7 + 35 = 42.")):
        assert text.startswith("1. ")
        assert "\n2. " in text
        assert "= 42" not in text


def test_names_come_from_other_answers():
    for text in drawn("changed_names", answered("We met Ada in London.")):
        new = set(text.replace(".", "").split()) - {"We", "met", "in", "Ada", "London"}
        assert new
        assert new <= {"Neil", "Armstrong", "July", "Buzz", "Aldrin", "Danube", "Nile", "Amazon"}
    japanese = Case("?", "首都はローマです。", [("?", "それはアメリカです。")])
    assert set(drawn("changed_names", japanese)) == {"首都はアメリカです。"}


def test_broken_code_breaks_only_the_code():
    before, _, after = CODE.partition("```python")
    after = after.partition("```")[2]
    broken = drawn("broken_code", answered(CODE))
    assert len(set(broken)) > 10
    assert all(text.startswith(before) for text in broken)
    assert {text.endswith(after) for text in broken} == {True, False}  # False: cut within the code


def test_code_and_text_are_told_apart():
    [code] = set(drawn("code_without_text", answered(CODE)))
    [prose] = set(drawn("text_without_code", answered(CODE)))
    assert code.startswith("```python\ndef add(")
    assert code.endswith("return first + second\n```")
    assert "def add" not in prose
    assert prose.startswith("Here is")
    assert prose.endswith("returns 3.")


def test_json_that_was_asked_for_is_no_json_any_more():
    for answer in ('{"name": "Ada", "born": [1815]}', '[{"a": 1}, {"b": "two"}]'):
        spoilt = drawn("ignored_json", answered(answer, "Who? Reply as JSON."))
        assert len(set(spoilt)) > 4
        for text in spoilt:
            with pytest.raises(json.JSONDecodeError):
                json.loads(text)
    assert "Name is Ada. Born is 1815." in drawn(
        "ignored_json", answered('{"name": "Ada", "born": [1815]}', "JSON please")
    )


def test_a_length_that_was_asked_for_is_missed():
    for text in drawn("ignored_length", answered(RAIN, "What is rain? In two sentences, please.")):
        assert len(sentences(text)) > 4
    for text in drawn("ignored_length", answered(RAIN, "Write at least 12 words on rain.")):
        assert len(text.split()) < 12
    assert drawn("ignored_length", answered(RAIN, "Briefly: what is rain?"))


def test_a_count_that_was_asked_for_is_missed():
    spoilt = drawn("ignored_count", answered(LIST, "Give 3 examples of rivers."))
    counts = {sum(line[:1].isdigit() for line in text.split("\n")) for text in spoilt}
    assert 3 not in counts
    assert min(counts) < 3 < max(counts)


@pytest.mark.parametrize(
    ("question", "number", "unit"),
    [
        ("Explain it in two short sentences.", 2, "sentence"),
        ("Answer in a single word", 1, "word"),
        ("Write a 500-word essay on rain.", 500, "word"),
        ("Give me 5 good reasons to go.", 5, "item"),
        ("Antworte in drei Sätzen.", 3, "sentence"),
        ("Donne-moi trois exemples.", 3, "item"),
        ("Responde con cinco palabras.", 5, "word"),
        ("Ответь в двух предложениях.", 2, "sentence"),
        ("三句话说明。", 3, "sentence"),
        ("雨を100文字以内で説明して。", 100, "word"),
        ("세 문장으로 설명해 줘.", 3, "sentence"),
    ],
)
def test_amounts_are_read_in_every_language(question, number, unit):
    assert [(amount.number, amount.unit) for amount in asked_amounts(question)] == [(number, unit)]


@pytest.mark.parametrize("question", ["Is one enough?", "In 1999, what?", "How many words?", ""])
def test_no_amount_is_read_where_none_is(question):
    assert asked_amounts(question) == []


@given(text=texts)
def test_texts_are_the_same_again_when_their_pieces_are_joined(text):
    assert "".join(sentences(text)) == text
    assert "".join(words(text)) == text


@given(question=st.text(max_size=200), seed=st.integers(0, 99))
def test_a_topic_is_in_the_question(question, seed):
    found = topic(question, random.Random(seed))
    assert found == "this" or found in " ".join(question.split())


def test_long_texts_take_no_long_time():
    case = Case("Why? " * 20_000, "So it is 3, he said. " * 20_000, [("x", "y " * 40_000)] * 9)
    for kind in SPOILINGS:
        start = time.thread_time()
        spoil(kind, case, random.Random(0))
        assert time.thread_time() - start < 5, kind  # a second or so; what is quadratic takes hours
