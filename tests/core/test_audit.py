"""What a ranker's comparisons give away about it, and how that is drawn."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import numpy as np
import pytest
from matplotlib.figure import Figure

from blender_core import Calibrator, PairRanker, Task
from blender_core.evaluation.audit import audit
from blender_core.evaluation.audit_page import audit_page
from blender_core.evaluation.plots import HeatMap, Line, LinePlot, RankBars, as_svg, save
from blender_core.evaluation.truth import Truth
from blender_core.testing import ScriptedComparator


def audited(logit, texts, outcome=None, calibrator=None):
    tasks = [Task("q", texts)]
    rankings = PairRanker(ScriptedComparator(logit), calibrator=calibrator).rank_many(tasks)
    nothing = np.full((len(texts), len(texts)), np.nan)
    known = nothing if outcome is None else np.array(outcome, dtype=float)
    truth = Truth(known, np.zeros(known.shape, bool), nothing[0], nothing[0])
    return audit(rankings, [truth], 1.0)


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
    assert (found.pairs, found.flips) == (1, 0.0)  # and copies count once


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


def test_points_are_drawn_where_they_belong():
    axes = Figure().subplots()
    LinePlot("T", "x", "y", [Line("b", [0.0, 1.0, 2.0], [0.0, float("nan"), 4.0])]).draw(axes)
    [line] = axes.lines
    assert line.get_xydata().tolist() == [[0.0, 0.0], [2.0, 4.0]]


@pytest.mark.parametrize("values", [[], [float("nan")], [1.0], [3.0, 3.0], [-1e9, 1e9]])
def test_any_values_can_be_drawn(values):
    plot = as_svg(LinePlot("T", "x", "y", [Line("name", values, values)]))
    assert ("<svg" in plot) == any(np.isfinite(values))


NAMES = ["<script>", r"$\frac{1}{2}$", "$x", "_hidden", "a\x1b\nb", "m\ud83d", "模型", "long " * 20]
SHARES = np.full((len(NAMES), len(NAMES)), 0.25)
PLOTS = {
    "heat map": HeatMap(NAMES, SHARES),
    "bars": RankBars(NAMES, SHARES),
    "lines": LinePlot("T", "x", "y", [Line(name, [0.0, 1.0], [0.0, 1.0]) for name in NAMES]),
}


@pytest.mark.parametrize("kind", PLOTS)
def test_a_name_in_a_plot_stays_letters(kind):
    svg = as_svg(PLOTS[kind])
    texts = fromstring(svg).iter("{http://www.w3.org/2000/svg}text")  # noqa: S314 - our own
    words = ["".join(text.itertext()) for text in texts]
    for name in ("<script>", r"$\frac{1}{2}$", "$x", "_hidden", "a\\u001b b", "m\\ud83d", "模型"):
        assert name in words
    assert svg == as_svg(PLOTS[kind])  # the same each time


@pytest.mark.parametrize("kind", [".png", ".svg"])
def test_plots_are_saved_below_each_other(tmp_path, kind):
    file = tmp_path / f"p{kind}"
    assert save([*PLOTS.values(), LinePlot("nothing", "x", "y", [])], file)
    beginning = file.read_bytes()[:400]
    assert beginning.startswith(b"\x89PNG") or b"<svg" in beginning
    nothing = tmp_path / f"n{kind}"
    assert not save([LinePlot("nothing", "x", "y", [])], nothing)
    assert not nothing.exists()
