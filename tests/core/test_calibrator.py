"""Calibrated probabilities: they hold, conformal promises are kept, and nothing is lost on disk."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_core import Active, Calibrator, JointRanker, PairRanker
from blender_core.belief.reliability import Reliability
from blender_core.errors import CheckpointError, InputError
from blender_core.testing import ScriptedComparator


def drawn(count: int, seed: int, temperature: float = 2.0) -> tuple[np.ndarray, np.ndarray]:
    """Margins, and labels of which a margin says too much by this factor."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(0.0, 4.0, count)
    wins = rng.random(count) < 1.0 / (1.0 + np.exp(-margins / temperature))
    return margins, wins


def bent(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Labels that no temperature explains: beyond a margin of 1 it makes no difference."""
    rng = np.random.default_rng(seed)
    margins = rng.normal(0.0, 4.0, count)
    sure = np.where(np.abs(margins) > 1.0, 0.9, 0.5)
    ahead = rng.random(count) < sure
    return margins, (margins > 0) == ahead


@pytest.mark.parametrize("temperature", [0.3, 1.0, 5.0])
def test_the_temperature_is_found(temperature):
    calibrator = Calibrator.fit(*drawn(6000, 0, temperature))
    assert calibrator.temperature == pytest.approx(temperature, rel=0.1)
    assert calibrator.after.ece < 0.03
    assert calibrator.after.count == 3000


def test_calibration_makes_probabilities_hold():
    margins, wins = drawn(6000, 1, temperature=4.0)
    calibrator = Calibrator.fit(margins, wins)
    assert calibrator.before.ece > 0.1
    assert calibrator.after.ece < 0.03
    assert calibrator.after.brier < calibrator.before.brier
    fresh, truth = drawn(6000, 2, temperature=4.0)
    assert Reliability.of(calibrator.probability(fresh), truth).ece < 0.03


def test_an_isotonic_regression_mends_what_a_temperature_cannot():
    margins, wins = bent(8000, 3)
    plain, isotonic = (Calibrator.fit(margins, wins, isotonic=i) for i in (False, True))
    assert isotonic.after.ece < 0.03 < plain.after.ece
    assert isotonic.after.brier < plain.after.brier
    told = isotonic.probability(np.linspace(-12, 12, 999))
    assert (np.diff(told) >= -1e-12).all()


FITTED = [Calibrator(0.5), Calibrator.fit(*bent(2000, 4), isotonic=True)]


@given(st.floats(-1e6, 1e6), st.sampled_from(FITTED))
def test_exchanging_the_answers_turns_the_probability(margin, calibrator):
    there, back = float(calibrator.probability(margin)), float(calibrator.probability(-margin))
    assert 0.0 <= there <= 1.0
    if margin:
        assert there + back == pytest.approx(1.0)
    assert (there >= 0.5) or margin < 0


@pytest.mark.parametrize("coverage", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("draw", [drawn, bent])
def test_the_promised_coverage_is_kept(draw, coverage):
    """Over many calibrations: the share of pairs decided wrongly is what was promised."""
    wrong, all_wrong = [], []
    for seed in range(60):
        calibrator = Calibrator.fit(*draw(400, 100 + seed))
        least = calibrator.abstain_below(coverage)
        margins, wins = draw(400, 1000 + seed)
        told = calibrator.probability(margins)
        sure = np.maximum(told, 1.0 - told)
        wrong.append(np.mean((sure >= least) & ((told > 0.5) != wins)))
        all_wrong.append(np.mean((told > 0.5) != wins))
    assert np.mean(wrong) <= 1.0 - coverage + 0.01
    # Nor is it silent where it need not be.
    assert np.mean(wrong) >= min(1.0 - coverage, np.mean(all_wrong)) - 0.02


def test_more_coverage_is_more_silence_and_too_much_is_silence():
    calibrator = Calibrator.fit(*drawn(400, 5))
    least = [calibrator.abstain_below(c) for c in (0.5, 0.8, 0.9, 0.99)]
    assert least == sorted(least)
    assert least[0] >= 0.5
    assert calibrator.abstain_below(0.999) == float("inf")


def test_a_question_is_never_divided_and_gives_the_conformal_part_one_pair():
    margins, wins = drawn(4000, 6)
    groups = np.repeat(np.arange(100), 40)
    calibrator = Calibrator.fit(margins, wins, groups=groups.tolist())
    assert len(calibrator.errors) == 50
    assert calibrator.after.count == 2000


@pytest.mark.parametrize(
    ("margins", "wins", "groups", "words"),
    [
        ([1.0] * 30, [1] * 29, None, "must be as many"),
        ([1.0] * 30, [1] * 30, [0] * 29, "must be as many"),
        ([1.0] * 29 + [float("nan")], [1] * 30, None, "NaN or infinite"),
        ([1.0] * 30, [0.5] * 30, None, "a win is 1 or 0"),
        ([1.0] * 5, [1] * 5, None, "too few"),
        ([1.0] * 90, [1] * 90, [0, 1, 2] * 30, "too few"),
    ],
)
def test_what_cannot_be_fitted_is_refused(margins, wins, groups, words):
    with pytest.raises(InputError, match=words):
        Calibrator.fit(margins, wins, groups=groups)


@pytest.mark.parametrize("coverage", [0.0, 1.0, -1, 2, "most", None])
def test_a_coverage_is_a_share(coverage):
    with pytest.raises(InputError, match="'coverage' must be a number above 0"):
        FITTED[1].abstain_below(coverage)


def test_without_pairs_there_is_no_promise():
    with pytest.raises(InputError, match="was not fitted"):
        Calibrator(1.0).abstain_below(0.9)


def test_it_is_saved_and_loaded_as_it_is(tmp_path):
    assert Calibrator.load(tmp_path) is None
    for calibrator in FITTED:
        calibrator.save(tmp_path)
        assert Calibrator.load(tmp_path) == calibrator


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"temperature": -1, "steps": [], "errors": [], "before": null, "after": null}',
        "[" * 100_000,
        '{"temperature": Infinity, "steps": [], "errors": [], "before": null, "after": null}',
        '{"temperature": "0.5", "steps": [], "errors": [], "before": null, "after": null}',
        '{"temperature": ' + "1" * 400 + ', "steps": [], "errors": []}',
        '{"temperature": 1, "steps": [[0.5, 0.2], [0.9, 0.3]], "errors": []}',
        '{"temperature": NaN, "steps": [], "errors": [], "before": null, "after": null}',
        '{"temperature": 1, "steps": [], "errors": [0.2, 0.1], "before": null, "after": null}',
        '{"temperature": 1, "steps": [], "errors": [NaN], "before": null, "after": null}',
        '{"temperature": 1, "steps": [[0.9, 0.5], [0.6, 0.9]], "errors": []}',
        '{"temperature": 1, "steps": [1], "errors": [], "before": null, "after": null}',
        '{"temperature": 1, "steps": [], "errors": [], "before": {"ece": 1}, "after": null}',
    ],
)
def test_a_broken_file_is_named(tmp_path, content):
    (tmp_path / "calibration.json").write_text(content)
    with pytest.raises(CheckpointError, match=r"calibration\.json: no calibration"):
        Calibrator.load(tmp_path)


def test_a_tie_is_a_tie_whatever_the_steps_are():
    assert float(Calibrator(1.0, ((0.6, 0.7),)).probability(0.0)) == 0.5


@pytest.mark.parametrize("isotonic", [False, True])
def test_a_tie_is_a_tie_whoever_came_first_in_the_data(isotonic):
    """Of preference pairs the chosen answer comes first; a ranker that ties all knows nothing."""
    tied = Calibrator.fit(np.zeros(200), np.ones(200), isotonic=isotonic)
    assert float(tied.probability(0.0)) == 0.5
    assert tied.after.ece == 0.0
    assert tied.after.brier == 0.25
    for seed in range(5):
        margins, wins = drawn(400, seed)
        fitted = Calibrator.fit(np.append(margins, np.zeros(99)), np.append(wins, np.ones(99)))
        assert float(fitted.probability(0.0)) == 0.5


def test_the_conformal_part_of_many_questions_is_drawn_by_chance():
    """Easy questions first, hard ones last: both must be among those that are kept."""
    easy, hard = drawn(21_000, 0, 0.5), drawn(21_000, 1, 50.0)
    margins, wins = (np.concatenate(both) for both in zip(easy, hard, strict=True))
    calibrator = Calibrator.fit(margins, wins)
    assert len(calibrator.errors) == 10_000
    told = calibrator.probability(margins)
    sure = np.maximum(told, 1.0 - told) >= calibrator.abstain_below(0.9)
    assert np.mean(sure & ((told > 0.5) != wins)) <= 0.11


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_margins_may_have_any_scale(scale):
    margins, wins = drawn(4000, 7)
    assert Calibrator.fit(margins * scale, wins).after.ece < 0.04


# In rankers


def scripted(**options) -> PairRanker:
    comparator = ScriptedComparator({"good": 2.0, "fair": 1.0, "bad": 0.0})
    return PairRanker(comparator, **options)


def test_a_ranking_says_whether_it_is_calibrated_and_what_the_labels_would_say():
    texts = ["bad", "good", "fair"]
    plain = scripted().rank("q", texts)
    fitted = scripted(calibrator=Calibrator(2.0)).rank("q", texts)
    assert not plain.is_calibrated
    assert fitted.is_calibrated
    assert plain.utilities == fitted.utilities
    lead = plain.utilities[1] - plain.utilities[2]
    assert fitted.probability(1, 2) == pytest.approx(1.0 / (1.0 + np.exp(-lead / 2.0)))
    # Luce's choice: with a temperature alone, the shares are a softmax of the utilities.
    worths = np.exp(np.array(plain.utilities) / 2.0)
    np.testing.assert_allclose(fitted.probability_best, worths / worths.sum(), rtol=1e-6)
    assert fitted.confidence == fitted.probability_best[1]
    by_order = scripted(calibrator=Calibrator(2.0)).rank(
        "q", texts, schedule=Active(goal="order", confidence=0.5)
    )
    # The best first, and then the second before the third.
    then = fitted.probability(2, 0)
    assert by_order.confidence == pytest.approx(fitted.confidence * then, abs=0.06)


def test_what_is_shipped_is_calibrated():
    for ranker in (PairRanker(), JointRanker()):
        ranking = ranker.rank("Why is the sky blue?", ["Rayleigh scattering.", "It is not.", "?"])
        assert ranking.is_calibrated
        assert sum(ranking.probability_best) == pytest.approx(1.0)
        assert ranker.calibrator.after.ece < 0.05
        assert 0.5 < ranker.calibrator.abstain_below(0.9) < 1.0


def test_a_calibration_travels_with_its_ranker(tmp_path):
    ranker = PairRanker(calibrator=FITTED[1])
    ranker.save_pretrained(tmp_path)
    assert json.loads((tmp_path / "calibration.json").read_text())["temperature"]
    loaded = PairRanker.from_pretrained(tmp_path, device="cpu")
    assert loaded.calibrator == FITTED[1]
    texts = ["Rayleigh scattering.", "It is not."]
    one, other = (r.rank("Why is the sky blue?", texts) for r in (ranker, loaded))
    assert one.probability(0, 1) == pytest.approx(other.probability(0, 1), abs=1e-4)


def test_a_comparator_that_cannot_be_saved_says_so(tmp_path):
    with pytest.raises(InputError, match="ScriptedComparator has no save_pretrained"):
        scripted().save_pretrained(tmp_path)


def test_an_old_calibration_does_not_stay_with_new_weights(tmp_path):
    ranker = PairRanker()
    ranker.save_pretrained(tmp_path)
    PairRanker(ranker.comparator).save_pretrained(tmp_path)
    assert PairRanker.from_pretrained(tmp_path, device="cpu").calibrator is None


# Reliability


def test_equal_probabilities_are_in_one_bin_in_whatever_order():
    told, happened = [0.7] * 1000, [True] * 700 + [False] * 300
    assert Reliability.of(told, happened).ece == pytest.approx(0.0, abs=1e-9)
    mixed = [0.6, 0.9] * 500
    assert len(Reliability.of(mixed, [True] * 1000).bins) == 2


def test_reliability_counts_either_side_of_a_pair_alike():
    rng = np.random.default_rng(0)
    told, happened = rng.random(500), rng.random(500) < 0.5
    one, other = Reliability.of(told, happened), Reliability.of(1.0 - told, ~happened)
    assert one.ece == pytest.approx(other.ece)
    assert one.brier == pytest.approx(other.brier)


def test_the_answer_that_was_taken_to_be_better_is_looked_at():
    [one] = Reliability.of([0.2] * 10, [False] * 8 + [True] * 2).bins
    assert (one.told, one.happened) == (pytest.approx(0.8), pytest.approx(0.8))


def test_perfect_and_hopeless():
    sure = Reliability.of([1.0, 0.0, 1.0], [True, False, True])
    assert (sure.ece, sure.brier) == (0.0, 0.0)
    wrong = Reliability.of([1.0, 0.0, 1.0], [False, True, False])
    assert (wrong.ece, wrong.brier) == (1.0, 1.0)
    assert Reliability.of([], []).count == 0
