"""ConsensusRanker: who agrees with whom, in every measure."""

from __future__ import annotations

import math
import random
import sys
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blender_core.candidates import Candidate, Task
from blender_core.errors import InputError, MissingExtraError, ModelOutputError
from blender_core.ranking.consensus_ranker import ConsensusRanker
from blender_core.ranking.joint_ranker import JointRanker
from blender_core.ranking.pair_ranker import PairRanker
from blender_core.ranking.ranker import Duel
from blender_core.ranking.similarity import (
    SIMILARITIES,
    EmbeddingSimilarity,
    bleu,
    chrf,
    jaccard,
    rouge_l,
)
from blender_core.ranking.similarity.result import stated_result
from blender_core.ranking.similarity.short_answer import short_answer
from blender_core.ranking.similarity.tokens import tokens
from blender_core.testing import ScriptedComparator

WORDS = ["the", "cat", "sat", "on", "a", "mat", "dog", "東京", "the", "of"]
SENTENCES = st.lists(st.sampled_from(WORDS), max_size=8).map(" ".join)
ANSWERS = st.lists(SENTENCES, min_size=1, max_size=6)
OF_WORDS = sorted(SIMILARITIES.keys() - {"result"})
"""Those by which any text is like itself; a text without a result agrees with none in `result`."""
NAMES = st.sampled_from(OF_WORDS)


def random_texts(count, words, seed=0):
    rng = random.Random(seed)
    vocabulary = [
        "".join(rng.choices("abcdefghijklmnop", k=rng.randint(2, 7))) for _ in range(2000)
    ]
    return [" ".join(rng.choices(vocabulary, k=words)) for _ in range(count)]


@pytest.mark.parametrize("name", OF_WORDS)
def test_the_answer_most_others_give_wins(name):
    answers = [
        "It is Lyon, I am sure.",
        "The capital of France is Paris.",
        "Paris is the capital of France.",
        "The capital of France is Paris, of course.",
    ]
    ranking = ConsensusRanker(name).rank("What is the capital of France?", answers)
    assert ranking.order[-1] == 0
    assert ranking.best.text in answers[1:]
    assert ranking.passes == 0
    assert all(0.0 <= score <= 1.0 for score in ranking.scores)


@pytest.mark.parametrize("name", OF_WORDS)
def test_consensus_works_in_scripts_without_spaces(name):
    # BLEU's tokens need spaces: that measure only has to accept such text.
    ranking = ConsensusRanker(name).rank(
        "日本の首都は?", ["大阪でしょう", "日本の首都は東京です", "首都は東京です"]
    )
    assert ranking.order[-1] == 0 or name == "bleu"


def test_scores_are_means_over_the_others_and_the_matrix_their_differences():
    ranking = ConsensusRanker("jaccard").rank("q", ["a b", "b c", "a b c"])
    expected = [(1 / 3 + 2 / 3) / 2, (1 / 3 + 2 / 3) / 2, 2 / 3]
    assert ranking.scores == pytest.approx(expected, abs=1e-15)
    assert ranking.ranks == (2, 2, 1)
    assert ranking.matrix.dtype == np.float32
    assert ranking.matrix == pytest.approx(np.subtract.outer(expected, expected), abs=1e-7)
    assert (np.diag(ranking.matrix) == 0.0).all()


def test_duplicates_are_votes():
    ranking = ConsensusRanker().rank("q", ["x y z", "x y", "1 2", "1 2"])
    assert ranking.ranks == (3, 3, 1, 1)
    assert ranking.scores[2] == ranking.scores[3] == pytest.approx(1 / 3)


NOTHING = [
    "I don't know.",
    "I'm sorry, but I can't help with that.",
    "The provided context does not contain information to answer this question.",
    "[insert answer here]",
    "Error 429: rate limit exceeded.",
]


@pytest.mark.parametrize("name", sorted(SIMILARITIES))
@pytest.mark.parametrize("nothing", NOTHING)
def test_what_answers_nothing_supports_nobody_and_is_supported_by_nobody(name, nothing):
    answers = ["The bridge was opened in 1874.", "It was opened in 1874, the bridge."]
    alone = ConsensusRanker(name).rank("When?", answers)
    beside = ConsensusRanker(name).rank("When?", [nothing, *answers, nothing, nothing])
    assert beside.scores == (0.0, *alone.scores, 0.0, 0.0)
    assert ConsensusRanker(name).rank("When?", [nothing, nothing]).scores == (0.0, 0.0)


@pytest.mark.parametrize("nothing", NOTHING)
def test_many_refusals_do_not_outvote_an_answer(nothing):
    answers = ["The bridge was opened in 1874, after six years.", *[nothing] * 4]
    consensus = JointRanker().parts[1:]
    assert all(set(part.rank("When?", answers).scores) == {0.0} for part, _ in consensus)


def test_what_one_source_says_twice_in_the_same_words_is_one_vote():
    said = [("x", "red and blue"), ("x", "red and blue"), ("y", "red and green")]
    copies = ConsensusRanker().rank("q", [Candidate(text, source) for source, text in said])
    once = ConsensusRanker().rank("q", [text for _, text in said[1:]])
    assert copies.scores == (once.scores[0], *once.scores)
    # Of different sources, or of samples that name none, they are votes.
    for sources in (("x", "z", "y"), (None, None, None)):
        texts = [text for _, text in said]
        ranking = ConsensusRanker().rank("q", map(Candidate, texts, sources))
        assert ranking.ranks == (1, 1, 3)
    # So is what one source says in other words.
    other = [Candidate("red and blue", "x"), Candidate("blue and red", "x"), Candidate("green")]
    assert ConsensusRanker().rank("q", other).ranks == (1, 1, 3)


def test_doubt_lowers_what_few_agree_on_most():
    few, many = ["a b", "a b", "c"], ["a b"] * 8 + ["c"]
    for answers, share in ((few, 2 / 3), (many, 8 / 9)):
        plain = ConsensusRanker().rank("q", answers)
        doubted = ConsensusRanker(doubt=1.0).rank("q", answers)
        assert doubted.scores == pytest.approx([share * score for score in plain.scores])
        assert doubted.order == plain.order
    for wrong in (-1.0, float("nan"), float("inf")):
        with pytest.raises(InputError, match="'doubt' must be a number of at least 0"):
            ConsensusRanker(doubt=wrong)


def test_a_single_answer_scores_zero():
    for answers in (["only"], [""]):
        ranking = ConsensusRanker().rank("q", answers)
        assert ranking.scores == (0.0,)
        assert ranking.matrix.tolist() == [[0.0]]


@pytest.mark.parametrize("name", OF_WORDS)
def test_blank_answers_agree_with_nothing_not_even_each_other(name):
    ranking = ConsensusRanker(name).rank("q", ["", " \n\t", "", "a b", "a c"])
    assert ranking.scores[:3] == (0.0, 0.0, 0.0)
    assert ranking.ranks[2] >= 3
    assert min(ranking.scores[3:]) > 0.0 or name == "bleu"
    assert ConsensusRanker(name).rank("q", ["", " "]).scores == (0.0, 0.0)


@settings(max_examples=40, deadline=None)
@given(ANSWERS, NAMES, st.randoms(use_true_random=False))
def test_the_order_of_the_answers_changes_nothing_but_the_order(answers, name, rng):
    permutation = list(range(len(answers)))
    rng.shuffle(permutation)
    ranker = ConsensusRanker(name)
    plain = ranker.rank("q", answers)
    shuffled = ranker.rank("q", [answers[place] for place in permutation])
    assert shuffled.scores == tuple(plain.scores[place] for place in permutation)
    assert shuffled.ranks == tuple(plain.ranks[place] for place in permutation)


@settings(max_examples=40, deadline=None)
@given(ANSWERS, NAMES, st.data())
def test_identical_answers_tie_exactly(answers, name, data):
    twin = data.draw(st.sampled_from(range(len(answers))))
    ranking = ConsensusRanker(name).rank("q", [*answers, answers[twin]])
    assert ranking.scores[twin] == ranking.scores[-1]
    assert ranking.ranks[twin] == ranking.ranks[-1]
    assert ranking.matrix[twin].tolist() == ranking.matrix[-1].tolist()


@settings(max_examples=40, deadline=None)
@given(st.lists(SENTENCES.filter(str.strip), min_size=1, max_size=5, unique=True), NAMES)
def test_similarities_are_symmetric_shares_with_ones_on_the_diagonal(texts, name):
    matrix = SIMILARITIES[name](texts)
    assert matrix.shape == (len(texts), len(texts))
    assert (matrix == matrix.T).all()
    assert ((matrix >= 0.0) & (matrix <= 1.0 + 1e-12)).all()
    # The words of a short text count less, also those that it shares with its twin.
    lengths = np.array([len(tokens(text)) for text in texts])
    own = lengths / (lengths + 8) if name == "words" else np.ones(len(texts))
    assert np.diag(matrix) == pytest.approx(own)


AWKWARD = [
    "The cat sat on the mat.",
    "The cat, the cat & the hat; 3,000.50 km!",
    "a",
    "aa aa aa aa aa aa",
    "It isn't <i>that</i> — simple\nis it?  ",
    "東京は日本の首都です。",
    "?!",
    "naïve café 🙂🙂",
    "the mat on sat cat the",
]


def test_bleu_and_chrf_give_sacrebleus_numbers():
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    for ours, metric in ((bleu, BLEU(effective_order=True)), (chrf, CHRF())):
        directed = np.array(
            [[metric.sentence_score(h, [r]).score for r in AWKWARD] for h in AWKWARD]
        )
        assert ours(AWKWARD) == pytest.approx((directed + directed.T) / 200.0, abs=1e-12)


def test_rouge_l_is_the_longest_common_subsequence():
    def common(a, b):
        row = [0] * (len(b) + 1)
        for x in a:
            last = row
            row = [0]
            for place, y in enumerate(b):
                row.append(last[place] + 1 if x == y else max(last[place + 1], row[place]))
        return row[-1]

    texts = [*AWKWARD, *random_texts(3, 30), "cat sat on mat", "the the cat on"]
    split = [tokens(text) for text in texts]
    expected = [[2 * common(a, b) / (len(a) + len(b)) for b in split] for a in split]
    assert rouge_l(texts) == pytest.approx(np.array(expected), abs=1e-12)


def test_jaccard_counts_different_tokens():
    split = [set(tokens(text)) for text in AWKWARD]
    expected = [[len(a & b) / len(a | b) for b in split] for a in split]
    assert jaccard(AWKWARD) == pytest.approx(np.array(expected), abs=1e-12)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Don't STOP—now_1!", ["don", "t", "stop", "now_1"]),
        ("ＡＢＣ ﬁne Straße", ["abc", "fine", "strasse"]),
        ("日本語abc カナ", ["日", "本", "語", "abc", "カ", "ナ"]),
        ("ไทย", ["ไ", "ท", "ย"]),
        ("हिन्दी में", ["हिन्दी", "में"]),
        ("한국어 시험", ["한국어", "시험"]),
        ("cafe\u0301", ["café"]),
        ("+ -", ["+", "-"]),
        ("a\ud800b", ["a", "b"]),
    ],
)
def test_tokens_in_many_scripts(text, expected):
    assert tokens(text) == expected


@pytest.mark.parametrize("name", ["jaccard", "chrf", "rouge_l", "bleu"])
def test_many_answers_and_a_huge_one_take_seconds_at_most(name):
    answers = [*random_texts(199, 60), *random_texts(1, 20_000, seed=1)]
    assert len(answers[-1]) > 100_000
    started = time.process_time()
    ranking = ConsensusRanker(name).rank("q", answers)
    # Generous, for slow machines: the point is that nothing is quadratic in the huge one.
    assert time.process_time() - started < 20.0
    assert len(ranking.order) == 200


def test_embeddings_are_compared_by_cosine():
    vectors = {"up": [0.0, 3.0], "also up": [0.0, 1e-200], "right": [2e200, 0.0], "nowhere": [0, 0]}
    ranker = ConsensusRanker(EmbeddingSimilarity(lambda texts: [vectors[t] for t in texts]))
    ranking = ranker.rank("q", list(vectors))
    assert ranking.scores == pytest.approx((1 / 3, 1 / 3, 0.0, 0.0))
    assert ranking.ranks == (1, 1, 3, 3)


def test_a_similarity_sees_each_text_once_and_no_blank_ones():
    seen = []

    def similarity(texts):
        seen.append(list(texts))
        return np.eye(len(texts))

    ranking = ConsensusRanker(similarity).rank("q", ["a", "", "b", "a"])
    assert seen == [["a", "b"]]
    assert ranking.scores == (0.5, 0.0, 0.0, 0.5)


def test_what_a_similarity_gets_wrong_is_named():
    with pytest.raises(InputError, match=r"unknown similarity 'cosine'; known: jaccard"):
        ConsensusRanker("cosine")
    for result, error, message in (
        (np.ones((2, 384)), InputError, r"shape \(2, 384\) for 2 texts.*EmbeddingSimilarity"),
        ([[1.0, math.nan], [0.0, 1.0]], ModelOutputError, r"NaN or infinity for 1 of 4"),
        ([["x", "y"], ["z", "w"]], InputError, "no matrix of numbers"),
    ):
        with pytest.raises(error, match=message):
            ConsensusRanker(lambda texts, result=result: result).rank("q", ["a", "b"])
    for vectors, message in (
        ([[1.0], [math.inf]], "1 of 2 embeddings"),
        ([1.0, 2.0], r"2 texts were embedded as shape \(2,\)"),
        ([[1.0], [1.0, 2.0]], "no table of numbers"),
    ):
        embedding = EmbeddingSimilarity(lambda texts, vectors=vectors: vectors)
        with pytest.raises(ModelOutputError, match=message):
            ConsensusRanker(embedding).rank("q", ["a", "b"])
    with pytest.raises(InputError, match="'embed' must be a function"):
        EmbeddingSimilarity("all-MiniLM-L6-v2")
    with pytest.raises(InputError, match="expected a Task"):
        ConsensusRanker().rank_many(["not a task"])


def test_bleu_without_sacrebleu_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics.bleu", None)
    with pytest.raises(MissingExtraError, match=r"blended-llm\[eval\]"):
        ConsensusRanker("bleu").rank("q", ["a", "b"])


def test_a_fused_text_is_judged_among_all_candidates():
    ranker = ConsensusRanker()
    answers = [Candidate(text) for text in ("a b", "b c", "c d")]
    task = Task("q", answers)
    duels = [
        Duel(task, Candidate("a b c d"), answers[0]),
        Duel(task, Candidate("zzz"), answers[1]),
        Duel(task, Candidate("b c"), answers[1]),
    ]
    good, bad, same = ranker.duel_many(duels)
    # "a b c d" shares half its tokens with everyone; "a b" shares none with "c d".
    scores = ranker.rank("q", ["a b c d", "a b", "b c", "c d"]).scores
    assert good == pytest.approx((scores[0] - scores[1], scores[1] - scores[0]), abs=1e-7)
    assert good[0] > 0.0 > good[1]
    assert bad[0] < 0.0 < bad[1]
    assert same == (0.0, 0.0)
    assert ranker.compare("q", "a b", "b c") == 0.0


async def test_async_is_the_same():
    tasks = [Task("q", ["a b", "b c", "a b c"]), Task("r", ["x"])]
    ranker = ConsensusRanker("rouge_l")
    plain, later = ranker.rank_many(tasks), await ranker.arank_many(tasks)
    assert [r.scores for r in plain] == [r.scores for r in later]


@pytest.mark.parametrize("similarity", ["jaccard", "rouge_l"])
@pytest.mark.parametrize(
    ("odd", "common"),
    [
        ("3", "-3"),
        ("The answer is 3.", "The answer is -3."),
        ("C", "C++"),
        ("C", "C#"),
        ("Use <", "Use >"),
        ("$5", "5%"),
    ],
)
def test_signs_that_change_what_is_said_count(similarity, odd, common):
    ranking = ConsensusRanker(similarity).rank("?", [odd, common, common])
    assert ranking.ranks == (3, 1, 1)


# --- results ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "stated"),
    [
        ("So the answer is (B).", "b"),
        ("The answer is B", "b"),
        ("Answer: 1,200.0 m", "1200"),
        ("the result is -3/4, I think", "-3/4"),
        (r"Hence $\boxed{\text{(C)}}$.", "c"),
        ("The answer is 4. No: the answer is 5.", "5"),
        ("The answer is a matter of taste.", None),
        ("The answer is Because it rains.", None),
        ("I do not know.", None),
        ("", None),
    ],
)
def test_a_stated_result_is_found(text, stated):
    assert stated_result(text) == stated


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("5", "5"),
        ("It is 4.", "4"),
        ("It's 1,200.", "1200"),
        ("2 + 2 = 4.0", "4"),
        ("-3", "-3"),
        ("B", "b"),
        ("(B)", "b"),
        ("Yes, it is.", "yes"),
        ("I think it's Paris!", "paris"),
        ("It was Marie Curie.", "marie curie"),
        ("東京。", "東京"),
        ("4 km", "4 km"),
        ("1e999", "1e999"),
        ("", None),
        ("It is.", None),
        ("x = 1, y = 2", None),
        ("Paris is the capital of France.", None),
        ("4 " * 40, None),
    ],
)
def test_what_a_short_answer_says(text, said):
    assert short_answer(text) == said


@pytest.mark.parametrize(
    ("question", "lone", "agreeing"),
    [
        ("What is 2 + 2?", "5", ["It is 4.", "The answer is 4."]),
        ("What is 2 + 2?", "The answer is 5.", ["It is 4.", "4"]),
        ("What is 17 + 25?", "The answer is 41.", ["42", "It's 42."]),
        ("What is the capital of Australia?", "It is Sydney.", ["Canberra", "It's Canberra."]),
        ("Is 7 a prime number?", "No, it is not.", ["Yes.", "Yes, it is."]),
    ],
)
def test_two_short_answers_that_agree_beat_a_lone_one(question, lone, agreeing):
    joint = JointRanker()
    for answers in ([lone, *agreeing], [*agreeing, lone], [agreeing[0], lone, agreeing[1]]):
        assert joint.rank(question, answers).best.text in agreeing


def test_votes_for_a_result_win_over_shared_words():
    answers = [
        "Add the two: 17 + 25 = 43. The answer is 43.",
        "Add the two: 17 + 25 = 43. I check it. The answer is 44.",
        "Twenty and twenty-five less three. Answer: 42",
        "It must be even. The answer is 42.",
    ]
    assert ConsensusRanker("jaccard").rank("17 + 25?", answers).best.text in answers[:2]
    assert ConsensusRanker("result").rank("17 + 25?", answers).ranks == (3, 3, 1, 1)
    assert ConsensusRanker("words").rank("17 + 25?", answers).ranks == (1, 1, 1, 1)


# --- joined -------------------------------------------------------------------------------------


class ByLength(PairRanker):
    """Prefers what is longer; asks only some pairs, so that there are holes."""

    def __init__(self):
        super().__init__(
            ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second))),
            schedule="reference-first",
        )


def test_a_joint_ranker_adds_up_what_its_parts_say():
    answers = ["a b", "a b c d", "x y z", "a"]
    parts = [(ByLength(), 0.5), (ConsensusRanker(), 3.0)]
    ranking = JointRanker(parts).rank("?", answers)
    lengths = np.array([len(answer) for answer in answers], dtype=float)
    consensus = ConsensusRanker().rank("?", answers)
    wanted = 0.5 * (lengths[:, None] - lengths) + 3.0 * consensus.matrix
    asked = ~np.isnan(ranking.matrix)
    assert asked.sum() == 6 + 4  # what a part did not ask is a hole of the sum too ...
    assert ranking.matrix[asked] == pytest.approx(wanted[asked], abs=1e-5)
    # ... and is filled with what it implies for the scores.
    assert ranking.scores == pytest.approx((wanted - wanted.T).mean(axis=1), abs=1e-5)
    assert ranking.passes == 6
    assert ranking.order[0] == int(wanted.mean(axis=1).argmax())


async def test_a_joint_ranker_is_the_same_in_an_event_loop():
    joint = JointRanker([(ByLength(), 1.0), (ConsensusRanker(), 2.0)])
    tasks = [Task("?", ["a b", "a b c", "c"]), Task("!", ["x"])]
    for one, other in zip(joint.rank_many(tasks), await joint.arank_many(tasks), strict=True):
        assert one.scores == other.scores
    duel = Duel(tasks[0], Candidate("a b c d"), tasks[0].candidates[1])
    assert joint.duel_many([duel]) == await joint.aduel_many([duel])
    assert joint.duel_many([duel])[0][0] > 0


@pytest.mark.parametrize(
    "parts", [[], [ConsensusRanker()], [(ConsensusRanker(), float("nan"))], [("mini", 1.0)]]
)
def test_parts_of_a_joint_ranker_are_checked(parts):
    with pytest.raises(InputError, match=r"a part is a ranker and its weight|at least one ranker"):
        JointRanker(parts)
