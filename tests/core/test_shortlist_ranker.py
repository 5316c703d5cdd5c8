"""Two stages: who goes on, what becomes of the others, and what is never asked."""

from __future__ import annotations

import asyncio
import math

import numpy as np
import pytest

from blender_core import ConsensusRanker, PairRanker, PointwiseRanker, ShortlistRanker, Task
from blender_core.errors import InputError
from blender_core.testing import ScriptedComparator


class Length:
    """Longer is better, up to a wrong opinion about one text."""

    def __init__(self, hated: str = "") -> None:
        self.hated = hated
        self.asked: list[str] = []

    def scores(self, items):
        self.asked += [answer for _, answer in items]
        return np.array([0 if a == self.hated else len(a) for _, a in items], dtype=np.float32)


TEXTS = ["x" * n for n in (3, 9, 1, 7, 5, 8, 2, 6, 4, 10)]


def longer() -> PairRanker:
    return PairRanker(ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second))))


def test_only_those_who_go_on_are_compared_and_the_others_follow():
    ranker = ShortlistRanker(PointwiseRanker(Length()), longer(), keep=4)
    ranking = ranker.rank("q", TEXTS)
    assert [len(TEXTS[i]) for i in ranking.order] == [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]
    assert ranking.ranks == tuple(11 - len(text) for text in TEXTS)
    assert ranking.passes == 10 + 4 * 3
    assert {len(TEXTS[i]) for i in ranking.left_out} == {1, 2, 3, 4, 5, 6}
    assert int((~np.isnan(ranking.matrix)).sum()) == 10 + 4 * 3
    scores = [ranking.scores[i] for i in ranking.order]
    assert scores == sorted(scores, reverse=True)


def test_whoever_was_left_out_has_no_share_of_the_best():
    ranking = ShortlistRanker(PointwiseRanker(Length()), longer(), keep=3).rank("q", TEXTS)
    assert sum(ranking.probability_best) == pytest.approx(1.0)
    assert all(ranking.probability_best[i] == 0.0 for i in ranking.left_out)
    best, last = ranking.order[0], ranking.order[-1]
    assert math.isnan(ranking.probability(best, last))
    assert ranking.probability(best, ranking.order[1]) > 0.5
    assert 0.0 < ranking.confidence <= 1.0


def test_a_good_answer_that_the_first_ranker_misjudges_is_lost():
    first = PointwiseRanker(Length(hated="x" * 10))
    ranking = ShortlistRanker(first, longer(), keep=4).rank("q", TEXTS)
    assert len(ranking.best.text) == 9
    assert len(TEXTS[ranking.order[-1]]) == 10


def test_short_tasks_are_the_second_rankers_alone():
    scorer = Length()
    ranker = ShortlistRanker(PointwiseRanker(scorer), longer(), keep=4)
    tasks = [Task("q", TEXTS[:4]), Task("q", TEXTS), Task("q", ["one"]), Task("q", TEXTS[5:])]
    rankings = ranker.rank_many(tasks)
    assert [len(r.best.text) for r in rankings] == [9, 10, 3, 10]
    assert [len(r.left_out) for r in rankings] == [0, 6, 0, 1]
    assert len(scorer.asked) == len(TEXTS)  # of the last task no text is new


@pytest.mark.parametrize("keep", [1, 2, 9, 10, 99])
def test_async_is_the_same(keep):
    ranker = ShortlistRanker(ConsensusRanker(), longer(), keep=keep)
    tasks = [Task("q", TEXTS), Task("p", TEXTS[::-1])]
    for one, other in zip(
        ranker.rank_many(tasks), asyncio.run(ranker.arank_many(tasks)), strict=True
    ):
        assert one.order == other.order
        assert one.ranks == other.ranks
        assert one.scores == other.scores
        np.testing.assert_array_equal(one.matrix, other.matrix)


def test_copies_go_on_together_and_count_once():
    texts = ["same answer", "same answer", "same answer", "same answer", "longer answer!", "x"]
    ranking = ShortlistRanker(ConsensusRanker(), longer(), keep=2).rank("q", texts)
    assert ranking.best.text == "longer answer!"
    assert ranking.left_out == {5}
    assert ranking.probability(4, 0) == ranking.probability(4, 3) > 0.5
    assert ranking.probability(0, 1) == 0.5


def test_who_an_inner_shortlist_leaves_out_stays_out():
    inner = ShortlistRanker(PointwiseRanker(Length()), longer(), keep=3)
    ranking = ShortlistRanker(PointwiseRanker(Length()), inner, keep=8).rank("q", TEXTS)
    assert len(ranking.left_out) == 7
    assert {len(TEXTS[i]) for i in ranking.order[:3]} == {8, 9, 10}
    assert [len(TEXTS[i]) for i in ranking.order] == list(range(10, 0, -1))
    assert all(ranking.probability_best[i] == 0.0 for i in ranking.left_out)


def test_duels_are_the_second_rankers():
    ranker = ShortlistRanker(ConsensusRanker(), longer(), keep=1)
    assert ranker.compare("q", "longer", "short") == 1.0


@pytest.mark.parametrize(
    ("first", "second", "keep", "words"),
    [
        (None, longer(), 3, "'first' must be a Ranker"),
        (longer(), "second", 3, "'second' must be a Ranker"),
        (longer(), longer(), 0, "'keep' must be a whole number"),
    ],
)
def test_settings_are_checked(first, second, keep, words):
    with pytest.raises(InputError, match=words):
        ShortlistRanker(first, second, keep)
