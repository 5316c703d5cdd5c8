"""Figures of an evaluation: against cases computed by hand and against scipy's own numbers."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from blender_core.candidates import Task
from blender_core.data.records import read_record
from blender_core.errors import InputError
from blender_core.evaluation.agreement import Scored, agreement, contributions
from blender_core.evaluation.baselines import BASELINES, RuleRanker
from blender_core.evaluation.evaluation import evaluate
from blender_core.evaluation.figures import Bootstrap, Ratio
from blender_core.evaluation.ranks import correlation, kendall_tau, ranks_of
from blender_core.evaluation.store import Store
from blender_core.evaluation.truth import TruthOptions, truth_of
from blender_core.evaluation.wanted import Blending, Evaluation, MetricWanted
from blender_core.fusion.fuser import Fuser

NO_INTERVALS = Bootstrap(0)


def record(id, texts, *, models="abcdefgh", **more):
    candidates = [{"model": m, "text": t} for m, t in zip(models, texts, strict=False)]
    return read_record({"id": id, "instruction": "Why?", "candidates": candidates, **more})


THREE = record(
    1,
    ["aaaa", "bb", "cccccc"],
    output="aaaa",
    cmp_results={"a,b": "A is better", "a,c": "Same good", "b,c": "Same bad"},
)
"""Points: a 1 + ½, b 0 + ½, c ½ + ½; so the ranks are 1, 3, 2."""


# --- what a record knows -----------------------------------------------------------------------


def test_verdicts_become_outcomes_and_gpt_rank():
    truth = truth_of(THREE)
    assert truth.outcome.tolist() == [[0, 1, 0], [-1, 0, 0], [0, 0, 0]]
    assert truth.ranks.tolist() == [1, 3, 2]
    assert truth.same_bad.tolist() == [[False] * 3, [False, False, True], [False, True, False]]


def test_scores_decide_where_nobody_compared_and_a_small_gap_is_a_tie():
    graded = record(1, "xyz", scores={"model_level_x": [1, 2, 3], "points": [9, 8, 5]})
    assert truth_of(graded).ranks.tolist() == [1, 2, 3]
    assert truth_of(graded).outcome[0].tolist() == [0, 1, 1]
    near = truth_of(graded, TruthOptions(gaps={"points": 1.0}))
    assert near.outcome[0].tolist() == [0, 0, 1]
    assert near.scores.tolist() == [9, 8, 5]
    assert truth_of(graded, TruthOptions(["model_level_x"])).ranks.tolist() == [3, 2, 1]


def test_verdicts_come_before_scores_unless_a_score_is_asked_for():
    both = record(1, "xyz", scores={"s": [1, 2, 3]}, judgements=[{"a": 0, "b": 1, "winner": "a"}])
    usual = truth_of(both)
    assert usual.outcome[0, 1] == 1
    assert np.isnan(usual.outcome[0, 2])
    assert usual.ranks.tolist() == [3, 2, 1]  # not all pairs were compared, but all were scored
    assert truth_of(both, TruthOptions(["s"])).outcome[0].tolist() == [0, -1, -1]


def test_a_record_without_any_judge_knows_nothing():
    truth = truth_of(record(1, "xy"))
    assert np.isnan(truth.outcome[0, 1])
    assert not truth.ranked


# --- agreement of a ranking with the judge -----------------------------------------------------


def scored(scores, matrix=None):
    column = np.array(scores, dtype=float)
    if matrix is None:
        matrix = column[:, None] - column[None, :]
    return Scored(ranks_of(scores), np.array(matrix, dtype=float))


def test_agreement_of_three_answers_by_hand():
    # Decided pairs by score: x > y > z; lengths 10, 20, 5. The ranking says y > x > z.
    judged = record(1, ["x" * 10, "y" * 20, "z" * 5], scores={"s": [3, 2, 1]})
    texts = [answer.text for answer in judged.candidates]
    sums = contributions(texts, truth_of(judged), scored([2, 3, 1]))
    figures = agreement(sums[None], NO_INTERVALS)
    assert figures["accuracy"].value == pytest.approx(2 / 3)
    # The longer is right in x > z and y > z: both found; the shorter in x > y: not found.
    assert figures["balanced_accuracy"].value == pytest.approx((1 + 0) / 2)
    assert figures["kendall_tau"].value == pytest.approx(1 / 3)
    assert figures["judge_score"].value == 2
    assert figures["flip_rate"].value == 0
    assert figures["position_bias"].value == 0


def test_accuracy_is_the_mean_over_records_and_the_balanced_one_over_pairs():
    one = record(1, ["xx", "y"], scores={"s": [2, 1]})  # longer is right
    two = record(2, ["x", "yy", "zzz"], scores={"s": [3, 2, 1]})  # shorter is right, 3 pairs
    longest = [scored([2, 1]), scored([1, 2, 3])]
    sums = np.stack(
        [
            contributions([a.text for a in r.candidates], truth_of(r), ranking)
            for r, ranking in zip([one, two], longest, strict=True)
        ]
    )
    figures = agreement(sums, NO_INTERVALS)
    assert figures["accuracy"].value == 0.5
    assert figures["balanced_accuracy"].value == 0.5
    assert figures["accuracy"].records == 2


def test_flips_and_position_bias_by_hand():
    # Pair 0-1: first-shown wins both times. Pair 0-2: no matter. Pair 1-2: asked once only.
    matrix = [[0, 2, 1], [1, 0, 3], [-1, np.nan, 0]]
    judged = record(1, "xyz", scores={"s": [3, 2, 1]})
    sums = contributions("xyz", truth_of(judged), scored([3, 2, 1], matrix))
    figures = agreement(sums[None], NO_INTERVALS)
    assert figures["flip_rate"].value == 0.5
    # |2 + 1| and |1 - 1|, mean 1.5; |l| of the same four passes: 2, 1, 1, 1, mean 1.25.
    assert figures["position_bias"].value == pytest.approx(1.5 / 1.25)


def test_an_undecided_pair_counts_half_and_equal_lengths_are_no_case_of_length():
    judged = record(1, ["same", "size"], scores={"s": [2, 1]})
    sums = contributions(["same", "size"], truth_of(judged), scored([1, 1]))
    figures = agreement(sums[None], NO_INTERVALS)
    assert figures["accuracy"].value == 0.5
    assert figures["balanced_accuracy"].value is None
    assert figures["kendall_tau"].value is None  # a constant ranking correlates with nothing
    assert figures["judge_score"].value == 1.5  # both are first: the order in the data is no matter


numbers = st.lists(st.integers(0, 4), min_size=2, max_size=8)


@given(numbers.flatmap(lambda a: st.tuples(st.just(a), st.permutations(a))))
def test_kendall_tau_is_scipys(pair):
    a, b = (np.array(values, dtype=float) for values in pair)
    expected = stats.kendalltau(a, b).statistic if len(set(pair[0])) > 1 else np.nan
    assert kendall_tau(a, b) == pytest.approx(expected, nan_ok=True)


# --- correlation with GPT-Rank -----------------------------------------------------------------


def test_footrule_by_hand():
    found = correlation(
        ["ab", "abc"],
        [np.array([2, 1]), np.array([1, 3, 2])],
        [
            np.array([1, 2]),
            np.array([1, 2, 3]),
        ],
    )
    assert found.footrule == (2 + 2) / 2
    assert found.footrule_share == (2 / 2 + 2 / 4) / 2
    assert found.records == 2
    assert found.pearson_in_record == pytest.approx((-1 + 0.5) / 2)


def test_pearson_and_spearman_are_the_means_over_models_of_scipys():
    random = np.random.default_rng(0)
    found = [ranks_of(row) for row in random.integers(0, 9, (30, 4)).astype(float)]
    wanted = [ranks_of(row) for row in random.integers(0, 9, (30, 4)).astype(float)]
    result = correlation(["abcd"] * 30, found, wanted)
    columns = list(zip(np.array(found).T, np.array(wanted).T, strict=True))
    assert result.pearson == pytest.approx(np.mean([stats.pearsonr(*c)[0] for c in columns]))
    assert result.spearman == pytest.approx(np.mean([stats.spearmanr(*c)[0] for c in columns]))
    distance = np.abs(np.array(found) - np.array(wanted)).sum(axis=1).mean()
    assert result.footrule == pytest.approx(distance)


def test_records_without_ranks_are_left_out():
    found = correlation(
        ["ab"] * 3,
        [None, np.array([np.nan] * 2), np.array([1, 2])],
        [
            np.array([1, 2]),
            np.array([1, 2]),
            np.array([1, 2]),
        ],
    )
    assert (found.footrule, found.records) == (0, 1)
    assert found.pearson is None


# --- intervals ---------------------------------------------------------------------------------


def test_intervals_are_those_of_scipys_percentile_bootstrap():
    values = np.random.default_rng(1).normal(2.0, 1.0, 200)
    mine = Bootstrap(4000, seed=0).figure(Ratio.mean(values))
    theirs = stats.bootstrap(
        (values,), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(2)
    ).confidence_interval
    assert mine.value == pytest.approx(values.mean())
    # Both are drawn at random: they agree to a fraction of their width.
    assert mine.low == pytest.approx(theirs.low, abs=0.02)
    assert mine.high == pytest.approx(theirs.high, abs=0.02)


def test_intervals_of_tiny_and_constant_data():
    two = Bootstrap(1000).figure(Ratio.mean([0.0, 1.0, np.nan]))
    assert (two.value, two.low, two.high, two.records) == (0.5, 0.0, 1.0, 2)
    same = Bootstrap(100).figure(Ratio.mean([3.0] * 5))
    assert (same.low, same.high) == (3.0, 3.0)
    assert Bootstrap(100).figure(Ratio.mean([np.nan])).value is None
    assert Bootstrap(100).figure(Ratio.mean([1.0])).low is None


def test_the_seed_decides_the_interval():
    values = Ratio.mean(np.arange(50.0))
    first, again = (Bootstrap(200, seed=3).figure(values) for _ in range(2))
    assert first == again
    assert first != Bootstrap(200, seed=4).figure(values)


# --- rules of thumb ----------------------------------------------------------------------------


def test_baselines_pick_what_their_names_say():
    task = Task("Why is the sky blue?", ["Because.", "The sky is blue, is it not?", "Um. " * 9, ""])
    picks = {name: make().rank_many([task])[0].order[0] for name, make in BASELINES.items()}
    assert picks["longest"] == 2
    assert picks["shortest"] == 0  # an empty answer is no short answer
    assert picks["question overlap"] == 1


# --- the whole table ---------------------------------------------------------------------------


def rows_of(report):
    return {(row.kind, row.name): row.figures for row in report.rows}


def test_selections_of_one_record_by_hand():
    wanted = Evaluation(
        rankers={"longest": RuleRanker(lambda _, answer: len(answer))},
        metrics=[MetricWanted("rougeL")],
        reference_models=["b"],
        bootstrap=NO_INTERVALS,
    )
    report = evaluate([THREE], wanted)
    rows = rows_of(report)

    def value(kind, name, key):
        return rows[kind, name][key].value

    assert [value("model", name, "gpt_rank") for name in "abc"] == [1, 3, 2]
    assert value("random", "random", "gpt_rank") == 2
    assert value("ranker", "longest", "gpt_rank") == 2
    assert value("oracle", "GPT-Rank", "gpt_rank") == 1
    assert value("oracle", "ROUGE-L", "rougeL") == 100
    assert [value("model", name, "first") for name in "abc"] == [1, 0, 0]
    # Against b: a wins, b itself ties, c ties, but both are bad.
    assert [value("model", name, "at_least:b") for name in "abc"] == [1, 1, 1]
    assert [value("model", name, "points:b") for name in "abc"] == [1, 0.5, 0]
    assert value("random", "random", "points:b") == 0.5
    assert report.models == ["a", "c", "b"]
    assert report.beats[0, 1] == 0.5  # a and c tie
    assert report.beats[0, 2] == 1
    assert report.rank_shares.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert report.correlations["longest"].footrule == 2  # it says 2, 3, 1


def test_first_places_are_shared_and_sum_to_one():
    tied = record(1, "xyz", scores={"s": [2, 2, 1]})
    rows = rows_of(evaluate([tied], Evaluation(bootstrap=NO_INTERVALS)))
    assert [rows["model", name]["first"].value for name in "abc"] == [0.5, 0.5, 0]


def test_more_models_than_a_table_can_hold():
    records = [record(k, "xy", models=(f"m{k}", "same"), scores={"s": [1, 2]}) for k in range(150)]
    report = evaluate(records, Evaluation(bootstrap=NO_INTERVALS, reference_models=["m149"]))
    models = [row.name for row in report.rows if row.kind == "model"]
    assert len(models) == 100
    assert "same" in models
    assert report.notes == ["Of 151 models, the 100 with the most answers have rows."]
    assert rows_of(report)["random", "random"]["gpt_rank"].records == 150
    assert rows_of(report)["model", "same"]["at_least:m149"].value == 1


def test_groups_and_their_mean_and_scales_that_do_not_mix():
    one = record("p-1", ["xx", "y"], scores={"points": [9, 1]})
    two = record("q-1", ["x", "yy"], scores={"share": [0.5, 0.25]})
    report = evaluate(
        [one, two],
        Evaluation(
            rankers={"longest": BASELINES["longest"]()},
            group=lambda record: str(record.id)[0],
            bootstrap=NO_INTERVALS,
        ),
    )
    found = {group: rankers["longest"] for group, rankers in report.agreement.items()}
    assert found["p"]["accuracy"].value == 1
    assert found["q"]["accuracy"].value == 0
    assert found["mean of groups"]["accuracy"].value == 0.5
    assert found["p"]["judge_score"].value == 9
    assert found["all"]["judge_score"].value is None
    assert "different scales" in report.notes[0]
    assert report.agreement["p"]["random pick"]["judge_score"].value == 5
    assert report.agreement["p"]["best single model (a)"]["judge_score"].value == 9
    assert report.agreement["q"]["oracle pick"]["judge_score"].value == 0.5


def test_nothing_to_evaluate_is_an_error():
    with pytest.raises(InputError, match="no record"):
        evaluate([], Evaluation())


def test_metrics_without_references_are_named_not_fatal():
    report = evaluate(
        [record(1, "xy", scores={"s": [1, 2]})],
        Evaluation(metrics=[MetricWanted("rougeL")], bootstrap=NO_INTERVALS),
    )
    notes = {column.key: column.note for column in report.columns}
    assert notes["rougeL"] == "no record has a reference answer ('output')"
    assert rows_of(report)["random", "random"]["gpt_rank"].value == 1.5


# --- failures, and what is kept ----------------------------------------------------------------


class Moody(RuleRanker):
    """Cannot stand an answer."""

    def __init__(self):
        super().__init__(lambda _, answer: len(answer))
        self.asked = []

    def rank_many(self, tasks, *, show_progress=False):
        tasks = list(tasks)
        self.asked += tasks
        if any(answer.text == "bad" for task in tasks for answer in task.candidates):
            raise RuntimeError("out of patience")
        return super().rank_many(tasks)


RECORDS = [
    record(1, ["long", "x"], scores={"s": [2, 1]}),
    record(2, ["bad", "x"], scores={"s": [2, 1]}),
    record(3, ["x", "long"], scores={"s": [2, 1]}),
]


def test_a_failure_costs_one_record_and_is_told():
    wanted = Evaluation(rankers={"moody": Moody()}, bootstrap=NO_INTERVALS)
    report = evaluate(RECORDS, wanted)
    figure = rows_of(report)["ranker", "moody"]["judge_score"]
    assert (figure.value, figure.records) == (1.5, 2)
    assert report.notes == [
        "moody: failed on 1 of 3 records, the first time with: RuntimeError: out of patience"
    ]


def test_what_is_known_is_not_computed_again(tmp_path):
    path = tmp_path / "kept"
    good = [RECORDS[0], RECORDS[2]]
    first = Moody()
    with closing(Store(path)) as store:
        evaluate(good, Evaluation(rankers={"m": first}, bootstrap=NO_INTERVALS), store)
    again = Moody()
    with closing(Store(path, resume=True)) as store:
        report = evaluate(good, Evaluation(rankers={"m": again}, bootstrap=NO_INTERVALS), store)
    assert store.found == 2
    assert (len(first.asked), len(again.asked)) == (2, 0)
    assert rows_of(report)["ranker", "m"]["judge_score"].value == 1.5


KILLED_WHILE_WRITING = """
import os, signal, sqlite3, sys
from pathlib import Path
from blender_core.evaluation.store import Store

store = Store(Path(sys.argv[1]))
store.all("w", "W", [("a", 1)], lambda items: [[2.0]], lambda *_: None)
# As in the middle of the next window: some of it is in the file already, some is not.
store._file.execute("PRAGMA cache_size = 1")
store._file.execute("BEGIN")
for place in range(2000):
    row = ("'w'", f"torn {place}", b"[1.0]" * 100)
    store._file.execute("INSERT INTO results (worker, about, value) VALUES (?, ?, ?)", row)
os.kill(os.getpid(), signal.SIGKILL)
"""


def any_value(*_):
    """Holds no value against anything."""


def test_a_run_that_is_killed_while_it_writes_costs_only_that_window(tmp_path):
    path = tmp_path / "kept"
    subprocess.run([sys.executable, "-c", KILLED_WHILE_WRITING, path], check=False)
    assert path.stat().st_size > 100_000  # much of what was not finished
    with closing(Store(path, resume=True)) as store:
        assert store.found == 1
        assert store.all("w", "W", [("a", 1)], lambda _: [[3.0]], any_value).values == [[2.0]]


def test_values_are_those_that_a_resumed_run_reads(tmp_path):
    def compute(items):
        return [[float("nan"), 0.1 + item] for item in items]

    with closing(Store(tmp_path / "kept")) as store:
        found = store.all("w\ud83d", "W", [("a", 1), ("b", 2)], compute, any_value).values
    assert found == [[None, 1.1], [None, 2.1]]
    with closing(Store(tmp_path / "kept", resume=True)) as store:
        assert (
            store.all("w\ud83d", "W", [("b", 2), ("a", 1)], compute, any_value).values
            == found[::-1]
        )


def test_the_store_refuses_what_it_did_not_write(tmp_path):
    path = tmp_path / "kept"
    path.write_text('{"by": 1}\n')
    with pytest.raises(InputError, match="exists"):
        Store(path)
    with pytest.raises(InputError, match="no file of an earlier evaluation"):
        Store(path, resume=True)
    assert path.read_text() == '{"by": 1}\n'
    with closing(sqlite3.connect(tmp_path / "other")) as other:
        other.execute("CREATE TABLE results (worker, about, value)")
    with pytest.raises(InputError, match="no file of an earlier evaluation"):
        Store(tmp_path / "other", resume=True)
    with closing(Store(path, force=True)) as store:
        assert store.found == 0


class Joined(Fuser):
    def fuse_many(self, tasks):
        return [" ".join(answer.text for answer in task.candidates) for task in tasks]


def test_a_blend_takes_known_rankings_and_has_no_figures_by_a_judge_who_has_not_seen_it():
    ranker = Moody()
    records = [
        record(1, ["sky", "blue"], output="blue sky", scores={"s": [2, 1]}),
        record(2, ["one", "one"], output="one", scores={"s": [2, 1]}),
    ]
    report = evaluate(
        records,
        Evaluation(
            rankers={"m": ranker},
            blends={"m + joined": Blending("m", Joined(), verify=False)},
            metrics=[MetricWanted("rougeL")],
            bootstrap=NO_INTERVALS,
        ),
    )
    assert len(ranker.asked) == 2
    blend = rows_of(report)["blend", "m + joined"]
    assert blend["rougeL"].value == 100
    assert blend["gpt_rank"].value is None
    assert "m + joined: 1 of 2 answers are fused" in report.notes[0]


def test_a_blend_that_never_fused_is_judged_by_its_pick():
    report = evaluate(
        [record(1, ["one", "one"], scores={"s": [2, 1]})],
        Evaluation(
            rankers={"m": Moody()},
            blends={"b": Blending("m", Joined())},
            bootstrap=NO_INTERVALS,
        ),
    )
    assert rows_of(report)["blend", "b"]["judge_score"].value == 2


def test_a_ranker_as_the_judge_sees_the_fused_text_too():
    # The judge prefers short answers: "b" (1), "aa" (2), and the fused "aa b" or "b aa" (3).
    shorter = BASELINES["shortest"]()
    report = evaluate(
        [record(1, ["aa", "b"], output="aa", scores={"s": [2, 1]}), record(2, ["c", "c"])],
        Evaluation(
            rankers={"longest": BASELINES["longest"]()},
            blends={"blend": Blending("longest", Joined(), verify=False)},
            reference_models=["a"],
            judge_ranker=("shortest", shorter),
            bootstrap=NO_INTERVALS,
        ),
    )
    rows = rows_of(report)
    # The second record: two equal answers, both ranked first, and nothing to fuse.
    assert rows["ranker", "longest"]["gpt_rank"].value == (2 + 1) / 2
    assert rows["model", "b"]["gpt_rank"].value == 1
    assert rows["blend", "blend"]["gpt_rank"].value == (3 + 1) / 2
    assert rows["blend", "blend"]["at_least:a"].value == (0 + 1) / 2
    assert rows["blend", "blend"]["points:a"].value == (0 + 0.5) / 2
    assert report.agreement["all"]["longest"]["accuracy"].value == 0
    assert report.notes == [
        "The judge is the ranker shortest; it agrees with itself by definition."
    ]
