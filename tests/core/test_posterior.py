"""The belief behind probabilities: laws, the position bias, and what it is worth."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from comparisons import noisy

from blender_core.belief.posterior import Posterior


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
