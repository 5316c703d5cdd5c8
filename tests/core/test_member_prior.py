"""What is known of members: how strong they are, what that counts, and what becomes of rankings."""

from __future__ import annotations

import json
import math
from random import Random

import numpy as np
import pytest

from blender_core import Blender, Candidate, ConsensusRanker, MemberPrior, PairRanker, PriorRanker
from blender_core.candidates import Task
from blender_core.errors import CheckpointError, InputError
from blender_core.evaluation.member_fitting import fit_members, outcomes_of
from blender_core.evaluation.truth import Truth, truth_by
from blender_core.outcomes import Ranking
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.prior_ranker import MemberRanker
from blender_core.ranking.ranker import Duel
from blender_core.testing import ScriptedComparator, ScriptedFuser


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def drawn(strengths, count, seed, kind=None):
    """So many comparisons of members of those strengths."""
    rng = np.random.default_rng(seed)
    names = list(strengths)
    found = []
    for _ in range(count):
        a, b = rng.choice(names, 2, replace=False).tolist()
        won = float(rng.random() < sigmoid(strengths[a] - strengths[b]))
        found.append((a, b, won, kind))
    return found


def errors(prior, kind=None):
    return {one.member: one.error for one in prior.standings(kind)}


STRENGTHS = {"a": 1.5, "b": 0.5, "c": 0.0, "d": -0.5, "e": -1.5}


def test_a_strength_is_the_maximum_of_the_posterior():
    prior = MemberPrior((("a", "b", 7.0, None, 10.0),), spread=1.5)
    lead = prior.strength("a") - prior.strength("b")
    # Of two members, the difference has the variance 2 * spread².
    assert 7.0 - 10.0 * sigmoid(lead) - lead / (2 * 1.5**2) == pytest.approx(0.0, abs=1e-9)
    information = 10.0 * sigmoid(lead) * sigmoid(-lead) + 1 / (2 * 1.5**2)
    assert errors(prior)["a"] == pytest.approx(0.5 / math.sqrt(information))
    assert prior.strength("a") == pytest.approx(-prior.strength("b"))


def test_the_less_is_known_the_nearer_to_the_mean_and_the_less_sure():
    once, often = (MemberPrior((("a", "b", n, None, n),)) for n in (1.0, 30.0))
    assert 0.0 < once.strength("a") < 0.5 < often.strength("a") < 3.0
    assert errors(often)["a"] < errors(once)["a"] < 1.0
    tie = MemberPrior((("a", "b", 0.5),))
    assert tie.strength("a") == pytest.approx(0.0)


def test_strengths_and_their_errors_are_found():
    prior = MemberPrior.fit(drawn(STRENGTHS, 1500, seed=0))
    away = {name: prior.strength(name) - strength for name, strength in STRENGTHS.items()}
    assert max(map(abs, away.values())) < 0.35
    assert all(abs(away[name]) < 3 * error for name, error in errors(prior).items())
    assert [one.member for one in prior.standings()] == list("abcde")
    assert sum(one.comparisons for one in prior.standings()) == pytest.approx(2 * 1500)


def test_members_that_hardly_differ_are_held_closer_together():
    alike = MemberPrior.fit(drawn(dict.fromkeys(STRENGTHS, 0.0), 400, seed=1))
    apart = MemberPrior.fit(drawn({name: 2 * s for name, s in STRENGTHS.items()}, 400, seed=1))
    assert alike.spread < 0.3
    assert apart.spread > 1.0


@pytest.mark.parametrize("kinds", [(None,), ("math", "prose"), (None, "math")])
def test_it_does_not_matter_in_which_parts_and_order_things_come_to_be_known(kinds):
    told = [
        one for seed, kind in enumerate(kinds) for one in drawn(STRENGTHS, 60, seed=seed, kind=kind)
    ]
    at_once = MemberPrior(spread=0.8, kind_spread=0.4).updated(told)
    mixed = Random(0).sample(told, len(told))
    turned = [(b, a, 1.0 - won, kind) for a, b, won, kind in mixed]
    halves = MemberPrior(spread=0.8, kind_spread=0.4).updated(turned[:50]).updated(turned[50:])
    for kind in kinds:
        for one, other in zip(halves.standings(kind), at_once.standings(kind), strict=True):
            assert one.member == other.member
            assert one.strength == pytest.approx(other.strength, abs=1e-9)
            assert one.error == pytest.approx(other.error)
            assert one.comparisons == pytest.approx(other.comparisons)
    assert at_once.strength("a") > 0.0


def test_an_update_keeps_all_but_the_outcomes_and_leaves_the_earlier_one_alone():
    first = MemberPrior((("a", "b", 1.0),), weight=0.7, ranker_weight=2.0, beside="x", by="task")
    before = first.strength("a")
    second = first.updated([("a", "b", 0.0), ("a", "b", 0.0), ("new", "a", 1.0)])
    assert (second.weight, second.ranker_weight) == (0.7, 2.0)
    assert (second.beside, second.by) == ("x", "task")
    assert first.strength("a") == before > 0.0 > second.strength("a")
    assert second.strength("new") > 0.0 == first.strength("new")


def test_who_is_unknown_stands_at_the_mean():
    prior = MemberPrior.fit(drawn(STRENGTHS, 200, seed=2))
    assert prior.strength("somebody") == prior.strength(None) == 0.0
    assert sum(map(prior.strength, STRENGTHS)) == pytest.approx(0.0, abs=1e-9)
    assert MemberPrior().strength("a") == 0.0
    assert MemberPrior().standings() == []


def test_kinds_have_strengths_of_their_own_near_the_overall_ones():
    rare = [("a", "b", 0.0, "rare")]
    told = drawn(STRENGTHS, 300, 0, "math") + drawn(
        {name: -strength for name, strength in STRENGTHS.items()}, 300, 1, "prose"
    )
    prior = MemberPrior(tuple(told + rare))
    assert prior.kinds == ("math", "prose", "rare")
    assert prior.strength("a", "math") > 1.0 > -1.0 > prior.strength("a", "prose")
    # Elsewhere, of a kind nothing is known of, or of a member in it: overall.
    overall = prior.strength("a")
    assert abs(overall) < 0.5
    assert prior.strength("a", "law") == prior.strength("a", None) == overall
    assert prior.strength("c", "rare") == prior.strength("c")
    # Of one comparison a kind hardly moves.
    assert abs(prior.strength("a", "rare") - overall) < 0.5


def test_kinds_that_make_no_difference_are_held_to_the_overall_strengths():
    same = [one for k in range(6) for one in drawn(STRENGTHS, 80, seed=k, kind=f"k{k}")]
    turned = {name: -strength for name, strength in STRENGTHS.items()}
    other = [
        one
        for k in range(6)
        for one in drawn(STRENGTHS if k % 2 else turned, 80, seed=k, kind=f"k{k}")
    ]
    assert MemberPrior.fit(same).kind_spread < 0.4
    assert MemberPrior.fit(other).kind_spread > 0.8


def test_what_is_saved_is_loaded(tmp_path):
    told = drawn({**STRENGTHS, "é\ud800": 0.2}, 100, 0, "math") + drawn(STRENGTHS, 50, 1)
    prior = MemberPrior.fit(told, by="task").updated([("a", "b", 1 / 3, None, 0.7)])
    prior.save(tmp_path / "prior.json")
    loaded = MemberPrior.load(tmp_path / "prior.json")
    assert loaded == prior
    assert loaded.standings("math") == prior.standings("math")
    assert loaded.fingerprint == prior.fingerprint != prior.updated(told).fingerprint
    assert MemberPrior.of(tmp_path / "prior.json") == MemberPrior.of(str(tmp_path / "prior.json"))
    assert MemberPrior.of(prior) is prior


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"weight": float("nan")}, "'weight' must be"),
        ({"weight": -1.0}, "'weight' must be"),
        ({"spread": 0.0}, "'spread' must be"),
        ({"spread": "1"}, "'spread' must be a number, not a text"),
        ({"ranker_weight": True}, "'ranker_weight' must be a number"),
        ({"ranker_weight": 10**400}, "'ranker_weight'"),
        ({"by": 3}, "'by' must be a text"),
        ({"format": "other"}, "'format' is 'other'"),
        ({"outcomes": {}}, "'outcomes' must be a list"),
        ({"outcomes": [{"a": "a", "b": "b", "won": 2.0, "of": 1.0}]}, "an outcome is"),
        ({"outcomes": [{"a": "a", "b": "a", "won": 1.0, "of": 1.0}]}, "two different members"),
        ({"outcomes": [{"a": "a", "won": 1.0, "of": 1.0}]}, "'outcomes[0].b' is missing"),
        ({"outcomes": [{"a": "a", "b": "b", "won": None, "of": 1.0}]}, "'outcomes[0].won'"),
        ({"more": 1}, "'more' is unknown"),
        ({"by": [[[]]]}, "'by' must be a text"),
        (
            {"outcomes": [{"a": "a", "b": f"b{k}", "won": 1.0, "of": 1.0} for k in range(1001)]},
            "there are 1002 members",
        ),
    ],
)
def test_a_file_that_is_none_is_one_sentence(tmp_path, change, words):
    file = tmp_path / "prior.json"
    MemberPrior((("a", "b", 1.0),)).save(file)
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(CheckpointError) as told:
        MemberPrior.load(file)
    message = str(told.value)
    assert message.startswith(f"{file}: not what is known of members: ")
    assert words in message
    assert "\n" not in message
    assert len(message) < 600


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 5000, b"1" * 5000])
def test_what_is_no_json_is_one_sentence_too(tmp_path, content):
    (tmp_path / "prior.json").write_bytes(content)
    with pytest.raises(CheckpointError, match="not what is known of members"):
        MemberPrior.load(tmp_path / "prior.json")
    with pytest.raises(CheckpointError, match="No such file"):
        MemberPrior.load(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    "outcome",
    [
        ("a", "b"),
        ("a", "a", 1.0),
        ("a", "b", 1.5),
        ("a", "b", math.nan),
        ("a", None, 1.0),
        ("a", "b", 1.0, 3),
        ("a", "b", 1.0, None, 0.0),
        ("a", "b", 1.0, None, math.inf),
        ("a", "b", 1.0, None, 1.0, 1.0),
        "ab1",
    ],
)
def test_what_is_no_outcome_is_refused(outcome):
    with pytest.raises(InputError, match="an outcome is"):
        MemberPrior().updated([outcome])


# What it counts beside a ranker.


def question(names, scores, margins, kind=None, text="{name} {number}", number=0):
    """A task, what is known of its answers, and what a ranker says."""
    texts = {name: text.format(name=name, number=number) for name in names}
    task = Task("q", texts, kind=kind)
    column = np.array(margins, dtype=np.float64)
    order, ranks = order_and_ranks(column.tolist())
    matrix = (column[:, None] - column[None, :]).astype(np.float32)
    ranking = Ranking(task.candidates, order, ranks, tuple(column), matrix, passes=0)
    score = np.array(scores, dtype=np.float64)
    outcome = np.sign(score[:, None] - score[None, :])
    return task, Truth(outcome, np.zeros_like(outcome, bool), score, score), ranking


def questions(count, *, text=1.0, knows=0.0, strengths=STRENGTHS, seed=0):
    """Answers whose worth is their member's strength and a quality of the text alone.

    The ranker says the quality, and so much of the strength.
    """
    rng = np.random.default_rng(seed)
    names = list(strengths)
    found = []
    for number in range(count):
        quality = rng.normal(0, text, len(names))
        strength = np.array([strengths[name] for name in names])
        worth = strength + quality + rng.gumbel(size=len(names))
        said = 0.5 * (quality + knows * strength)
        found.append(question(names, worth, said, number=number))
    return [list(column) for column in zip(*found, strict=True)]


def test_the_weights_are_those_that_the_labels_were_made_with():
    prior = fit_members(*questions(600), beside="test")
    # The ranker says half of what the text counts. Strengths are learnt over texts of all
    # qualities, which draws them together; beside the ranker they are as far apart as they are.
    assert prior.ranker_weight == pytest.approx(2.0, rel=0.1)
    lead = prior.strength("a") - prior.strength("e")
    assert lead < 2.7
    assert prior.weight * lead == pytest.approx(3.0, rel=0.1)
    assert prior.beside == "test"


def test_what_the_ranker_knows_already_is_not_counted_twice():
    all_of_it = fit_members(*questions(300, knows=1.0))
    half_of_it = fit_members(*questions(300, knows=0.5))
    nothing = fit_members(*questions(300))
    assert all_of_it.weight < 0.1
    assert 0.4 < half_of_it.weight < 0.75
    assert nothing.weight > 0.9


def test_members_who_are_all_alike_count_next_to_nothing():
    alike = dict.fromkeys(STRENGTHS, 0.0)
    prior = fit_members(*questions(150, strengths=alike))
    leads = [prior.weight * prior.strength(name) for name in alike]
    assert max(leads) - min(leads) < 0.15
    assert prior.ranker_weight > 1.0


def test_a_ranker_that_says_nothing_or_the_contrary_counts_nothing():
    tasks, truths, rankings = questions(100)
    upside_down = [
        question([c.source for c in task.candidates], truth.scores, [-s for s in ranking.scores])[2]
        for task, truth, ranking in zip(tasks, truths, rankings, strict=True)
    ]
    assert fit_members(tasks, truths, upside_down).ranker_weight == 0.0
    silent = [question("abcde", range(5), [0.0] * 5)[2]] * len(tasks)
    assert fit_members(tasks, truths, silent).weight > 0.5


def test_the_answers_to_one_question_count_as_what_they_can_tell():
    task, truth, _ = question("abcd", [3, 2, 1, 0], [0] * 4)
    outcomes = outcomes_of(task, truth)
    assert len(outcomes) == 6
    assert sum(one.of for one in outcomes) == pytest.approx(3)
    # A single verdict is one; answers without a name, or of one member, tell nothing.
    truth.outcome[:] = np.nan
    truth.outcome[0, 1], truth.outcome[1, 0] = 1.0, -1.0
    assert [(one.won, one.of) for one in outcomes_of(task, truth)] == [(1.0, 1.0)]
    nameless = Task("q", [Candidate("x"), Candidate("y", "a"), Candidate("z", "a")])
    _, truth, _ = question("abc", [3, 2, 1], [0] * 3)
    assert outcomes_of(nameless, truth) == []


def test_a_ranker_can_play_the_judge():
    tasks, _, rankings = questions(30)
    truths = [truth_by(ranking.matrix.astype(np.float64)) for ranking in rankings]
    prior = fit_members(tasks, truths)
    assert prior.beside is None
    assert len(prior.members) == 5


def test_too_little_to_learn_from_is_said():
    tasks, truths, rankings = questions(4)
    with pytest.raises(InputError, match="4 judged questions are too few"):
        fit_members(tasks, truths, rankings)
    nameless = [task.with_candidates([c.text for c in task.candidates]) for task in tasks]
    with pytest.raises(InputError, match="no two named members"):
        fit_members(nameless, truths)


def test_probabilities_hold_on_questions_that_nothing_was_learnt_from():
    tasks, truths, rankings = questions(400, seed=1)
    prior = fit_members(tasks[:200], truths[:200], rankings[:200])
    known = dict(zip(tasks, rankings, strict=True))

    class Known(ConsensusRanker):
        def rank_many(self, tasks, *, show_progress=False):
            return [known[task] for task in tasks]

    ranked = PriorRanker(Known(), prior).rank_many(tasks[200:])
    told = [ranking.probability_best[ranking.order[0]] for ranking in ranked]
    right = [
        truth.scores.argmax() == ranking.order[0]
        for truth, ranking in zip(truths[200:], ranked, strict=True)
    ]
    assert all(ranking.is_calibrated for ranking in ranked)
    assert np.mean(told) == pytest.approx(np.mean(right), abs=0.06)
    alone = np.mean(
        [t.scores[r.order[0]] for t, r in zip(truths[200:], rankings[200:], strict=True)]
    )
    both = np.mean([t.scores[r.order[0]] for t, r in zip(truths[200:], ranked, strict=True)])
    best = np.mean([truth.scores[0] for truth in truths[200:]])
    assert both > best > alone


# Rankings.

LONGER = PairRanker(ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second)), 0.5))
PRIOR = MemberPrior(
    (("a", "b", 9.0, None, 9.0), ("b", "c", 9.0, None, 9.0), ("c", "a", 9.0, "odd", 9.0)),
    weight=2.0,
    ranker_weight=0.5,
    beside="longer",
)
ANSWERS = {"c": "xxx", "a": "x", "b": "xx", "unknown": "xxxx"}


def test_a_sum_is_what_both_say():
    alone = LONGER.rank("q", ANSWERS)
    ranking = PriorRanker(LONGER, PRIOR).rank("q", ANSWERS)
    strengths = np.array([PRIOR.strength(name) for name in ANSWERS])
    leads = strengths[:, None] - strengths[None, :]
    assert ranking.matrix == pytest.approx(0.5 * alone.matrix + 2.0 * leads, abs=1e-5)
    assert ranking.passes == alone.passes == 12
    parts = ranking.score_parts
    assert ranking.scores == pytest.approx(np.add(parts["text"], parts["members"]))
    assert parts["text"] == pytest.approx(0.5 * np.array(alone.scores))
    assert list(ranking.order) == np.argsort(-np.array(ranking.scores), kind="stable").tolist()
    assert ranking.position_bias == pytest.approx(0.25, abs=0.1)
    # The sums are logits of the labels.
    utilities = np.array(ranking.utilities)
    assert ranking.probability(0, 1) == pytest.approx(sigmoid(utilities[0] - utilities[1]))
    assert sum(ranking.probability_best) == pytest.approx(1.0)
    assert alone.score_parts == {}


def test_weights_that_were_not_fitted_promise_no_probabilities():
    prior = MemberPrior((("a", "b", 9.0, None, 9.0),))
    ranking = PriorRanker(LONGER, prior).rank("q", ANSWERS)
    assert not ranking.is_calibrated
    assert (prior.weight, prior.ranker_weight) == (1.0, 1.0)


def test_the_kind_of_question_decides_which_strengths_count():
    ranker = MemberRanker(PRIOR)
    plain, odd = ranker.rank_many([Task("q", ANSWERS), Task("q", ANSWERS, kind="odd")])
    assert plain.best.source == "a"
    assert odd.best.source == "c"
    assert Task("q", ANSWERS, kind="odd").with_candidates(["x"]).kind == "odd"


def test_equal_texts_tie_and_stand_with_the_strongest_who_wrote_them():
    answers = [
        Candidate("same", "c"),
        Candidate("same", "a"),
        Candidate("same"),
        Candidate("b", "b"),
    ]
    ranking = PriorRanker(LONGER, PRIOR).rank("q", answers)
    assert len(set(ranking.scores[:3])) == len(set(ranking.ranks[:3])) == 1
    assert MemberRanker(PRIOR).rank("q", answers).scores[0] == PRIOR.strength("a")


def test_answers_nobody_signed_are_ranked_by_their_texts_alone():
    texts = list(ANSWERS.values())
    assert PriorRanker(LONGER, PRIOR).rank("q", texts).order == LONGER.rank("q", texts).order
    known = PriorRanker(LONGER, PRIOR, names={"a (2)": "a"})
    strong = known.rank("q", {"a (2)": "x", "b": "x "}).score_parts["members"]
    assert strong[0] > strong[1]


async def test_sync_async_and_complete_rankings_are_the_same():
    ranker, tasks = (
        PriorRanker(LONGER, PRIOR),
        [Task("q", ANSWERS), Task("r", {"a": "1", "b": "2"})],
    )
    expected = [ranking.scores for ranking in ranker.rank_many(tasks)]
    assert [r.scores for r in await ranker.arank_many(tasks)] == expected
    assert [r.scores for r in ranker.rank_completely(tasks)] == expected
    assert [r.scores for r in await ranker.arank_completely(tasks)] == expected
    knockout = PriorRanker(LONGER.planned(schedule="knockout"), PRIOR)
    assert not np.isnan(knockout.rank_many(tasks)[0].scores).any()
    a, b = (Candidate(ANSWERS[name], name) for name in "ab")
    assert ranker.compare("q", a, b) == -ranker.compare("q", b, a) > 0
    assert ranker.compare("q", a.text, b.text) < 0


async def test_in_a_duel_only_texts_count():
    ranker = PriorRanker(LONGER, PRIOR)
    task = Task("q", ANSWERS)
    duels = [
        Duel(task, Candidate("xxxxx"), task.candidates[1]),
        Duel(task, Candidate(""), task.candidates[1]),
    ]
    expected = [(0.5 * first, 0.5 * second) for first, second in LONGER.duel_many(duels)]
    assert ranker.duel_many(duels) == await ranker.aduel_many(duels) == expected


@pytest.mark.parametrize(("fused", "is_kept"), [("xxxxxxx", True), ("", False), ("y", False)])
def test_a_fused_text_must_beat_the_best_answer_by_its_text(fused, is_kept):
    blend = Blender(PriorRanker(LONGER, PRIOR), ScriptedFuser(fused)).blend("q", ANSWERS)
    assert blend.ranking.best.source == "a"  # "x", by its record
    assert blend.fused is is_kept
    assert blend.report()["score_parts"]["members"]["a"] > 0
    plain = Blender(LONGER, ScriptedFuser(fused)).blend("q", ANSWERS)
    assert "score_parts" not in plain.report()


def test_what_is_no_ranker_or_prior_is_refused(tmp_path):
    with pytest.raises(InputError, match="'ranker' must be a Ranker"):
        PriorRanker("consensus", PRIOR)
    with pytest.raises(InputError, match="a MemberPrior or the path"):
        PriorRanker(LONGER, {"a": 1.0})
    with pytest.raises(CheckpointError, match="No such file"):
        PriorRanker(LONGER, tmp_path / "prior.json")
    with pytest.raises(InputError, match="'weight' must be a number of 0 or more"):
        MemberPrior(weight=-1.0)
    with pytest.raises(InputError, match="'spread' must be a positive number"):
        MemberPrior(spread=math.nan)
