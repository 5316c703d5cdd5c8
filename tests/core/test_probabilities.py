"""What a ranking says of how sure it is: for every schedule, ties, and whatever was to be found."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from blender_core import (
    Active,
    Blender,
    Calibrator,
    ConsensusRanker,
    JointRanker,
    PairRanker,
    Ranking,
    ShortlistRanker,
    Task,
)
from blender_core.candidates import Candidate
from blender_core.errors import InputError
from blender_core.ranking.schedules import SCHEDULES
from blender_core.testing import ScriptedComparator, ScriptedFuser

UTILITY = {"poor": 0.0, "fair": 2.0, "good": 4.0, "great": 6.0}
TEXTS = ["fair", "great", "poor", "good"]


def noisy(bias: float = 0.0, noise: float = 0.5) -> PairRanker:
    """Deterministic, but not consistent."""

    def logit(pair):
        error = np.random.default_rng([ord(c) for c in pair.first + pair.second]).normal()
        return UTILITY[pair.first] - UTILITY[pair.second] + bias + noise * error

    return PairRanker(ScriptedComparator(logit))


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_the_numbers_are_there_for_every_schedule(schedule):
    ranking = noisy().rank("q", TEXTS, schedule=schedule)
    assert sum(ranking.probability_best) == pytest.approx(1.0)
    assert ranking.probability_best[1] == max(ranking.probability_best)
    assert ranking.confidence == pytest.approx(ranking.probability_best[ranking.order[0]])
    assert ranking.probability(1, 2) > 0.8
    assert ranking.probability(1, 2) + ranking.probability(2, 1) == pytest.approx(1.0)
    assert ranking.probability(1, 1) == 0.5
    low, high = ranking.position_bias_interval()
    assert low < ranking.position_bias < high
    wider = ranking.position_bias_interval(0.99)
    assert wider[0] < low
    assert high < wider[1]
    assert not ranking.is_calibrated
    assert ranking.stopped_because in ("done", "settled", "nothing left to ask")


def test_more_comparisons_make_it_surer():
    shares = [
        noisy(noise=1.0).rank("q", TEXTS, schedule=schedule).confidence
        for schedule in (Active(max_passes=2), Active(max_passes=6, confidence=0.999), "full")
    ]
    assert shares == sorted(shares)


@pytest.mark.parametrize("bias", [-2.0, 2.0])
def test_the_position_bias_is_found(bias):
    ranking = noisy(bias).rank("q", TEXTS)
    low, high = ranking.position_bias_interval()
    assert low < bias < high
    assert low * high > 0
    assert ranking.best.text == "great"


@pytest.mark.parametrize(
    ("schedule", "reason"),
    [
        (Active(), "settled"),
        (Active(max_passes=1), "max_passes"),
        (Active(max_tokens=3), "max_tokens"),
        (Active(max_seconds=1e-9), "max_seconds"),
        (Active(confidence=1 - 1e-12), "nothing left to ask"),
        ("full", "done"),
    ],
)
def test_it_says_why_it_stopped(schedule, reason):
    ranker = noisy(noise=0.1 if reason == "settled" else 3.0)
    ranking = ranker.rank("q", TEXTS, schedule=schedule)
    assert ranking.stopped_because == reason


def test_a_budget_of_tokens_counts_the_answers_that_were_shown():
    texts = ["x" * 40, "y" * 40, "z" * 40]
    ranker = PairRanker(ScriptedComparator(lambda pair: 0.1))
    for tokens, passes in ((19, 0), (20, 1), (59, 2), (60, 3)):
        schedule = Active(max_tokens=tokens, confidence=0.999)
        assert ranker.rank("q", texts, schedule=schedule).passes == passes


@pytest.mark.parametrize("goal", ["best", "order", 1, 2, 4, 9])
def test_confidence_is_about_the_goal(goal):
    ranking = noisy(noise=1.0).rank("q", TEXTS, schedule=Active(goal=goal, confidence=0.6))
    assert ranking.goal == ("order" if goal in (4, 9) else goal)
    assert 0.6 <= ranking.confidence <= 1.0


def test_one_thing_is_more_certain_than_another():
    """The order is right at most as often as the 2 best are these, or the best is this one."""
    rankings = [
        noisy(noise=1.0).rank("q", TEXTS, schedule=Active(goal=goal, confidence=1 - 1e-9))
        for goal in ("order", 2, "best")
    ]
    assert len({ranking.passes for ranking in rankings}) == 1  # all pairs: the same matrix
    by_order, two, best = (ranking.confidence for ranking in rankings)
    assert 0.0 < by_order < min(two, best) < 1.0


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_copies_share_what_is_known_of_any_of_them(schedule):
    """A knockout may ask of one copy what it does not ask of the other."""
    texts = ["fair", "great", "fair", "poor", "fair", "good"]
    ranking = noisy(noise=0.1).rank("q", texts, schedule=schedule)
    assert ranking.probability_best[0] == ranking.probability_best[2] == ranking.probability_best[4]
    assert ranking.utilities[1] == max(ranking.utilities)
    assert ranking.utilities[3] == min(ranking.utilities)
    assert ranking.best.text == "great"


def test_the_same_text_twice_is_one_answer():
    texts = ["great", "fair", "great", "poor", "great"]
    comparator = ScriptedComparator(UTILITY)
    ranking = PairRanker(comparator, schedule="active").rank("q", texts)
    assert ranking.ranks[0] == ranking.ranks[2] == ranking.ranks[4] == 1
    assert ranking.passes <= 3 * 2
    assert ranking.probability(0, 2) == 0.5
    assert ranking.probability_best[0] == ranking.probability_best[4] > 0.7
    assert ranking.stopped_because in ("settled", "nothing left to ask")
    assert ranking.confidence == pytest.approx(ranking.probability_best[0])
    # Nobody was asked to compare a text with itself.
    assert all(pair.first != pair.second for call in comparator.calls for pair in call)


@pytest.mark.parametrize("schedule", ["full", "active"])
def test_one_candidate_is_the_best_for_certain(schedule):
    ranking = noisy().rank("q", ["good"], schedule=schedule)
    assert ranking.probability_best == (1.0,)
    assert ranking.confidence == 1.0
    assert ranking.passes == 0


@pytest.mark.parametrize("count", [2, 3, 4, 6, 20])
@pytest.mark.parametrize("schedule", ["full", *map(Active, ("best", "order", 3))])
def test_a_comparator_that_never_answers_leaves_all_open(count, schedule):
    ranker = PairRanker(ScriptedComparator(lambda _: math.nan), schedule=schedule)
    ranking = ranker.rank("q", [str(place) for place in range(count)])
    np.testing.assert_allclose(ranking.probability_best, 1.0 / count, atol=0.05)
    assert ranking.position_bias == 0.0
    assert set(ranking.ranks) == {1}
    assert ranking.stopped_because != "settled"
    assert ranking.passes <= count * (count - 1)
    if schedule != "full":
        assert ranking.passes <= 4 * count  # nobody is tried for ever


def test_rankers_without_a_schedule_say_it_too():
    ranking = ConsensusRanker().rank("q", ["a b c", "a b d", "x y z"])
    assert sum(ranking.probability_best) == pytest.approx(1.0)
    assert ranking.goal == "best"
    assert ranking.stopped_because == "done"


def test_an_unknown_candidate_is_an_index_error():
    ranking = noisy().rank("q", TEXTS)
    with pytest.raises(IndexError):
        ranking.probability(0, 4)


def test_a_blends_report_says_how_sure_it_was():
    blend = Blender(noisy(), ScriptedFuser("great")).blend("q", TEXTS)
    report = json.loads(json.dumps(blend.report()))
    assert report["stopped_because"] == "done"
    assert report["calibrated"] is False
    assert sum(report["probability_best"].values()) == pytest.approx(1.0)


def test_probabilities_are_worked_out_once():
    matrix = np.zeros((2, 2), np.float32)
    texts = (Candidate("a"), Candidate("b"))
    ranking = Ranking(texts, (0, 1), (1, 1), (0.0, 0.0), matrix, 2)
    assert ranking.probability_best is ranking.probability_best


def test_scores_of_an_active_ranking_fall_along_its_order():
    for seed in range(10):
        schedule = Active(max_passes=5, seed=seed)
        ranking = noisy(noise=2.0).rank("q", TEXTS, schedule=schedule)
        scores = [ranking.scores[place] for place in ranking.order]
        assert scores == sorted(scores, reverse=True)


def test_an_integer_goal_counts_texts():
    texts = ["great", "great", "fair", "fair", "poor"]
    ranking = PairRanker(ScriptedComparator(UTILITY)).rank("q", texts, schedule=Active(goal=2))
    assert set(ranking.order[:4]) == {0, 1, 2, 3}
    assert ranking.confidence >= 0.95 or ranking.stopped_because == "nothing left to ask"


def test_a_margin_does_not_depend_on_how_many_others_there_are():
    calibrator = Calibrator(20.0)
    others = ["poor", "fair", "good"]
    told = [
        PairRanker(ScriptedComparator(UTILITY), calibrator=calibrator)
        .rank("q", ["great", *others[:count]], schedule=schedule)
        .probability(0, 1)
        for count in (1, 2, 3)
        for schedule in ("full", "bubble", Active(max_passes=count))
    ]
    np.testing.assert_allclose(told, told[0], atol=1e-4)


def test_what_no_chain_of_answers_links_is_open():
    ranker = PairRanker(ScriptedComparator(UTILITY), calibrator=Calibrator(0.1))
    ranking = ranker.rank("q", ["great", "fair", "good", "poor"], schedule=Active(max_passes=1))
    told = {ranking.probability(i, j) for i in range(4) for j in range(i)}
    assert 0.5 in told
    assert len(told) == 2  # and the one pair that was asked
    # Whoever is ahead there is no likelier to be the best than one of whom nothing is known.
    leader, *_, loser = sorted(ranking.probability_best, reverse=True)
    assert sorted(ranking.probability_best)[1:] == pytest.approx([leader] * 3)
    assert loser < 0.01


def test_clear_losers_take_nothing_from_the_winner():
    utility = {"first": 12.0, "second": 10.0} | {f"bad {k}": k / 10 for k in range(60)}
    ranker = PairRanker(ScriptedComparator(utility), calibrator=Calibrator(0.37))
    ranking = ranker.rank("q", list(utility))
    assert ranking.probability_best[0] == pytest.approx(ranking.probability(0, 1), abs=1e-3)
    assert ranking.confidence > 0.98


def test_a_sum_of_rankers_knows_no_more_than_they_do():
    scripted = PairRanker(ScriptedComparator(UTILITY), schedule=Active(goal=2, max_passes=2))
    joint = JointRanker([(scripted, 1.0)])
    ranking, alone = joint.rank("q", TEXTS), scripted.rank("q", TEXTS)
    assert (ranking.stopped_because, ranking.goal) == ("max_passes", 2)
    np.testing.assert_array_equal(np.isnan(ranking.matrix), np.isnan(alone.matrix))
    assert ranking.confidence == pytest.approx(alone.confidence, abs=0.05)
    assert not np.isnan(joint.rank_completely([Task("q", TEXTS)])[0].matrix).any()


def test_a_sum_of_rankers_leaves_out_whom_one_of_them_left_out():
    shorter = PairRanker(ScriptedComparator(lambda pair: len(pair.second) - len(pair.first)))
    shortlist = ShortlistRanker(PairRanker(ScriptedComparator(UTILITY)), shorter, keep=2)
    ranking = JointRanker([(shortlist, 1.0), (ConsensusRanker(), 0.1)]).rank("q", TEXTS)
    assert ranking.left_out == {0, 2}
    assert set(ranking.order[:2]) == {1, 3}


def test_what_is_printed_shows_what_matters():
    ranker = PairRanker(ScriptedComparator({"poor": 1.0, "good\nanswer": 2.0}))
    assert repr(ranker) == "PairRanker(ScriptedComparator, schedule=Full(), not calibrated)"
    shown = str(ranker.rank("q", {"m1": "poor", "m2": "good\nanswer"}))
    assert shown.splitlines() == ["1. m2 (1): good answer", "2. m1 (-1): poor"]


@pytest.mark.parametrize(
    ("name", "words"),
    [("default", r"JointRanker\(\), not a PairRanker"), ("mimi", "'mini' and 'small' are")],
)
def test_names_of_other_rankers_lead_to_their_classes(name, words):
    with pytest.raises(InputError, match=words):
        PairRanker(name)
