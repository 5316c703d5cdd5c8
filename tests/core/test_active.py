"""The active schedule and the belief behind it: laws, budgets, and what they are worth."""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_core import Active, PairRanker
from blender_core.belief.posterior import Posterior
from blender_core.belief.reliability import Reliability
from blender_core.errors import InputError
from blender_core.flows import Course
from blender_core.ranking.schedules.active import _most_telling
from blender_core.testing import ScriptedComparator


def noisy(
    count: int, seed: int, *, spread: float = 2.0, noise: float = 1.0, bias: float = 0.5
) -> tuple[np.ndarray, np.ndarray, float]:
    """A full matrix of noisy comparisons, the utilities behind it, and the position bias."""
    rng = np.random.default_rng(seed)
    utilities = rng.normal(0.0, spread, count)
    advantage = float(rng.normal(0.0, bias))
    matrix = utilities[:, None] - utilities[None, :] + advantage
    matrix += rng.normal(0.0, noise, (count, count))
    np.fill_diagonal(matrix, 0.0)
    return matrix.astype(np.float32), utilities, advantage


def played(schedule: Active, full: np.ndarray) -> tuple[np.ndarray, list[float], int]:
    """The matrix that a schedule asked for, the scores, and the number of rounds."""
    course = Course(schedule.rounds([1] * len(full)))
    matrix = np.full(full.shape, np.nan, np.float32)
    np.fill_diagonal(matrix, 0.0)
    rounds = 0
    while not course.done:
        for pair in course.request:
            assert np.isnan(matrix[pair]), "asked twice"
            matrix[pair] = full[pair]
        rounds += 1
        course.reply(matrix)
    assert course.result is not None
    return matrix, list(course.result.scores or []), rounds


def passes(matrix: np.ndarray) -> int:
    return int((~np.isnan(matrix)).sum()) - len(matrix)


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
    matrix, scores, _ = played(schedule, full)
    assert passes(matrix) <= min(max_passes or 999, count * (count - 1))
    assert len(scores) == count
    again, same, _ = played(schedule, full)
    np.testing.assert_array_equal(matrix, again)
    assert scores == same


def test_everybody_is_seen_early():
    for seed in range(20):
        full, _, _ = noisy(12, seed)
        course = Course(Active(confidence=0.999).rounds([1] * 12))
        matrix = np.full(full.shape, np.nan, np.float32)
        np.fill_diagonal(matrix, 0.0)
        seen: set[int] = set()
        asked = 0
        while asked < 15:
            for pair in course.request:
                matrix[pair] = full[pair]
                seen |= set(pair)
            asked += len(course.request)
            course.reply(matrix)
        assert len(seen) == 12


@given(st.integers(2, 30), st.integers(0, 999), st.sampled_from(["best", "order", 3]))
def test_nothing_is_settled_before_everybody_was_compared(count, seed, goal):
    full, _, _ = noisy(count, seed, noise=0.1, spread=9.0)
    matrix, _, _ = played(Active(goal=goal, confidence=0.5), full)
    known = ~np.isnan(matrix) & ~np.eye(count, dtype=bool)
    assert (known | known.T).any(axis=1).all()


def test_a_failed_comparison_is_none_but_is_not_tried_for_ever():
    """All comparisons of one candidate fail: it is tried three times, and the rest is settled."""
    full, _, _ = noisy(20, 1, noise=0.05, spread=5.0)
    full[7, :] = full[:, 7] = np.nan
    course = Course(Active().rounds([1] * 20))
    matrix = np.full(full.shape, np.nan, np.float32)
    np.fill_diagonal(matrix, 0.0)
    tried = 0
    while not course.done:
        tried += sum(7 in pair for pair in course.request)
        for pair in course.request:
            matrix[pair] = full[pair]
        course.reply(matrix)
    assert 3 <= tried < 12
    assert course.result is not None
    assert course.result.because == "settled"


def test_the_other_order_of_a_failed_comparison_is_asked():
    utilities = np.array([0.0, 1.0, 2.0, 3.0])
    asked: set[tuple[int, int]] = set()
    course = Course(Active(goal="order", confidence=0.999).rounds([1] * 4))
    matrix = np.full((4, 4), np.nan, np.float32)
    np.fill_diagonal(matrix, 0.0)
    while not course.done:
        for i, j in course.request:
            asked.add((i, j))
            matrix[i, j] = np.nan if (i, j) == (2, 0) else utilities[i] - utilities[j]
        course.reply(matrix)
    assert {(2, 0), (0, 2)} <= asked


def test_a_comparator_without_a_position_is_not_asked_twice():
    rng = np.random.default_rng(0)
    upper = np.triu(rng.normal(0.0, 1.0, (12, 12)), 1)
    matrix, _, _ = played(Active(confidence=0.999999), (upper - upper.T).astype(np.float32))
    # Before the first pair was asked in both orders, nobody knows.
    assert passes(matrix) <= 12 * 11 // 2 + 12


def test_rounds_grow_by_a_third():
    full, _, _ = noisy(12, 0, spread=0.01)
    course = Course(Active(confidence=0.999999).rounds([1] * 12))
    matrix = np.full(full.shape, np.nan, np.float32)
    np.fill_diagonal(matrix, 0.0)
    sizes: list[int] = []
    while not course.done:
        for pair in course.request:
            matrix[pair] = full[pair]
        sizes.append(len(course.request))
        course.reply(matrix)
    assert sum(sizes) == 12 * 11
    for place, size in enumerate(sizes[1:], 1):
        assert size <= max(4, sum(sizes[:place]) // 3)


def test_all_of_them_is_the_order():
    utilities = np.array([4.0, 0.0, 10.0, 6.0, 2.0, 8.0])
    full = (
        utilities[:, None] - utilities + np.random.default_rng(0).normal(0, 0.2, (6, 6))
    ).astype(np.float32)
    for goal in (6, 9, "order"):
        _, scores, _ = played(Active(goal=goal), full)
        np.testing.assert_array_equal(np.argsort(scores), np.argsort(utilities))


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
    chosen = _most_telling(posterior, closed, (better, others, wrong), 8)

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


def test_whoever_was_not_compared_is_compared_next():
    """Clear cases: nearly all of it is settled long before everybody was seen."""
    for seed in range(5):
        full, _, _ = noisy(30, seed, spread=9.0, noise=0.05)
        matrix, _, _ = played(Active(confidence=0.6), full)
        assert passes(matrix) <= 50


def test_clear_cases_end_after_few_comparisons():
    full, utilities, _ = noisy(12, 1, spread=5.0, noise=0.05, bias=0.0)
    matrix, scores, _ = played(Active(), full)
    assert int(np.argmax(scores)) == utilities.argmax()
    assert passes(matrix) < 0.35 * 12 * 11


def test_more_confidence_and_more_of_a_goal_ask_more():
    full, _, _ = noisy(10, 3, noise=0.5)
    asked = [passes(played(Active(confidence=c), full)[0]) for c in (0.6, 0.9, 0.999)]
    assert asked == sorted(asked)
    assert asked[0] < asked[-1]
    goals = [passes(played(Active(goal=g, confidence=0.9), full)[0]) for g in ("best", "order")]
    assert goals[0] < goals[1]


def test_equally_good_ones_are_not_asked_for_ever():
    utilities = np.array([float(k % 7) for k in range(120)])  # 17 share the first place
    full = (utilities[:, None] - utilities[None, :]).astype(np.float32)
    course = Course(Active().rounds([1] * 120))
    matrix = np.full(full.shape, np.nan, np.float32)
    np.fill_diagonal(matrix, 0.0)
    while not course.done:
        for pair in course.request:
            matrix[pair] = full[pair]
        course.reply(matrix)
    assert course.result is not None
    assert course.result.because == "settled"
    assert utilities[int(np.argmax(course.result.scores))] == 6.0
    assert passes(matrix) < 0.5 * 120 * 119


def test_time_is_a_budget_too():
    full, _, _ = noisy(10, 3)
    course = Course(Active(max_seconds=0.05, confidence=0.999999).rounds([1] * 10))
    matrix = np.full(full.shape, np.nan, np.float32)
    rounds = 0
    while not course.done:
        for pair in course.request:
            matrix[pair] = full[pair]
        rounds += 1
        time.sleep(0.06)
        course.reply(matrix)
    assert rounds == 1


def test_holes_cost_a_question_and_nothing_else():
    def logit(pair: Any) -> float:
        if "broken" in (pair.first, pair.second):
            return float("nan")
        return float(len(pair.first) - len(pair.second))

    ranker = PairRanker(ScriptedComparator(logit), schedule=Active())
    ranking = ranker.rank("q", ["a", "broken", "ccc", "bb", "eeeee", "dddd"])
    assert ranking.best.text == "eeeee"
    assert ranking.stopped_because in ("settled", "every pair was asked")
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


@pytest.mark.parametrize(("count", "share"), [(8, 0.4), (16, 0.25)])
def test_a_part_of_the_comparisons_picks_about_as_well_as_all_of_them(count, share):
    """Against a second full matrix, drawn anew: which pick is the same as its pick?"""
    agreed, by_itself, trials = 0, 0, 150
    budget = int(share * count * (count - 1))
    for seed in range(trials):
        full, utilities, advantage = noisy(count, seed, spread=3.0)
        rng = np.random.default_rng(1000 + seed)
        other = utilities[:, None] - utilities[None, :] + advantage
        other = other + rng.normal(0.0, 1.0, full.shape)
        np.fill_diagonal(other, 0.0)
        _, scores, _ = played(Active(max_passes=budget, seed=seed), full)
        agreed += int(np.argmax(scores)) == best_of(other)
        by_itself += best_of(full) == best_of(other)
    assert agreed >= by_itself - 0.05 * trials


def test_what_it_says_of_its_pick_holds():
    told, right = [], []
    for seed in range(300):
        full, utilities, _ = noisy(10, seed, spread=(0.75, 1.5, 3.0)[seed % 3])
        matrix, scores, _ = played(Active(max_passes=40), full)
        told.append(Posterior.of(matrix).best[int(np.argmax(scores))])
        right.append(int(np.argmax(scores)) == utilities.argmax())
    assert np.mean(told) == pytest.approx(np.mean(right), abs=0.04)
    assert Reliability.of(told, right).ece < 0.07  # 30 in a bin: chance alone gives about 0.05


# The belief


def test_probabilities_are_some():
    full, _, _ = noisy(6, 0)
    posterior = Posterior.of(full)
    assert posterior.best.sum() == pytest.approx(1.0)
    for i in range(6):
        for j in range(6):
            if i != j:
                assert posterior.better(i, j) + posterior.better(j, i) == pytest.approx(1.0)
    order = posterior.order
    assert posterior.reached(1, order) == pytest.approx(posterior.best[order[0]])
    assert posterior.reached("order", order) <= posterior.reached(1, order)


def test_nothing_asked_is_nothing_known():
    posterior = Posterior.of(np.full((4, 4), np.nan))
    np.testing.assert_allclose(posterior.best, 0.25, atol=0.05)
    np.testing.assert_array_equal(posterior.utilities, 0.0)


def test_the_scale_of_logits_does_not_matter_where_they_say_something():
    full, _, _ = noisy(6, 2)
    small, large = Posterior.of(full), Posterior.of(full * 1000.0)
    np.testing.assert_allclose(small.best, large.best, atol=1e-3)
    np.testing.assert_allclose(small.utilities * 1000.0, large.utilities, rtol=1e-2)


def test_next_to_no_margin_is_next_to_no_certainty():
    sure = [
        float(Posterior.of(np.array([[0.0, m], [-m, 0.0]])).better(0, 1))
        for m in (0.0, 0.01, 0.1, 1.0, 10.0)
    ]
    assert sure == sorted(sure)
    assert sure[0] == pytest.approx(0.5)
    assert sure[1] < 0.57
    assert sure[-1] > 0.8


def test_order_of_candidates_does_not_matter_but_for_the_draws():
    full, _, _ = noisy(6, 4)
    turned = Posterior.of(full[::-1, ::-1])
    np.testing.assert_allclose(Posterior.of(full).utilities, turned.utilities[::-1], atol=1e-8)


def test_the_bias_is_found_with_an_interval_that_holds_it():
    inside = 0
    for seed in range(200):
        full, _, advantage = noisy(8, seed)
        mean, low, high = Posterior.of(full).bias()
        assert low < mean < high
        inside += low <= advantage <= high
    assert 0.91 <= inside / 200 <= 0.99


def test_being_surer_is_being_right_more_often():
    sure: list[tuple[float, bool]] = []
    for seed in range(300):
        full, utilities, _ = noisy(8, seed, spread=1.0)
        posterior = Posterior.of(full)
        pick = int(posterior.order[0])
        sure.append((float(posterior.best[pick]), pick == utilities.argmax()))
    sure.sort()
    thirds = [sure[:100], sure[100:200], sure[200:]]
    right = [np.mean([hit for _, hit in third]) for third in thirds]
    told = [np.mean([p for p, _ in third]) for third in thirds]
    assert all(worse < better for worse, better in pairwise(right))
    np.testing.assert_allclose(right, told, atol=0.12)
