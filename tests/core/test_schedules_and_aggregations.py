"""Laws of ranking that hold whatever the texts: on consistent, arbitrary and holey matrices."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_core import Bubble, Pair, PairRanker, Reference, Task
from blender_core.errors import InputError
from blender_core.ranking.aggregation import AGGREGATIONS, bradley_terry, max_logits
from blender_core.ranking.matrix import margins, order_and_ranks
from blender_core.ranking.schedules import SCHEDULES
from blender_core.testing import ScriptedComparator

SINGLE_ROUND = ("full", "reference")
every_schedule = pytest.mark.parametrize("schedule", SCHEDULES)
FIXED = [name for name in SCHEDULES if name != "active"]
every_fixed_schedule = pytest.mark.parametrize("schedule", FIXED)
"""Those whose scores are an aggregation's, and whose passes are known beforehand."""
every_aggregation = pytest.mark.parametrize("aggregation", AGGREGATIONS)

utilities = st.lists(
    st.floats(-5, 5, allow_nan=False).map(lambda u: round(u, 2)),
    min_size=1,
    max_size=9,
    unique=True,
)


def square_of(count: int):
    entries = st.one_of(st.floats(-8, 8, width=32), st.just(float("nan")))
    row = st.lists(entries, min_size=count, max_size=count)
    return st.lists(row, min_size=count, max_size=count)


def texts(count: int) -> list[str]:
    """Texts of different lengths, so that every reference mode has one answer."""
    return ["x" * (1 + (7 * k) % 11) + str(k) for k in range(count)]


def ranker_of(utility: list[float], bias: float = 0.0) -> PairRanker:
    return PairRanker(
        ScriptedComparator(dict(zip(texts(len(utility)), utility, strict=True)), bias)
    )


@every_fixed_schedule
@every_aggregation
@settings(max_examples=30)
@given(utility=utilities)
def test_a_consistent_matrix_gives_the_same_order_under_all(schedule, aggregation, utility):
    ranking = ranker_of(utility).rank(
        "q", texts(len(utility)), schedule=schedule, aggregation=aggregation
    )
    assert ranking.order == tuple(sorted(range(len(utility)), key=lambda k: -utility[k]))
    assert sorted(ranking.ranks) == list(range(1, len(utility) + 1))


@every_fixed_schedule
@every_aggregation
@settings(max_examples=20)
@given(utility=utilities, seed=st.integers(0, 99))
def test_relabelling_the_candidates_relabels_the_ranking(schedule, aggregation, utility, seed):
    answers = texts(len(utility))
    new = np.random.default_rng(seed).permutation(len(answers))
    ranker = ranker_of(utility)
    ranks = ranker.rank("q", answers, schedule=schedule, aggregation=aggregation).ranks
    relabelled = ranker.rank(
        "q", [answers[k] for k in new], schedule=schedule, aggregation=aggregation
    ).ranks
    assert relabelled == tuple(ranks[k] for k in new)


@every_aggregation
@given(rows=st.integers(2, 6).flatmap(square_of), hole=st.booleans())
def test_twins_have_the_same_rank(aggregation, rows, hole):
    """The last candidate is made a twin of the first: equal results against all others."""
    matrix = np.array(rows, dtype=np.float32)
    matrix[-1, 1:-1], matrix[1:-1, -1] = matrix[0, 1:-1], matrix[1:-1, 0]
    matrix[0, -1] = matrix[-1, 0] = float("nan") if hole else 0.5
    scores = AGGREGATIONS[aggregation](matrix)
    assert scores[0] == scores[-1]


@every_fixed_schedule
@given(utility=utilities)
def test_logits_fill_the_holes_of_a_consistent_matrix(schedule, utility):
    """With graded logits even a sparse schedule recovers all utilities, up to a constant."""
    ranking = ranker_of(utility).rank("q", texts(len(utility)), schedule=schedule)
    expected = 2 * (np.array(utility) - np.mean(utility))
    np.testing.assert_allclose(ranking.scores, expected, atol=1e-4)


@every_fixed_schedule
@given(utility=utilities)
def test_a_position_bias_changes_nothing_where_both_orders_are_asked(schedule, utility):
    count = len(utility)
    fair = ranker_of(utility).rank("q", texts(count), schedule=schedule)
    biased = ranker_of(utility, bias=3.0).rank("q", texts(count), schedule=schedule)
    assert biased.order == fair.order


@every_fixed_schedule
@pytest.mark.parametrize("count", [1, 2, 3, 5, 8, 13, 200])
def test_a_schedule_never_asks_a_pair_twice_and_costs_what_it_says(schedule, count):
    comparator = ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second)))
    ranking = PairRanker(comparator).rank("q", texts(count), schedule=schedule)
    asked = [pair for call in comparator.calls for pair in call]
    assert len(set(asked)) == len(asked) == ranking.passes
    assert ranking.passes == (count * (count - 1) if schedule == "full" else 2 * (count - 1))
    if schedule == "knockout":
        assert len(comparator.calls) == int(np.ceil(np.log2(count)))
    if schedule.startswith(SINGLE_ROUND):
        assert len(comparator.calls) == (count > 1)


square = st.integers(1, 6).flatmap(square_of)


@every_aggregation
@given(rows=square, seed=st.integers(0, 99))
def test_relabelling_the_candidates_relabels_the_result(aggregation, rows, seed):
    matrix = np.array(rows, dtype=np.float32)
    new = np.random.default_rng(seed).permutation(len(matrix))
    scores = AGGREGATIONS[aggregation](matrix)
    relabelled = AGGREGATIONS[aggregation](matrix[np.ix_(new, new)])
    np.testing.assert_allclose(relabelled, scores[new], atol=1e-5)


@every_aggregation
@given(rows=square)
def test_swapping_better_and_worse_swaps_the_scores(aggregation, rows):
    matrix = np.array(rows, dtype=np.float32)
    scores = AGGREGATIONS[aggregation](matrix)
    reversed_scores = AGGREGATIONS[aggregation](-matrix)
    middle = (scores + reversed_scores) / 2
    np.testing.assert_allclose(scores - middle, -(reversed_scores - middle), atol=1e-4)
    if aggregation != "max_wins":  # whose scores are counts, not centred
        np.testing.assert_allclose(reversed_scores, -scores, atol=1e-4)


@every_aggregation
@given(rows=square)
def test_nothing_asked_is_a_tie_of_all(aggregation, rows):
    scores = AGGREGATIONS[aggregation](np.full((len(rows), len(rows)), np.nan, dtype=np.float32))
    assert len(set(scores.tolist())) == 1


@settings(max_examples=25)
@given(utility=utilities, noise=st.integers(0, 9))
def test_bradley_terry_is_the_maximum_of_its_likelihood(utility, noise):
    from scipy.optimize import minimize

    count = len(utility)
    rng = np.random.default_rng(noise)
    matrix = np.subtract.outer(utility, utility) + rng.normal(0, 1, (count, count))
    share = 1 / (1 + np.exp(-matrix))
    off = ~np.eye(count, dtype=bool)

    def loss(u):
        chance = 1 / (1 + np.exp(-np.subtract.outer(u, u)))
        likelihood = share * np.log(chance) + (1 - share) * np.log(1 - chance)
        return -likelihood[off].sum() + 0.0005 * (u**2).sum()

    best = minimize(loss, np.zeros(count)).x
    np.testing.assert_allclose(
        bradley_terry(matrix.astype(np.float32)), best - best.mean(), atol=2e-3
    )


def test_bradley_terry_stays_finite_on_certain_outcomes():
    matrix = np.array([[0, 500, 500], [-500, 0, 500], [-500, -500, 0]], dtype=np.float32)
    scores = bradley_terry(matrix)
    assert np.isfinite(scores).all()
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)


def test_identical_answers_tie_and_are_compared_once():
    comparator = ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second)))
    ranking = PairRanker(comparator).rank("q", ["aa", "b", "aa", "aa"])
    assert ranking.ranks == (1, 4, 1, 1)
    assert ranking.order == (0, 2, 3, 1)
    assert ranking.passes == 3  # (aa, b), (b, aa) and (aa, aa)
    assert len(set(comparator.calls[0])) == 3


def test_failed_comparisons_are_holes_and_the_rest_still_ranks():
    def judge(pair: Pair) -> float:
        if "b" in (pair.first, pair.second):
            return float("nan")
        return 1.0 if pair.first < pair.second else -1.0

    ranking = PairRanker(ScriptedComparator(judge)).rank("q", ["c", "b", "a"])
    assert np.isnan(ranking.matrix[1, 0])
    assert np.isnan(ranking.matrix[1, 2])
    assert ranking.order == (2, 1, 0)


@every_schedule
def test_one_candidate_that_cannot_be_compared_does_not_disturb_the_others(schedule):
    strength = {"a": 1.0, "bb": 6.0, "ccc": 3.0, "dddd": 9.0, "eeeee": 4.0, "ffffff": 5.0}

    def judge(pair: Pair) -> float:
        if "ccc" in (pair.first, pair.second):
            return float("nan")
        return strength[pair.first] - strength[pair.second]

    ranking = PairRanker(ScriptedComparator(judge)).rank("q", list(strength), schedule=schedule)
    order = [list(strength)[k] for k in ranking.order if k != 2]
    if schedule in {"bubble", "knockout", "reference-median_length"}:
        # The chain of answers breaks where "ccc" leads or is the reference.
        assert sorted(order) == sorted(set(strength) - {"ccc"})
    else:
        assert order == ["dddd", "bb", "ffffff", "eeeee", "a"]


def test_a_failed_order_counts_the_other_one():
    strength = {"best": 14.0, "x": -6.0, "y": 2.0}

    def judge(pair: Pair) -> float:
        if (pair.first, pair.second) == ("best", "x"):
            return float("nan")
        return strength[pair.first] - strength[pair.second]

    for schedule in SCHEDULES:
        ranker = PairRanker(ScriptedComparator(judge), schedule=schedule)
        assert ranker.rank("q", list(strength)).best.text == "best"


@pytest.mark.parametrize(
    "aggregation",
    [
        lambda matrix: matrix[0, :-1],
        lambda matrix: np.full(len(matrix), np.nan),
        lambda _: 3.0,
    ],
)
def test_an_aggregation_that_does_not_score_every_candidate_is_refused(aggregation):
    with pytest.raises(InputError, match="must give one number a candidate, 3 here"):
        PairRanker(ScriptedComparator(lambda _: 0.0)).rank(
            "q", ["a", "b", "c"], aggregation=aggregation
        )


def test_the_matrix_cannot_be_changed_by_who_reads_it():
    def vandal(matrix):
        matrix[:] = 9
        return matrix[0]

    class Vandal:
        def rounds(self, lengths):
            matrix = yield [(0, 1), (1, 0)]
            matrix[0, 1] = 9

    for options in ({"aggregation": vandal}, {"schedule": Vandal()}):
        with pytest.raises(ValueError, match="read-only"):
            PairRanker(ScriptedComparator(lambda _: 1.0)).rank("q", ["a", "b"], **options)


def test_a_wrong_task_is_found_before_anything_is_computed():
    comparator = ScriptedComparator(lambda _: 1.0)
    with pytest.raises(InputError, match="expected a Task, got str"):
        PairRanker(comparator).rank_many([Task("q", ["a", "b"])] * 600 + ["oops"])
    assert comparator.calls == []


def test_stop_iteration_in_a_comparator_is_an_error_not_an_end():
    answers = iter([1.0])
    ranker = PairRanker(ScriptedComparator(lambda _: next(answers)))
    with pytest.raises(StopIteration):
        ranker.rank("q", ["a", "b"])


def test_margins_use_what_was_asked():
    nan = float("nan")
    matrix = np.array([[0, 2.0, 4.0], [-1.0, 0, nan], [nan, nan, 0]], dtype=np.float32)
    np.testing.assert_array_equal(margins(matrix), [[0, 1.5, 4.0], [-1.5, 0, nan], [-4.0, nan, 0]])


def test_bubble_is_random_but_seeded():
    def intransitive(pair: Pair) -> float:
        return {"rp": 1.0, "pr": -1.0, "ps": 1.0, "sp": -1.0, "sr": 1.0, "rs": -1.0}[
            pair.first + pair.second
        ]

    ranker = PairRanker(ScriptedComparator(intransitive))
    winners = {
        seed: ranker.rank("q", ["r", "p", "s"], schedule=Bubble(seed=seed)).best.text
        for seed in range(20)
    }
    again = {
        seed: ranker.rank("q", ["r", "p", "s"], schedule=Bubble(seed=seed)).best.text
        for seed in range(20)
    }
    assert winners == again
    assert set(winners.values()) == {"r", "p", "s"}


@pytest.mark.parametrize(
    ("mode", "place"),
    [("longest", 1), ("shortest", 2), ("median_length", 0), ("first", 0), ("last", 3)],
)
def test_reference_modes(mode, place):
    answers = ["aaa", "bbbbb", "c", "dd"]
    comparator = ScriptedComparator(lambda _: 1.0)
    PairRanker(comparator).rank("q", answers, schedule=Reference(mode))
    assert all(answers[place] in (pair.first, pair.second) for pair in comparator.calls[0])


def test_many_tasks_of_many_sizes_share_every_round():
    comparator = ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second)))
    tasks = [Task(f"q{n}", texts(n)) for n in (1, 2, 3, 5, 9)]
    rankings = PairRanker(comparator).rank_many(tasks, schedule="knockout")
    assert [r.best.text for r in rankings] == [max(texts(n), key=len) for n in (1, 2, 3, 5, 9)]
    assert len(comparator.calls) == 4  # as many as the largest task alone


def test_more_tasks_than_fit_in_flight_keep_their_order():
    comparator = ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second)))
    tasks = [Task(f"q{n}", ["x" * (1 + n % 7), "yyyy"]) for n in range(1500)]
    rankings = PairRanker(comparator).rank_many(tasks)
    assert [len(r.candidates[0].text) for r in rankings] == [1 + n % 7 for n in range(1500)]
    assert max(map(len, comparator.calls)) <= 1024


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"schedule": "swiss"}, "unknown schedule 'swiss'; known: full, active, bubble, knockout"),
        ({"schedule": 3}, "a schedule is a name or an object with rounds"),
        ({"aggregation": "mean"}, "unknown aggregation 'mean'; known: max_logits"),
        ({"aggregation": 3}, "unknown aggregation 3"),
        ({"schedule": Bubble(line=(0, 0))}, "no permutation of the 2 candidates"),
    ],
)
def test_unknown_names_are_refused_with_the_known_ones(options, message):
    with pytest.raises(InputError, match=message):
        PairRanker(ScriptedComparator(lambda _: 0.0)).rank("q", ["a", "b"], **options)


def test_unknown_reference_mode():
    with pytest.raises(InputError, match="unknown reference mode 'middle'"):
        Reference("middle")


class Repeats:
    def rounds(self, lengths):
        yield [(0, 1)]
        yield [(0, 1)]


class Invents:
    def rounds(self, lengths):
        yield [(0, len(lengths))]


@pytest.mark.parametrize(
    ("schedule", "message"),
    [(Repeats(), r"asked for the pair \(0, 1\) twice"), (Invents(), r"pair \(0, 2\) of 2")],
)
def test_a_broken_schedule_is_named(schedule, message):
    with pytest.raises(InputError, match=message):
        PairRanker(ScriptedComparator(lambda _: 0.0)).rank("q", ["a", "b"], schedule=schedule)


@given(scores=st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=1, max_size=8))
def test_ranks_count_the_better_ones(scores):
    order, ranks = order_and_ranks(scores)
    assert list(ranks) == [1 + sum(other > score for other in scores) for score in scores]
    assert [scores[k] for k in order] == sorted(scores, reverse=True)


def test_scores_of_a_complete_matrix_are_exact():
    rng = np.random.default_rng(0)
    matrix = rng.normal(size=(30, 30)).astype(np.float32)
    np.fill_diagonal(matrix, 0)
    new = rng.permutation(30)
    assert (max_logits(matrix)[new] == max_logits(matrix[np.ix_(new, new)])).all()


def test_the_survivor_is_first_also_where_the_scores_tie():
    """A tie passes the lead on: the last one of the line has it, though all score alike."""
    ranker = PairRanker(ScriptedComparator(lambda _: 0.0))
    ranking = ranker.rank("q", ["a", "b", "c"], schedule=Bubble(line=(1, 0, 2)))
    assert ranking.order == (2, 0, 1)
    assert ranking.ranks == (2, 2, 1)
    assert len(set(ranking.scores)) == 1
