"""An answer that is no number costs one comparison, an exception that cannot be shown one line."""

from __future__ import annotations

import asyncio
import logging
import math
import pickle

import numpy as np
import pytest

from blender_core import Blender, JointRanker, PairRanker
from blender_core.candidates import Pair
from blender_core.comparison.answered import numbers
from blender_core.errors import ModelOutputError, QuorumError, describe, first_line, message_of
from blender_core.members import aask, ask
from blender_core.prompting.judge import Judge, letter_logit
from blender_core.ranking.schedules import SCHEDULES
from blender_core.testing import ScriptedFuser

TEXTS = ["the worst", "not so bad", "the very best one"]


class Hostile:
    """A number whose conversion raises what cannot be shown."""

    def __float__(self) -> float:
        raise UnspeakableError

    def __repr__(self) -> str:
        raise UnspeakableError


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise ValueError("str raises")

    def __repr__(self) -> str:
        raise ValueError("repr raises")


NO_NUMBERS = {
    "minus infinity": -math.inf,
    "infinity": math.inf,
    "too large for float32": 1e39,
    "too large for a float": 10**400,
    "too large to be shown": 10**5000,
    "text": "B is better",
    "digits": "1.0",
    "list": [1.0],
    "array": np.array([1.0]),
    "nothing": None,
    "complex": 1j,
    "hostile": Hostile(),
}


class Longest:
    """Prefers the longer text; says something else where `bad` was shown first with another."""

    def __init__(self, bad: object) -> None:
        self.bad = bad

    def logit(self, pair: Pair) -> object:
        if (pair.first, pair.second) == (TEXTS[0], TEXTS[1]):
            return self.bad
        return float(len(pair.first) - len(pair.second))


class Plain(Longest):
    def logits(self, pairs):
        return [self.logit(pair) for pair in pairs]


class Waiting(Plain):
    async def alogits(self, pairs):
        return self.logits(pairs)


class InBatches(Plain):
    def iter_logits(self, pairs):
        for place, pair in enumerate(pairs):
            yield [place], [self.logit(pair)]


class Asked(Judge, Longest):
    def __init__(self, bad: object) -> None:
        Judge.__init__(self)
        self.bad = bad

    def judge(self, pair):
        return self.logit(pair)

    async def ajudge(self, pair):
        return self.logit(pair)


def rankings(ranker, **options):
    """A ranker's, sync and async."""
    return [
        ranker.rank("q", TEXTS, **options),
        asyncio.run(ranker.planned(**options).arank("q", TEXTS)),
    ]


@pytest.mark.parametrize("kind", [Plain, Waiting, InBatches, Asked])
@pytest.mark.parametrize("bad", NO_NUMBERS.values(), ids=NO_NUMBERS)
def test_what_is_no_number_is_a_hole(kind, bad):
    for ranking in rankings(PairRanker(kind(bad))):
        assert ranking.best.text == TEXTS[2]
        assert np.argwhere(np.isnan(ranking.matrix)).tolist() == [[0, 1]]
        assert ranking.passes == 6
        assert np.isfinite(ranking.scores).all()
        assert 0.0 <= ranking.confidence <= 1.0


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_under_no_schedule_it_costs_more(schedule):
    for ranking in rankings(PairRanker(Plain(-math.inf)), schedule=schedule):
        assert ranking.order[0] == 2


def test_what_failed_is_logged(caplog):
    with caplog.at_level(logging.WARNING):
        PairRanker(Plain(None)).rank("q", TEXTS)
    assert caplog.messages == [
        "the comparator gave no number for 1 of 6 pairs, the first: NoneType"
    ]
    caplog.clear()
    PairRanker(Plain(math.nan)).rank("q", TEXTS)  # it says itself that it cannot say
    assert caplog.messages == []


def test_a_sum_and_a_gate_survive_it():
    ranker = PairRanker(Plain(1e39))
    assert JointRanker([(ranker, 1.0)]).rank("q", TEXTS).order == (2, 1, 0)
    blend = Blender(ranker, ScriptedFuser("a fused text, longer than all"), top_k=2)
    assert blend.blend("q", TEXTS).fused


def test_logits_at_the_end_of_the_scale_are_numbers():
    assert PairRanker(Plain(3e38)).compare("q", TEXTS[0], TEXTS[1]) > 1e38


@pytest.mark.parametrize(
    "whole",
    [None, 1.0, "text", [], [1.0], [[1.0], [2.0]], np.zeros((2, 1)), np.zeros(3), {"a": 1.0}],
)
def test_an_answer_that_is_wrong_as_a_whole_is_an_error(whole):
    class Wrong:
        def logits(self, pairs):
            return whole

        async def alogits(self, pairs):
            return whole

    with pytest.raises(ModelOutputError, match="was asked 2 pairs and answered with shape"):
        PairRanker(Wrong()).rank("q", ["a", "b"])
    with pytest.raises(ModelOutputError, match="was asked 2 pairs and answered with shape"):
        asyncio.run(PairRanker(Wrong()).arank("q", ["a", "b"]))


def test_numbers_of_every_kind_are_read():
    import torch

    expected = [1.5, -2.0]
    for given in (
        expected,
        tuple(expected),
        np.array(expected),
        torch.tensor(expected, requires_grad=True),
        torch.tensor(expected, dtype=torch.bfloat16),
        [np.float16(1.5), torch.tensor(-2.0)],
    ):
        assert numbers(given, 2).tolist() == expected
    assert numbers([1, True], 2).tolist() == [1.0, 1.0]


def reply(a: object, b: object) -> object:
    options = [{"token": "A", "logprob": a}, {"token": "B", "logprob": b}]
    return {"content": [{"top_logprobs": options}]}


@pytest.mark.parametrize(
    "odd", [-math.inf, math.inf, math.nan, -1e999, 1e308, -1e308, 10**400, "x", [], None, 5.0]
)
def test_a_log_probability_that_is_none_leaves_the_letter(odd):
    assert letter_logit("A", reply(-0.1, odd)) == 1.0
    assert letter_logit("B", reply(odd, -0.1)) == -1.0


def test_log_probabilities_at_their_ends_count():
    assert letter_logit("A", reply(0.0, -9999.0)) == 9999.0
    assert letter_logit("A", reply(1e-7, -2.0)) == pytest.approx(2.0)


@pytest.mark.parametrize("odd", [[], "x", 3, {"content": [{"top_logprobs": [{"token": None}]}]}])
def test_log_probabilities_in_another_shape_leave_the_letter(odd):
    assert letter_logit("B", odd) == -1.0


def test_an_exception_that_cannot_be_shown_is_told_by_its_type():
    assert describe(UnspeakableError()) == message_of(UnspeakableError()) == "UnspeakableError"
    assert first_line(UnspeakableError()) == "UnspeakableError"
    assert first_line(ValueError("\n one\ntwo")) == "one"
    assert describe(KeyError()) == first_line(KeyError()) == "KeyError"
    assert describe(ValueError("no")) == "ValueError: no"


def fails(_: str) -> str:
    raise UnspeakableError


async def afails(_: str) -> str:
    raise UnspeakableError


def test_a_quorum_error_survives_it():
    message = "0 of 1 members answered, 1 needed. Failed: m: UnspeakableError"
    with pytest.raises(QuorumError) as plain:
        ask({"m": fails}, "q")
    with pytest.raises(QuorumError) as waiting:
        asyncio.run(aask({"m": afails}, "q"))
    assert str(plain.value) == str(waiting.value) == message
    assert str(pickle.loads(pickle.dumps(plain.value))) == message  # noqa: S301


def test_a_judges_error_costs_its_judgement(caplog):
    class Failing(Asked):
        def logit(self, pair):
            if pair.second == TEXTS[0]:
                raise UnspeakableError
            return super().logit(pair)

    for ranking in rankings(PairRanker(Failing(-1.0))):
        assert ranking.order == (2, 1, 0)
    assert "2 of 6 judgements failed, the first: UnspeakableError" in caplog.text


def test_a_fusers_error_costs_the_fusing():
    def write(_):
        raise UnspeakableError

    blend = Blender(PairRanker(Plain(-1.0)), ScriptedFuser(write)).blend("q", TEXTS)
    assert (blend.text, blend.verdict.error) == (TEXTS[2], "UnspeakableError")
