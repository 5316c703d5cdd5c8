"""Curves of schedules, what shortlists miss, the audit of a ranker, and their commands."""

from __future__ import annotations

import json
from html.parser import HTMLParser

import numpy as np
import pytest
from golden_data import CHECKPOINTS
from typer.testing import CliRunner

from blender_core import Calibrator, PairRanker, Ranking, Task
from blender_core.cli import app
from blender_core.evaluation.audit import audit
from blender_core.evaluation.audit_page import audit_page
from blender_core.evaluation.line_plot import Line, line_plot
from blender_core.evaluation.misses import misses
from blender_core.evaluation.schedule_curves import (
    RandomPairs,
    Truncated,
    replayed,
    schedule_curves,
)
from blender_core.evaluation.truth import Truth
from blender_core.ranking.schedules import Active, Bubble, Full, Knockout
from blender_core.testing import ScriptedComparator

PAIR_RANKER = str(CHECKPOINTS / "tiny-PairRM-hf")


def world(count, seed, noise=1.0, spread=2.0, bias=0.0):
    rng = np.random.default_rng(seed)
    utilities = rng.normal(0.0, spread, count)
    matrix = utilities[:, None] - utilities[None, :] + bias
    matrix += rng.normal(0.0, noise, (count, count))
    np.fill_diagonal(matrix, 0.0)
    return Task("q", [str(n) for n in range(count)]), matrix.astype(np.float32), utilities


# Curves


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
    worlds = [world(8, seed, noise, spread, bias=0.3) for seed in range(150)]
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


# The audit


def audited(logit, texts, outcome=None, calibrator=None):
    tasks = [Task("q", texts)]
    rankings = PairRanker(ScriptedComparator(logit), calibrator=calibrator).rank_many(tasks)
    nothing = np.full((len(texts), len(texts)), np.nan)
    known = nothing if outcome is None else np.array(outcome, dtype=float)
    truth = Truth(known, np.zeros(known.shape, bool), nothing[0], nothing[0])
    return audit(tasks, rankings, [truth], 1.0)


TEXTS = ["a", "bb", "cccc", "dddddddd"]


def test_a_ranker_that_likes_length_is_found_out():
    found = audited(lambda pair: len(pair.first) - len(pair.second), TEXTS)
    assert (found.prefers_longer, found.flips, found.cycles) == (1.0, 0.0, 0.0)
    assert found.position_bias == 0.0
    assert (found.pairs, found.passes) == (6, 2.0)
    assert found.accuracy is None
    assert found.reliability is None


def test_a_ranker_that_likes_what_comes_first_is_found_out():
    found = audited(lambda _: 1.0, TEXTS)
    assert (found.flips, found.position_bias) == (1.0, 1.0)
    assert found.prefers_longer == 0.5
    assert audited(lambda _: -1.0, TEXTS).position_bias == -1.0


def test_a_ranker_that_goes_in_circles_is_found_out():
    beats = {("a", "bb"), ("bb", "cccc"), ("cccc", "a")}

    def logit(pair):
        return 1.0 if (pair.first, pair.second) in beats else -1.0

    assert audited(logit, TEXTS[:3]).cycles == 1.0


def test_labels_say_how_often_it_is_right_and_for_which_lengths():
    longer = np.sign(np.subtract.outer([1, 2, 4, 8], [1, 2, 4, 8]))
    found = audited(lambda pair: len(pair.first) - len(pair.second), TEXTS, longer)
    assert (found.accuracy, found.accuracy_longer, found.accuracy_shorter) == (1.0, 1.0, None)
    assert not found.calibrated
    wrong = audited(lambda pair: len(pair.first) - len(pair.second), TEXTS, -longer)
    assert (wrong.accuracy, wrong.accuracy_shorter) == (0.0, 0.0)
    assert wrong.reliability.brier > 0.5
    fitted = audited(lambda pair: len(pair.first), TEXTS, longer, Calibrator(1.0))
    assert fitted.calibrated


def test_the_page_of_an_audit_lets_nobody_in():
    found = audited(lambda pair: len(pair.first) - len(pair.second), TEXTS)
    page = audit_page(found, "</title><script>alert(1)</script>")
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_a_text_is_not_compared_with_itself():
    found = audited(lambda pair: 1.0 + len(pair.first) - len(pair.second), ["x", "x", "yyyyy"])
    assert (found.pairs, found.flips) == (2, 0.0)


def test_answers_of_one_length_say_nothing_about_length():
    found = audited(lambda pair: 1.0 if pair.first < pair.second else -1.0, ["a", "b", "c"])
    assert found.prefers_longer is None
    assert found.by_length == ()


def test_bins_of_length_hold_all_pairs_of_different_lengths():
    found = audited(lambda pair: len(pair.first) - len(pair.second), [*TEXTS, "zz"])
    assert sum(one.count for one in found.by_length) == 9
    assert all(one.prefers_longer == 1.0 for one in found.by_length)
    ratios = [one.ratio for one in found.by_length]
    assert ratios == sorted(ratios)


def test_many_candidates_are_audited_by_chance():
    def logit(pair):
        return float((int(pair.second) - int(pair.first)) % 3 == 1) - 0.5

    found = audited(logit, [str(k) for k in range(90)])
    assert 0.05 < found.cycles < 0.5


# Plots


class Tags(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.found = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def test_points_are_drawn_where_they_belong():
    plot = line_plot("T", "x", "y", [Line("<b>", [0.0, 1.0, 2.0], [0.0, float("nan"), 4.0])])
    circles = [attrs for tag, attrs in Tags(plot).found if tag == "circle"]
    assert len(circles) == 2
    first, last = circles
    assert float(first["cx"]) < float(last["cx"])
    assert float(first["cy"]) > float(last["cy"])  # up is less
    assert "<b>" not in plot


@pytest.mark.parametrize("values", [[], [float("nan")], [1.0], [3.0, 3.0], [-1e9, 1e9]])
def test_any_values_can_be_drawn(values):
    plot = line_plot("T", "x", "y", [Line("name", values, values)])
    assert ("<svg" in plot) == any(np.isfinite(values))


# The commands


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    words = ["rice", "water", "heat", "slow", "good", "bad", "king", "queen"]
    with (tmp_path / "data.jsonl").open("w") as file:
        for number in range(48):
            texts = [" ".join(rng.choice(words, rng.integers(2, 9))) for _ in range(5)]
            scores = [len(set(text.split())) + float(rng.normal()) for text in texts]
            record = {
                "id": f"r{number}",
                "instruction": "How does one cook?",
                "candidates": [{"model": f"m{k}", "text": text} for k, text in enumerate(texts)],
                "scores": {"judge": scores},
            }
            file.write(json.dumps(record) + "\n")
    return tmp_path / "data.jsonl"


def run(*arguments):
    return CliRunner().invoke(app, list(map(str, arguments)))


def test_calibrate_writes_what_a_ranker_loads(data, tmp_path):
    folder = tmp_path / "calibrated"
    folder.mkdir()
    page = tmp_path / "c.html"
    done = run("calibrate", data, "--ranker", PAIR_RANKER, "--output", folder, "--html", page)
    assert done.exit_code == 0, done.output
    assert page.read_text().count("<svg") == 1
    assert "temperature" in done.stdout
    assert "held-out pairs: ECE" in done.stdout
    calibrator = Calibrator.load(folder)
    assert calibrator.temperature > 0
    assert len(calibrator.errors) == 24  # one pair a question, of half of the questions
    again = run("calibrate", data, "--ranker", PAIR_RANKER, "--output", folder)
    assert again.exit_code == 2
    assert "--force overwrites it" in again.output


def test_calibrate_needs_a_folder_and_labels(data, tmp_path):
    nowhere = run("calibrate", data, "--ranker", "mini", "--output", tmp_path / "none")
    assert nowhere.exit_code == 2
    assert "no such folder" in nowhere.output
    few = run("calibrate", data, "--ranker", "mini", "--output", tmp_path, "--limit", 3)
    assert few.exit_code == 2
    assert "too few" in few.output
    assert not (tmp_path / "calibration.json").exists()


def test_audit_ranker_tells_draws_and_writes(data):
    done = run(
        *("audit-ranker", data, "--ranker", PAIR_RANKER, "--limit", 20),
        *("--json", "a.json", "--html", "a.html"),
    )
    assert done.exit_code == 0, done.output
    assert "order flips" in done.stdout
    assert "uncalibrated" in done.stdout
    found = json.loads((data.parent / "a.json").read_text())
    assert found["pairs"] == 20 * 10
    assert 0 <= found["flips"] <= 1
    assert found["passes"] == pytest.approx(2.0)
    assert found["reliability"]["count"] == 200
    page = (data.parent / "a.html").read_text()
    assert page.count("<svg") == 3
    refused = run("audit-ranker", data, "--ranker", PAIR_RANKER, "--json", "a.json")
    assert refused.exit_code == 2


def test_bench_schedules_tells_draws_and_writes(data):
    done = run(
        *("bench-schedules", data, "--ranker", PAIR_RANKER, "--limit", 8),
        *("--json", "b.json", "--html", "b.html"),
    )
    assert done.exit_code == 0, done.output
    assert "stops by itself" in done.stdout
    assert "Shortlists by consensus:words" in done.stdout
    told = json.loads((data.parent / "b.json").read_text())
    assert told["records"] == 8
    assert {point["schedule"] for point in told["schedules"]} >= {"active", "bubble", "full"}
    assert [miss["keep"] for miss in told["misses"]] == [2, 4]
    assert (data.parent / "b.html").read_text().count("<svg") == 3


def test_bench_schedules_wants_a_ranker_that_has_a_schedule(data):
    done = run("bench-schedules", data, "--ranker", "consensus")
    assert done.exit_code == 2
    assert "only a pairwise ranker" in done.output


@pytest.mark.parametrize("command", ["audit-ranker", "bench-schedules"])
def test_bad_input_is_named(tmp_path, command):
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    done = run(command, empty, "--ranker", "mini")
    assert done.exit_code == 2
    assert "there is no record of" in done.output
    missing = run(command, tmp_path / "missing.jsonl", "--ranker", "mini")
    assert missing.exit_code == 2


def test_a_score_that_no_record_has_is_refused(data):
    done = run("audit-ranker", data, "--ranker", "mini", "--judge-score", "jugde")
    assert done.exit_code == 2
    assert "there are: judge" in done.output


def test_faulty_lines_are_said_and_counted(data):
    with data.open("a") as file:
        file.write("{nonsense\n")
    done = run("audit-ranker", data, "--ranker", PAIR_RANKER, "--json", "-")
    assert done.exit_code == 1
    assert "1 records were left out" in done.output
