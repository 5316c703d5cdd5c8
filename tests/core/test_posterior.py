"""The belief behind probabilities: laws, the position bias, and what it is worth."""

from __future__ import annotations

import time
import tracemalloc
from itertools import pairwise

import numpy as np
import pytest
from comparisons import noisy

from blender_core import Candidate, Ranking
from blender_core.belief import design
from blender_core.belief.calibrator import Calibrator
from blender_core.belief.posterior import Posterior
from blender_core.ranking.matrix import order_and_ranks


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
        posterior = Posterior.of(full)
        low, high = posterior.bias_interval(0.95)
        assert low < posterior.bias < high
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


def orders(count: int, kind: str) -> np.ndarray:
    """A matrix of so many candidates: complete, noisy, with holes or of few comparisons."""
    rng = np.random.default_rng(0)
    utilities = rng.normal(size=count)
    matrix = utilities[:, None] - utilities
    if kind == "noisy":
        matrix = matrix + rng.normal(size=(count, count)) + 0.3
    if kind == "holes":
        matrix[[3, 3, 8], [5, 6, 1]] = np.nan
    if kind == "one order":
        matrix = np.where(np.tri(count, dtype=bool), matrix, np.nan)
    return matrix.astype(np.float32)


@pytest.mark.parametrize("kind", ["complete", "noisy", "holes", "one order"])
def test_even_candidates_are_known_without_computing(monkeypatch, kind):
    full = orders(40, kind)
    # Close at the top, so that who is best is in doubt.
    plain = Posterior.of(full * 0.02)
    assert plain.design.count == 0
    monkeypatch.setattr(design, "_MANY", 1)
    short = Posterior.of(full * 0.02)
    assert short.design.count == {"complete": 40, "noisy": 40, "holes": 35, "one order": 0}[kind]
    np.testing.assert_allclose(plain.utilities, short.utilities, atol=1e-9)
    np.testing.assert_allclose(plain.estimates, short.estimates, atol=1e-9)
    np.testing.assert_allclose(plain.covariance, short.covariance, atol=1e-9)
    np.testing.assert_array_equal(plain.linked, short.linked)
    i = np.arange(40)
    for j in (i[::-1], np.roll(i, 1), np.full(40, 3)):
        np.testing.assert_allclose(plain.better(i, j), short.better(i, j), atol=1e-9)
    np.testing.assert_allclose(plain.best, short.best, atol=0.06)
    assert plain.bias_interval(0.9) == pytest.approx(short.bias_interval(0.9), rel=0.1, abs=1e-3)


@pytest.mark.parametrize("kind", ["complete", "noisy", "holes"])
@pytest.mark.parametrize("calibrator", [None, Calibrator(1.0)])
@pytest.mark.parametrize("goal", ["best", 10, "order"])
def test_of_two_thousand_candidates_it_takes_neither_long_nor_much(kind, calibrator, goal):
    ranking = ranked(orders(2000, kind), [f"text {i}" for i in range(2000)], calibrator, goal)
    took, most = measured(ranking)
    assert took < 2.0
    assert most < 200e6
    assert 0.0 <= ranking.confidence <= 1.0
    assert sum(ranking.probability_best) == pytest.approx(1.0)


def test_copies_among_many_candidates_are_merged_as_quickly():
    ranking = ranked(orders(2000, "complete"), [f"text {i // 2}" for i in range(2000)])
    took, most = measured(ranking)
    assert took < 2.0
    assert most < 200e6
    assert sum(ranking.probability_best[::2]) == pytest.approx(1.0)


def ranked(matrix, texts, calibrator=None, goal="best") -> Ranking:
    scores = np.nanmean(matrix, axis=1).tolist()
    order, ranks = order_and_ranks(scores)
    candidates = tuple(map(Candidate, texts))
    return Ranking(
        candidates, order, ranks, tuple(scores), matrix, 0, goal=goal, calibrator=calibrator
    )


def measured(ranking: Ranking) -> tuple[float, float]:
    """Seconds of the processor, and bytes at most, that all its probabilities take."""
    tracemalloc.start()
    start = time.thread_time()
    _ = ranking.confidence, ranking.probability_best, ranking.utilities, ranking.position_bias
    ranking.probability(0, 1)
    took, most = time.thread_time() - start, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return took, most
