"""Curves of schedules, the rivals in them, and what shortlists miss."""

from __future__ import annotations

import numpy as np
import pytest
from comparisons import noisy

from blender_core import Ranking, Task
from blender_core.evaluation.misses import misses
from blender_core.evaluation.replay import replayed
from blender_core.evaluation.rivals import RandomPairs, Truncated
from blender_core.evaluation.schedule_curves import schedule_curves
from blender_core.ranking.schedules import Active, Bubble, Full, Knockout


def world(count, seed, **options):
    matrix, utilities, _ = noisy(count, seed, **options)
    return Task("q", [str(n) for n in range(count)]), matrix, utilities


def test_a_schedule_that_stops_by_itself_within_the_budget_is_left_alone():
    task, matrix, _ = world(8, 0)
    for schedule in (Knockout(), Bubble(), Full(), Active()):
        whole = replayed(task, matrix, schedule).ranking
        same = replayed(task, matrix, Truncated(schedule, 56)).ranking
        assert same.order == whole.order
        assert same.passes == whole.passes


@pytest.mark.parametrize("passes", [1, 5, 13])
def test_a_truncated_schedule_asks_no_more_and_still_has_an_answer(passes):
    task, matrix, _ = world(8, 1)
    for schedule in (Knockout(), Bubble(), Full()):
        ranking = replayed(task, matrix, Truncated(schedule, passes)).ranking
        assert ranking.passes == passes
        assert ranking.stopped_because == "max_passes"
        assert sorted(ranking.order) == list(range(8))


def test_random_pairs_are_different_ones_and_as_many():
    task, matrix, _ = world(8, 2)
    for passes in (1, 20, 56):
        assert replayed(task, matrix, RandomPairs(passes)).ranking.passes == passes
    assert replayed(task, matrix, RandomPairs()).ranking.passes == 56


def test_curves_go_from_little_to_everything():
    worlds = [world(9, seed) for seed in range(40)]
    points = schedule_curves(*(list(part) for part in zip(*worlds, strict=True)))
    found = {(point.schedule, point.budget): point for point in points}
    full = found["full", None]
    assert (full.share, full.best, full.top, full.regret) == (1.0, 1.0, 1.0, 0.0)
    active = [point for point in points if point.schedule == "active"]
    assert active[0].best < 0.7 < active[-1].best == 1.0
    assert all(point.share <= (point.budget or 1.0) + 0.01 for point in active)
    # No fixed plan is shown twice, as costing more than it does.
    assert [p.budget for p in points if p.schedule == "knockout"].count(None) == 1
    assert all(p.share > 0.9 * p.budget for p in points if p.schedule == "bubble" and p.budget)


@pytest.mark.parametrize(("spread", "noise"), [(3.0, 1.0), (1.5, 1.0), (2.0, 0.1)])
def test_choosing_pairs_loses_no_more_than_any_other_plan(spread, noise):
    """Utility lost by the pick, from N passes on, over 150 tasks of 8 candidates."""
    worlds = [world(8, seed, noise=noise, spread=spread, bias=0.3) for seed in range(150)]
    tasks, matrices, worths = (list(part) for part in zip(*worlds, strict=True))
    budgets = (0.15, 0.25, 0.4, 0.6)
    points = schedule_curves(tasks, matrices, worths, budgets=budgets)
    best = np.mean([worth.max() for worth in worths])
    lost = {(p.schedule, p.budget): best - p.worth for p in points}
    for budget in budgets:
        # A budget of 0.25 is what the fixed plans cost.
        by_plan = None if budget >= 0.25 else budget
        rivals = [lost["random pairs", budget], lost["knockout", by_plan], lost["bubble", by_plan]]
        assert lost["active", budget] <= min(rivals) + 0.05


def test_random_pairs_are_others_for_every_task():
    worlds = [world(8, 3)] * 12
    tasks, matrices, _ = (list(part) for part in zip(*worlds, strict=True))
    points = schedule_curves(tasks, matrices, budgets=(0.1,))
    share = next(point.best for point in points if point.schedule == "random pairs")
    assert 0.0 < share < 1.0


def test_shortlists_miss_what_the_first_ranker_misjudges():
    def ranking(scores):
        order = tuple(sorted(range(len(scores)), key=lambda k: -scores[k]))
        task = Task("q", [str(n) for n in range(len(scores))])
        matrix = np.subtract.outer(scores, scores).astype(np.float32)
        return Ranking(task.candidates, order, order, tuple(scores), matrix, 0)

    dear = [ranking([5.0, 4.0, 3.0, 2.0, 1.0])] * 2
    cheap = [ranking([5.0, 4.0, 3.0, 2.0, 1.0]), ranking([1.0, 5.0, 4.0, 3.0, 2.0])]
    worths = [np.array([10.0, 8.0, 1.0, 1.0, 1.0])] * 2
    found = misses(cheap, dear, worths, kept=(2, 4, 5))
    assert [(m.keep, m.tasks, m.missed, m.worth_lost) for m in found] == [
        (2, 2, 0.5, 1.0),
        (4, 2, 0.5, 1.0),
    ]
