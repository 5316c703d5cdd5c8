"""The forms in which models write which of two answers is better."""

from __future__ import annotations

import math

import numpy as np
import pytest

from blender_core import PairRanker
from blender_core.candidates import Pair
from blender_core.prompting.judge import Judge, letter_logit
from blender_core.prompting.verdicts import verdict

FORMS = [
    *(
        "{}",
        "**{}**",
        "[[{}]]",
        "({})",
        "'{}'",
        '"{}"',
        "`{}`",
        "«{}»",
        "{}.",
        " {}\n",
        "{}) It is right",
    ),
    *("Answer {}", "Answer: {}", "answer {}", "**Answer: {}**", "Option {}", "Choice: {}"),
    *("Final answer: {}", "Final Answer: **{}**", "So my final answer is: {}", "The answer is {}"),
    *("The better answer is {}.", "The better answer is Answer {}.", "The better answer is ({})."),
    *("Therefore, the better answer is **{}**", 'the better answer is "{}"', "Better: {}"),
    *("The best response is {}", "The correct answer is {}.", "Preferred answer: {}"),
    *("Verdict: {}", "**Verdict:** {}", "### Verdict\n{}", "My verdict is [[{}]].", "Judgment: {}"),
    *("Winner: {}", "The winner is {}!", "{} wins.", "{} > other", "Conclusion: Answer {}"),
    *("{} is better.", "Answer {} is better.", "Answer {} is the better answer."),
    *("Response {} is clearly better than the other.", "Assistant {} is better"),
    *("Both are good, but Answer {} is more accurate.", "I believe Answer {} is better."),
    *("I prefer {}.", "I would choose Answer {}.", "I'd pick {}", "I choose {}", "I'd go with {}."),
    "Answer B is not bad, Answer A is not bad, but I vote for {}.",
    *(
        "{}: it is correct.",
        "{}\n\nBecause it is right.",
        "{} - more complete",
        "{}, as it is right",
    ),
    *("\\boxed{{{}}}", "<answer>{}</answer>", "<verdict>{}</verdict>", '{{"better": "{}"}}'),
    '```json\n{{"winner": "{}"}}\n```',
    "Answer A says 5. Answer B says 4. The correct answer is 4, so {} is better.",
    *("Both are short.\n\n{}", "Both are short.\n\n**{}**"),
    "<think>\nA or B? B is better. A is better.\n</think>\n{}",
    "Okay, A is right here.\n</think>\n\n{}",
    "Both A and B are correct, but {} is better written.",
]


@pytest.mark.parametrize("form", FORMS)
def test_a_verdict_is_read_in_every_form(form):
    for letter, is_first in (("A", True), ("B", False)):
        reply = form.format(letter)
        found = verdict(reply)
        assert found is not None
        assert (found[0], reply[found[1]]) == (is_first, letter)


@pytest.mark.parametrize(
    "form",
    ["Answer {}", "{}", "The better answer is {}.", "Answer {} is better.", "I prefer answer {}."],
)
def test_answers_may_be_called_by_number(form):
    assert [verdict(form.format(number))[0] for number in (1, 2)] == [True, False]


@pytest.mark.parametrize("form", ["The {} answer is better.", "I prefer the {} answer."])
def test_answers_may_be_called_by_place(form):
    assert [verdict(form.format(place))[0] for place in ("first", "second")] == [True, False]


@pytest.mark.parametrize(
    "reply",
    [
        *(
            "",
            "Tie",
            "A tie.",
            "[[C]]",
            "C",
            "Both",
            "A or B?",
            "A and B",
            "A/B",
            "Neither A nor B",
        ),
        *("Both are equally good.", "Neither is better.", "I cannot say.", "A cat sat there."),
        *("A good question!", "A better answer is B", "As an AI, I cannot choose."),
        *("It is hard to say whether A is better.", "I am not sure which answer is better."),
        *("B is a letter.", "<think>A is better.", "<think>A</think>"),
        "Answer A is better in style. Answer B is better in substance.",
        "Answer A and Answer B are the same.",
    ],
)
def test_what_is_no_verdict_says_neither(reply):
    assert verdict(reply) is None
    with pytest.raises(ValueError, match="neither A nor B"):
        letter_logit(reply)


def tokens(*parts: str, at: int, a: float, b: float) -> dict[str, object]:
    """Log probabilities of a reply of these tokens, with those of both letters at one place."""
    content = [{"token": part, "top_logprobs": [{"token": part, "logprob": 0.0}]} for part in parts]
    content[at]["top_logprobs"] = [{"token": "A", "logprob": a}, {"token": "B", "logprob": b}]
    return {"content": content}


def test_log_probabilities_are_those_of_the_verdicts_token():
    parts = ("<think>", "A", "?", "</think>", "\n", "B")
    given = tokens(*parts, at=5, a=-2.0, b=-0.5)
    given["content"][1]["top_logprobs"] = [
        {"token": "A", "logprob": -0.1},
        {"token": "B", "logprob": -3.0},
    ]
    assert letter_logit("".join(parts), given) == -1.5


def test_a_judge_without_a_verdict_leaves_holes():
    class Undecided(Judge):
        def judge(self, pair):
            return letter_logit("Both are good.")

        async def ajudge(self, pair):
            return self.judge(pair)

    assert math.isnan(Undecided().logits([Pair("q", "a", "b")])[0])
    ranking = PairRanker(Undecided()).rank("q", ["a", "b"])
    assert np.isnan(ranking.matrix[0, 1])
