"""The active schedule: laws, budgets, and what it is worth."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from comparisons import noisy, played
from hypothesis import given
from hypothesis import strategies as st

from blender_core import Active, PairRanker
from blender_core.belief.posterior import Posterior
from blender_core.belief.reliability import Reliability
from blender_core.errors import InputError
from blender_core.ranking.schedules import active_for
from blender_core.ranking.schedules.informative_pairs import Contrasts, most_informative
from blender_core.testing import ScriptedComparator


def consistent(utilities: Any) -> np.ndarray:
    """The full matrix of a comparator without noise."""
    values = np.asarray(utilities, dtype=np.float32)
    return values[:, None] - values


def best_of(matrix: np.ndarray) -> int:
    return int((matrix.sum(axis=1) - matrix.sum(axis=0)).argmax())


@given(
    st.integers(2, 9),
    st.integers(0, 99),
    st.sampled_from(["best", "order", 1, 2, 20]),
    st.sampled_from([None, 1, 3, 10]),
)
def test_it_asks_each_pair_once_and_keeps_to_its_budget(count, seed, goal, max_passes):
    full, _, _ = noisy(count, seed)
    schedule = Active(goal=goal, max_passes=max_passes, seed=seed)
    course = played(schedule, full)
    assert course.passes <= min(max_passes or 999, count * (count - 1))
    assert len(course.scores) == count
    assert played(schedule, full).rounds == course.rounds
    assert played(schedule, full).scores == course.scores


def test_everybody_is_seen_early():
    for seed in range(20):
        full, _, _ = noisy(12, seed)
        course = played(Active(confidence=0.999, max_passes=18), full)
        assert len({place for asked in course.rounds for pair in asked for place in pair}) == 12


@given(st.integers(2, 30), st.integers(0, 999), st.sampled_from(["best", "order", 3]))
def test_nothing_is_settled_before_everybody_was_compared(count, seed, goal):
    full, _, _ = noisy(count, seed, noise=0.1, spread=9.0)
    course = played(Active(goal=goal, confidence=0.5), full)
    known = ~np.isnan(course.matrix) & ~np.eye(count, dtype=bool)
    assert (known | known.T).any(axis=1).all()


def test_a_failed_comparison_is_none_but_is_not_tried_for_ever():
    """All comparisons of one candidate fail: some are tried, and the rest is settled."""
    full, _, _ = noisy(20, 1, noise=0.05, spread=5.0)
    full[7, :] = full[:, 7] = np.nan
    course = played(Active(), full)
    assert 3 <= sum(7 in pair for asked in course.rounds for pair in asked) < 12
    assert course.ending.because == "settled"


@given(
    st.integers(1, 12),
    st.integers(0, 999),
    st.sampled_from(["best", "order", 2]),
    st.floats(0.0, 1.0),
    st.booleans(),
)
def test_it_comes_to_an_end_whatever_fails(count, seed, goal, share, mirrored):
    full, _, _ = noisy(count, seed)
    if mirrored:
        full = np.triu(full) - np.triu(full).T
    full[np.random.default_rng(seed).random(full.shape) < share] = np.nan
    course = played(Active(goal=goal), full)
    assert course.ending.because in ("settled", "nothing left to ask")
    if count > 1:
        assert np.isfinite(course.scores).all()
        assert len(course.scores) == count


def test_the_other_order_of_a_failed_comparison_is_asked():
    full = consistent([0.0, 1.0, 2.0, 3.0])
    full[2, 0] = np.nan
    course = played(Active(goal="order", confidence=0.999), full)
    asked = {pair for pairs in course.rounds for pair in pairs}
    assert {(2, 0), (0, 2)} <= asked


def test_a_comparator_without_a_position_is_not_asked_twice():
    rng = np.random.default_rng(0)
    upper = np.triu(rng.normal(0.0, 1.0, (12, 12)), 1)
    course = played(Active(confidence=0.999999), (upper - upper.T).astype(np.float32))
    # Before the first pair was asked in both orders, nobody knows.
    assert course.passes <= 12 * 11 // 2 + 12


def test_it_begins_with_a_chain_through_half_of_them():
    full, _, _ = noisy(12, 0)
    first = played(Active(), full).rounds[0]
    assert len(first) == 6
    assert all(one[1] == following[0] for one, following in pairwise(first))
    assert len({place for pair in first for place in pair}) == 7


def test_rounds_grow_by_a_third():
    full, _, _ = noisy(12, 0, spread=0.01)
    sizes = [len(asked) for asked in played(Active(confidence=0.999999), full).rounds]
    assert sum(sizes) == 12 * 11
    for place, size in enumerate(sizes[1:], 1):
        assert size <= max(4, sum(sizes[:place]) // 3)


def test_all_of_them_is_the_order():
    utilities = np.array([4.0, 0.0, 10.0, 6.0, 2.0, 8.0])
    errors = np.random.default_rng(0).normal(0.0, 0.2, (6, 6)).astype(np.float32)
    for goal in (6, 9, "order"):
        course = played(Active(goal=goal), consistent(utilities) + errors)
        np.testing.assert_array_equal(np.argsort(course.scores), np.argsort(utilities))


@pytest.mark.parametrize("seed", range(6))
def test_pairs_are_chosen_by_what_they_take_from_the_variance(seed):
    """Against the same greedy choice worked out pair by pair, without any shortcut."""
    full, _, _ = noisy(6, seed)
    rng = np.random.default_rng(seed)
    matrix = np.where(rng.random(full.shape) < 0.5, full, np.nan)
    np.fill_diagonal(matrix, 0.0)
    posterior = Posterior.of(matrix)
    best, others = posterior.order[0], posterior.order[1:]
    better = np.full(len(others), best)
    wrong = 1.0 - posterior.better(better, others)
    closed = ~np.isnan(matrix)
    chosen = most_informative(posterior, ~closed, Contrasts(better, others, wrong), 8)

    covariance, wanted = posterior.covariance.copy(), []
    contrasts = np.eye(7)[better] - np.eye(7)[others]
    weights = (wrong + 1e-6) / [d @ covariance @ d for d in contrasts]
    open_pairs = [(int(i), int(j)) for i, j in np.argwhere(~closed)]
    for _ in range(min(8, len(open_pairs))):
        gains = []
        for i, j in open_pairs:
            x = np.eye(7)[i] - np.eye(7)[j] + np.eye(7)[6]
            taken = (contrasts @ covariance @ x) ** 2
            gains.append(weights @ taken / (x @ covariance @ x + posterior.noise))
        i, j = open_pairs.pop(int(np.argmax(gains)))
        wanted.append((i, j))
        x = np.eye(7)[i] - np.eye(7)[j] + np.eye(7)[6]
        spread = covariance @ x
        covariance -= np.outer(spread, spread) / (x @ spread + posterior.noise)
    assert chosen == wanted


def test_clear_cases_end_after_few_comparisons():
    full, utilities, _ = noisy(12, 1, spread=5.0, noise=0.05, bias=0.0)
    course = played(Active(), full)
    assert course.pick == utilities.argmax()
    assert course.passes < 0.35 * 12 * 11
    for seed in range(5):
        full, _, _ = noisy(30, seed, spread=9.0, noise=0.05)
        assert played(Active(confidence=0.6), full).passes <= 50


def test_more_confidence_and_more_of_a_goal_ask_more():
    full, _, _ = noisy(10, 3, noise=0.5)
    asked = [played(Active(confidence=c), full).passes for c in (0.6, 0.9, 0.999)]
    assert asked == sorted(asked)
    assert asked[0] < asked[-1]
    goals = [played(Active(goal=g, confidence=0.9), full).passes for g in ("best", "order")]
    assert goals[0] < goals[1]


def test_equally_good_ones_are_not_asked_for_ever():
    utilities = [float(k % 7) for k in range(120)]  # 17 share the first place
    course = played(Active(), consistent(utilities))
    assert course.ending.because == "settled"
    assert utilities[course.pick] == 6.0
    assert course.passes < 0.5 * 120 * 119


@pytest.mark.parametrize(
    ("schedule", "top", "wanted"),
    [
        ("active", 1, "active"),
        ("active", 3, Active(goal=3)),
        ("active", None, Active(goal="order")),
        ("full", 3, "full"),
        (Active(max_passes=9), 3, Active(max_passes=9)),
    ],
)
def test_by_its_name_it_looks_for_what_is_wanted(schedule, top, wanted):
    assert active_for(schedule, top) == wanted


def test_time_is_a_budget_too():
    full, _, _ = noisy(10, 3)
    schedule = Active(max_seconds=0.05, confidence=0.999999)
    assert len(played(schedule, full, on_round=lambda: time.sleep(0.06)).rounds) == 1


def test_holes_cost_a_question_and_nothing_else():
    def logit(pair: Any) -> float:
        if "broken" in (pair.first, pair.second):
            return float("nan")
        return float(len(pair.first) - len(pair.second))

    ranker = PairRanker(ScriptedComparator(logit), schedule=Active())
    ranking = ranker.rank("q", ["a", "broken", "ccc", "bb", "eeeee", "dddd"])
    assert ranking.best.text == "eeeee"
    assert ranking.stopped_because in ("settled", "nothing left to ask")
    assert ranking.passes <= 5 * 4 + 10


@pytest.mark.parametrize("texts", [["only"], ["same", "same"], ["a", "a", "bb"], ["", ""]])
def test_edges(texts):
    comparator = ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second)))
    ranking = PairRanker(comparator, schedule=Active(goal="order")).rank("q", texts)
    assert ranking.best.text == max(texts, key=len)
    assert len(set(ranking.ranks)) == len(set(texts))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"goal": "first"}, "'goal' must be a whole number"),
        ({"goal": 0}, "'goal' must be a whole number"),
        ({"confidence": 1.0}, "'confidence' must be a number from 0.5 to below 1"),
        ({"confidence": 0.2}, "'confidence' must be a number from 0.5 to below 1"),
        ({"confidence": "high"}, "'confidence' must be a number from 0.5 to below 1"),
        ({"max_passes": 0}, "'max_passes' must be"),
        ({"max_tokens": 0}, "'max_tokens' must be"),
        ({"seed": -1}, "'seed' must be"),
        ({"max_seconds": 0.0}, "'max_seconds' must be a positive number"),
    ],
)
def test_settings_are_checked(settings, words):
    with pytest.raises(InputError, match=words):
        Active(**settings)


@pytest.mark.parametrize(("count", "share"), [(8, 0.40), (16, 0.25), (32, 0.15)])
def test_a_part_of_the_comparisons_picks_about_as_well_as_all_of_them(count, share):
    """As often as a full matrix agrees with one of the same candidates under other noise."""
    agreed, with_other, by_itself, trials = 0, 0, 0, 150
    budget = int(share * count * (count - 1))
    for seed in range(trials):
        full, utilities, advantage = noisy(count, seed, spread=3.0)
        noise = np.random.default_rng(1000 + seed).normal(0.0, 1.0, full.shape)
        other = utilities[:, None] - utilities[None, :] + advantage + noise
        np.fill_diagonal(other, 0.0)
        pick = played(Active(max_passes=budget, seed=seed), full).pick
        agreed += pick == best_of(full)
        with_other += pick == best_of(other)
        by_itself += best_of(full) == best_of(other)
    assert agreed >= by_itself - 0.01 * trials
    assert with_other >= by_itself - 0.05 * trials


def test_what_it_says_of_its_pick_holds():
    told, right = [], []
    for seed in range(300):
        full, utilities, _ = noisy(10, seed, spread=(0.75, 1.5, 3.0)[seed % 3])
        course = played(Active(max_passes=40), full)
        told.append(Posterior.of(course.matrix).best[course.pick])
        right.append(course.pick == utilities.argmax())
    assert np.mean(told) == pytest.approx(np.mean(right), abs=0.04)
    assert Reliability.of(told, right).ece < 0.07  # 30 in a bin: chance alone gives about 0.05
