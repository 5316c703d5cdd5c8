"""LLM-Blender's names over our core, against what the original computed on tiny checkpoints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    GPT2Config,
    GPT2ForSequenceClassification,
    GPT2LMHeadModel,
    PreTrainedTokenizerFast,
    T5Config,
    T5ForConditionalGeneration,
)

from blender_core import PairRanker, PointwiseRanker
from blender_core import compat as llm_blender
from blender_core.candidates import Pair
from blender_core.errors import BlenderError, CheckpointError, InputError
from blender_core.testing import ScriptedComparator

GOLDEN = Path(__file__).parent.parent / "data" / "golden"
CHECKPOINTS = GOLDEN / "checkpoints"
BASE = CHECKPOINTS / "tiny-deberta-v3-base"
TOLERANCE = 1e-5
"""Of a logit, which the original computed in float32, and of a mean of logits."""
TWO_LOGITS = 2 * TOLERANCE
"""Of a difference of two."""


def golden(name: str) -> Any:
    return json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))


RANK_CASES = {case["id"]: case for case in golden("rank_cases")}
BATCH_CASES = {case["id"]: case for case in golden("batch_cases")}
CONVERSATION_CASES = {case["id"]: case for case in golden("conversation_cases")}

MARKER_CASES = ["r15", "r16", "r17", "r18", "r19", "r20", "r21", "r37"]
"""Texts that the original takes for special tokens; to us they are texts, by design."""

SAME = [key for key in RANK_CASES if key not in MARKER_CASES]
LIMITED = [key for key in SAME if "source_max_length" in RANK_CASES[key]]
LONG = ["r22", "r23", "r24", "r31"]
"""Rows of up to 2048 tokens: what they are cut to is the encoder's business and tested there."""
PLAIN = [key for key in SAME if key not in LIMITED + LONG]
PAIRS = [key for key in PLAIN if len(RANK_CASES[key]["candidates"]) > 1]

SAME_IN_BATCH = ["m01", "m03", "m09"]
BATCH_DEPENDENT = ["m02", "m04"]
"""The original cuts answers by the longest question of the batch; we by their own, as it does
with one input a batch."""

MODES = ["[A,B]", "[B,A]", "[A,B]+[B,A]"]
REF_MODES = ["longest", "shortest", "median_length", "first", "last"]
TEXTS = ["hello, how are you!", "I love you!"]
ANSWERS = [
    ["get out!", "hi! I am fine, thanks!", "bye!"],
    ["I love you too!", "I hate you!", "Thanks! You're a good guy!"],
]


@pytest.fixture(scope="module")
def blender() -> llm_blender.Blender:
    blender = llm_blender.Blender(use_tqdm=False)
    # Rounding in float32 alone differs by up to the tolerance between machines.
    blender.loadranker(CHECKPOINTS / "tiny-PairRM", "cpu", base_model=BASE, dtype="float64")
    blender.loadfuser(CHECKPOINTS / "tiny-gen-fuser", "cpu")
    return blender


@pytest.fixture
def scripted() -> llm_blender.Blender:
    """A blender whose answers are worth what they say."""
    blender = llm_blender.Blender(use_tqdm=False)
    blender.ranker = PairRanker(
        ScriptedComparator(lambda pair: float(pair.first) - float(pair.second), 0.25)
    )
    return blender


def columns(*keys: str, cases: dict[str, Any] = RANK_CASES) -> dict[str, Any]:
    """Many single-input cases as the arguments of one call."""
    return {
        "inputs": [cases[key]["input"] for key in keys],
        "candidates": [cases[key]["candidates"] for key in keys],
        "instructions": [cases[key]["instruction"] or "" for key in keys],
    }


def arguments(case: dict[str, Any]) -> dict[str, Any]:
    return {key: case[key] for key in ("inputs", "candidates", "instructions")}


def assert_rows(ours: Any, theirs: Any, tolerance: float = TOLERANCE) -> None:
    assert len(ours) == len(theirs)
    for row, expected in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(row, expected, rtol=0, atol=tolerance)


# --- ranking -----------------------------------------------------------------------------------


def test_rank_equals_the_original_on_every_case_at_once(blender):
    scores = blender.rank(**columns(*PLAIN), return_scores=True)
    ranks = blender.rank(**columns(*PLAIN))
    assert_rows(scores, [RANK_CASES[key]["pairrm"]["scores"] for key in PLAIN])
    assert [row.tolist() for row in ranks] == [RANK_CASES[k]["pairrm"]["ranks"] for k in PLAIN]


@pytest.mark.parametrize("key", LIMITED)
def test_rank_with_other_lengths(blender, key):
    case = RANK_CASES[key]
    limits = {name: case[name] for name in ("source_max_length", "candidate_max_length")}
    if "error" in case["pairrm"]:  # no room for the question's marker
        with pytest.raises(InputError, match="source_max_length is 2"):
            blender.rank(**columns(key), **limits)
        return
    scores = blender.rank(**columns(key), **limits, return_scores=True)
    assert_rows(scores, [case["pairrm"]["scores"]])
    assert blender.rank(**columns(key), **limits).tolist() == [case["pairrm"]["ranks"]]
    # The lengths are for that call only.
    unlimited = blender.rank(**columns(key), return_scores=True)
    assert np.abs(unlimited - scores).max() > TOLERANCE


@pytest.mark.parametrize("key", MARKER_CASES)
def test_marker_texts_are_texts(blender, key):
    case = RANK_CASES[key]
    scores = blender.rank(**columns(key), return_scores=True)
    assert np.isfinite(scores).all()
    assert abs(scores.sum()) < TOLERANCE
    source = (case["instruction"] or "") + case["input"]
    row = blender.ranker.comparator.pairs.encode([Pair(source, *case["candidates"][:2])])[0]
    ids = row.ids.tolist()
    assert [ids.count(marker) for marker in (2001, 2002, 2003, 2004)] == [1, 1, 1, 0]
    assert ids.count(1) == ids.count(2) == 3  # [CLS] and [SEP]


def test_a_marker_text_harms_nobody_in_its_batch(blender):
    case = arguments(BATCH_CASES["m08"])
    together = blender.rank(**case, return_scores=True, batch_size=2)
    alone = blender.rank([case["inputs"][1]], [case["candidates"][1]], return_scores=True)
    np.testing.assert_allclose(together[1], alone[0], rtol=0, atol=1e-7)


@pytest.mark.parametrize("key", SAME_IN_BATCH)
def test_rank_of_a_batch_equals_the_original_for_every_batch_size(blender, key):
    case = BATCH_CASES[key]
    for run in case["runs"]:
        size = {"batch_size": run["batch_size"]}
        scores = blender.rank(**arguments(case), **size, return_scores=True)
        assert_rows(scores, run["scores"])
        assert blender.rank(**arguments(case), **size).tolist() == run["ranks"]


@pytest.mark.parametrize("key", BATCH_DEPENDENT)
def test_scores_never_depend_on_the_batch(blender, key):
    case = BATCH_CASES[key]
    limits = {
        name: case[name] for name in ("source_max_length", "candidate_max_length") if name in case
    }
    runs = {run["batch_size"]: run["scores"] for run in case["runs"]}
    largest = max(runs)
    assert np.abs(np.array(runs[largest]) - runs[1]).max() > 0.1  # the original's do
    scores = blender.rank(**arguments(case), **limits, batch_size=largest, return_scores=True)
    assert_rows(scores, runs[1])


def test_both_published_layouts_rank_alike(blender):
    other = llm_blender.Blender(use_tqdm=False)
    other.loadranker(str(CHECKPOINTS / "tiny-PairRM-hf"), dtype="float64", device="cpu")
    np.testing.assert_array_equal(
        other.rank(TEXTS, ANSWERS, return_scores=True),
        blender.rank(TEXTS, ANSWERS, return_scores=True),
    )


def test_rectangular_results_are_arrays_and_ragged_ones_lists_of_arrays(blender):
    ranks = blender.rank(TEXTS, ANSWERS)
    assert isinstance(ranks, np.ndarray)
    assert (ranks.dtype, ranks.shape) == (np.int32, (2, 3))
    assert blender.rank(TEXTS, ANSWERS, return_scores=True).dtype == np.float32
    ragged = blender.rank(**arguments(BATCH_CASES["m05"]))
    assert [(row.dtype, row.shape) for row in ragged] == [(np.int32, (2,)), (np.int32, (3,))]
    rewards = blender.rank_with_ref(**arguments(BATCH_CASES["m05"]), return_scores=True)
    assert [row.shape for row in rewards] == [(2,), (3,)]


# --- ranking with a reference ------------------------------------------------------------------


@pytest.mark.parametrize("mode", REF_MODES)
def test_rank_with_ref_equals_the_original(blender, mode):
    expected = [RANK_CASES[key]["rank_with_ref"][mode] for key in PLAIN]
    scores = blender.rank_with_ref(**columns(*PLAIN), return_scores=True, ref_mode=mode)
    ranks = blender.rank_with_ref(**columns(*PLAIN), ref_mode=mode)
    assert_rows(scores, [case["scores"] for case in expected], TWO_LOGITS)
    assert [row.tolist() for row in ranks] == [case["ranks"] for case in expected]
    assert {row.dtype for row in ranks} == {np.dtype(np.int32)}
    for row, case in zip(scores, expected, strict=True):
        assert row.dtype == np.float64
        assert str(row[case["reference_index"]]) == "-0.0"


@pytest.mark.parametrize("key", SAME_IN_BATCH)
def test_rank_with_given_references_equals_the_original(blender, key):
    case = BATCH_CASES[key]
    expected = case["rank_with_given_ref"]
    rewards = blender.rank_with_ref(
        **arguments(case),
        return_scores=True,
        batch_size=expected["batch_size"],
        ref_candidates=expected["ref_candidates"],
    )
    assert_rows(rewards, expected["scores"])


def test_a_given_reference_need_not_be_a_candidate(scripted):
    rewards = scripted.rank_with_ref(
        ["q"], [["1", "4"]], ref_candidates=["3"], mode="first", return_scores=True
    )
    assert rewards.tolist() == [[-4.0, 2.0]]
    assert scripted.rank_with_ref(["q"], [["1", "4"]], ref_candidates=["3"]).tolist() == [[2, 1]]


def test_mode_is_the_name_of_ref_mode_in_the_readme(blender):
    shortest = blender.rank_with_ref(TEXTS, ANSWERS, return_scores=True, ref_mode="shortest")
    by_readme = blender.rank_with_ref(
        TEXTS, ANSWERS, return_scores=True, batch_size=2, mode="shortest"
    )
    longest = blender.rank_with_ref(TEXTS, ANSWERS, return_scores=True)
    np.testing.assert_array_equal(by_readme, shortest)
    assert not np.array_equal(longest, shortest)
    blender.rank_with_ref(TEXTS, ANSWERS, mode="first", ref_mode="first")
    with pytest.raises(InputError, match="'mode' 'first' and 'ref_mode' 'last'"):
        blender.rank_with_ref(TEXTS, ANSWERS, mode="first", ref_mode="last")


@pytest.mark.parametrize("name", ["mode", "ref_mode"])
def test_an_unknown_reference_mode_is_an_error(scripted, name):
    with pytest.raises(InputError, match="'middle'"):
        scripted.rank_with_ref(["q"], [["1", "2"]], **{name: "middle"})


def test_rank_with_ref_takes_lengths(blender):
    """The original raises TypeError here."""
    rewards = blender.rank_with_ref(TEXTS, ANSWERS, return_scores=True, source_max_length=4)
    assert not np.array_equal(rewards, blender.rank_with_ref(TEXTS, ANSWERS, return_scores=True))


# --- comparing ---------------------------------------------------------------------------------


def pairs_of(keys: list[str]) -> list[Any]:
    given = columns(*keys)
    first, second = zip(*(row[:2] for row in given["candidates"]), strict=True)
    return [given["inputs"], first, second, given["instructions"]]


@pytest.mark.parametrize("mode", ["[A,B]", "[A,B]+[B,A]"])
def test_compare_equals_the_original(blender, mode):
    expected = [RANK_CASES[key]["compare_0_1"][mode] for key in PAIRS]
    logits = blender.compare(*pairs_of(PAIRS), return_logits=True, mode=mode)
    assert logits.dtype == np.float32
    assert_rows(logits, [case["logit"] for case in expected])
    results = blender.compare(*pairs_of(PAIRS), mode=mode)
    assert results.dtype == np.bool_
    assert results.tolist() == [case["result"] for case in expected]


def test_compare_with_b_first_has_the_sign_of_the_documentation(blender):
    """> 0 means that A is better; the original gives the logit of the pair (B, A) as it is."""
    expected = [RANK_CASES[key]["compare_0_1"]["[B,A]"]["logit"] for key in PAIRS]
    logits = blender.compare(*pairs_of(PAIRS), return_logits=True, mode="[B,A]")
    assert_rows(-logits, expected)
    results = blender.compare(*pairs_of(PAIRS), mode="[B,A]")
    assert results.tolist() == [logit < 0 for logit in expected]


def test_both_orders_are_the_sum_of_each(blender):
    logits = {
        mode: blender.compare(*pairs_of(PAIRS), return_logits=True, mode=mode) for mode in MODES
    }
    assert_rows(logits["[A,B]"] + logits["[B,A]"], logits["[A,B]+[B,A]"])
    source, a, b, instruction = (column[0] for column in pairs_of(PAIRS[:1]))
    ours = blender.ranker.compare(instruction + source, a, b)
    assert logits["[A,B]+[B,A]"][0] == pytest.approx(2 * ours, abs=TOLERANCE)


@pytest.mark.parametrize("key", [*SAME_IN_BATCH, "m05"])
def test_compare_of_a_batch_equals_the_original(blender, key):
    case = BATCH_CASES[key]
    first, second = zip(*(row[:2] for row in case["candidates"]), strict=True)
    for mode, expected in case["compare_first_second"].items():
        logits = blender.compare(
            case["inputs"],
            first,
            second,
            case["instructions"],
            batch_size=expected["batch_size"],
            return_logits=True,
            mode=mode,
        )
        assert_rows(-logits if mode == "[B,A]" else logits, expected["logits"])


def test_swapping_the_answers_negates_a_verdict_of_both_orders(blender):
    source, first, second, instructions = pairs_of(PAIRS)
    there = blender.compare(source, first, second, instructions, return_logits=True)
    back = blender.compare(source, second, first, instructions, return_logits=True)
    np.testing.assert_allclose(there, -back, rtol=0, atol=1e-6)


@pytest.mark.parametrize("mode", ["[A,B]+[B,A] typo", "", None])
def test_an_unknown_mode_is_an_error(scripted, mode):
    with pytest.raises(InputError, match="unknown mode"):
        scripted.compare(["q"], ["1"], ["2"], mode=mode)


def test_each_mode_asks_only_what_it_says(scripted):
    for mode, asked in (
        ("[A,B]", [("1", "2")]),
        ("[B,A]", [("2", "1")]),
        ("[A,B]+[B,A]", [("1", "2"), ("2", "1")]),
    ):
        comparator = scripted.ranker.comparator
        comparator.calls.clear()
        scripted.compare(["q"], ["1"], ["2"], mode=mode)
        assert [(pair.first, pair.second) for call in comparator.calls for pair in call] == asked


# --- conversations -----------------------------------------------------------------------------


# Case c06 has the roles in lower case, as everybody has them today; the original refused that.
@pytest.mark.parametrize("key", [key for key in CONVERSATION_CASES if key != "c06"])
def test_compare_conversations(blender, key):
    case = CONVERSATION_CASES[key]
    for mode, expected in case["compare_conversations"].items():
        if key == "c10" and mode != "[A,B]":
            continue  # rows of a thousand tokens: once is enough
        if "error" in expected:
            with pytest.raises(InputError, match=r"conversations_a\[0\]"):
                blender.compare_conversations(case["a"], case["b"], mode=mode)
            continue
        logits = blender.compare_conversations(
            case["a"], case["b"], batch_size=case["batch_size"], return_logits=True, mode=mode
        )
        sign = -1 if mode == "[B,A]" else 1
        assert_rows(sign * logits, expected["logits"])


def test_roles_may_be_in_lower_case_and_a_system_may_speak_first(blender):
    case = CONVERSATION_CASES["c03"]
    lower = [
        [[{"role": m["role"].lower(), "content": m["content"]} for m in one] for one in case[side]]
        for side in "ab"
    ]
    wanted = blender.compare_conversations(case["a"], case["b"], return_logits=True)
    np.testing.assert_array_equal(blender.compare_conversations(*lower, return_logits=True), wanted)
    asked = []
    blender = llm_blender.Blender(use_tqdm=False)
    blender.ranker = PairRanker(ScriptedComparator(lambda pair: asked.append(pair) or 0.0))
    system = {"role": "system", "content": "Be brief."}
    blender.compare_conversations(
        [[system, *said("2 + 2?", "4")]], [[system, *said("2 + 2?", "5")]]
    )
    assert asked[0].instruction.endswith("SYSTEM: Be brief.\nUSER: 2 + 2?\nAssistant: <Response 1>")
    with pytest.raises(InputError, match="the system says different things"):
        blender.compare_conversations([[system, *said("q", "4")]], [said("q", "5")])


def test_chat_messages_are_questions(scripted):
    asked = []
    scripted.ranker = PairRanker(ScriptedComparator(lambda pair: asked.append(pair) or 0.0))
    system = {"role": "system", "content": "Be brief."}
    scripted.rank([[system, {"role": "user", "content": "2 + 2?"}]], [["4", "5"]])
    scripted.compare([[system, {"role": "user", "content": "2 + 2?"}]], ["4"], ["5"])
    assert {pair.instruction for pair in asked} == {"Be brief.\n\n2 + 2?"}


def test_compare_conversations_says_who_is_better(blender):
    case = CONVERSATION_CASES["c03"]
    for mode, expected in case["compare_conversations"].items():
        results = blender.compare_conversations(case["a"], case["b"], mode=mode)
        assert results.dtype == np.bool_
        assert (results ^ (mode == "[B,A]")).tolist() == expected["results"]


def test_conversations_are_put_in_the_original_words(scripted):
    asked = []
    scripted.ranker = PairRanker(ScriptedComparator(lambda pair: asked.append(pair) or 0.0))
    for case in CONVERSATION_CASES.values():
        if "error" in case["texts"]:
            continue
        asked.clear()
        scripted.compare_conversations(case["a"], case["b"], mode="[A,B]")
        texts = case["texts"]
        assert asked == [
            Pair(*texts_of_one)
            for texts_of_one in zip(
                texts["inputs"], texts["candidates_a"], texts["candidates_b"], strict=True
            )
        ]


def said(*texts: str) -> list[dict[str, str]]:
    roles = ("USER", "ASSISTANT")
    return [{"role": roles[k % 2], "content": text} for k, text in enumerate(texts)]


GOOD = said("hello", "hi", "more", "no")


@pytest.mark.parametrize(
    ("conversation", "message"),
    [
        ([], "has 0 messages"),
        (GOOD[:3], "has 3 messages"),
        (GOOD[:2], "have 2 and 1 turns"),
        (said("hello", "hi", "less", "no"), "different things in turn 2"),
        ([*GOOD[:2], *reversed(GOOD[2:])], "turn 2: the role must be 'USER', got 'ASSISTANT'"),
        ([*GOOD[:3], {"role": "tool", "content": "no"}], "turn 2: the role must be 'ASSISTANT'"),
        ([*GOOD[:3], {"role": "ASSISTANT"}], "turn 2: a message is a dict with"),
        ([*GOOD[:3], "no"], "turn 2: a message is a dict with"),
        ([*GOOD[:3], {"role": "ASSISTANT", "content": None}], "'content' must be a str, got Non"),
    ],
)
def test_a_malformed_conversation_is_named(scripted, conversation, message):
    with pytest.raises(InputError, match=message) as caught:
        scripted.compare_conversations([GOOD, GOOD], [GOOD, conversation])
    assert "conversations_b[1]" in str(caught.value)


def test_conversations_must_be_as_many(scripted):
    with pytest.raises(InputError, match="'conversations_a' has 1 entries, but 'conversations_b'"):
        scripted.compare_conversations([GOOD], [GOOD, GOOD])
    with pytest.raises(InputError, match="'conversations_a' is empty"):
        scripted.compare_conversations([], [])


# --- best and worst of n -----------------------------------------------------------------------


@pytest.mark.parametrize("end", ["best", "worst"])
def test_bubble_equals_the_original_for_the_same_seed(blender, end):
    pick = getattr(blender, f"get_{end}_of_n")
    for key in PLAIN:
        for run in RANK_CASES[key][f"{end}_of_n"]["bubble"]:
            torch.manual_seed(run["seed"])
            rows = pick(**columns(key), return_all=True)
            assert rows == [run["result_all"]], (key, run["seed"])


@pytest.mark.parametrize("end", ["best", "worst"])
def test_full_equals_the_original(blender, end):
    pick = getattr(blender, f"get_{end}_of_n")
    expected = [RANK_CASES[key][f"{end}_of_n"]["full"] for key in PLAIN]
    rows = pick(**columns(*PLAIN), pairrm_cmp_type="full", return_all=True)
    assert rows == [case["result_all"] for case in expected]
    (picked,) = pick(**columns("r05"), pairrm_cmp_type="full")
    assert picked == RANK_CASES["r05"][f"{end}_of_n"]["full"]["result"]
    assert {type(text) for row in [[picked], *rows] for text in row} == {str}


@pytest.mark.parametrize("end", ["best", "worst"])
@pytest.mark.parametrize("key", SAME_IN_BATCH)
def test_the_inputs_of_a_batch_share_a_random_line(blender, key, end):
    expected = BATCH_CASES[key][f"{end}_of_n_bubble"]
    given = {**arguments(BATCH_CASES[key]), "batch_size": expected["batch_size"]}
    pick = getattr(blender, f"get_{end}_of_n")
    torch.manual_seed(expected["seed"])
    assert pick(**given) == expected["result"]
    torch.manual_seed(expected["seed"])
    assert pick(**given, return_all=True) == expected["result_all"]


def test_a_bubble_pass_takes_different_numbers_of_candidates(scripted):
    candidates = [["3", "1"], ["2"], ["5", "9", "7"], ["4", "6"]]
    inputs = ["q"] * 4
    torch.manual_seed(0)
    assert scripted.get_best_of_n(inputs, candidates) == ["3", "2", "9", "6"]
    assert scripted.get_worst_of_n(inputs, candidates) == ["1", "2", "5", "4"]
    rows = scripted.get_best_of_n(inputs, candidates, return_all=True)
    assert [sorted(row) for row in rows] == [sorted(row) for row in candidates]


def test_one_candidate_needs_no_comparison_and_no_randomness(scripted):
    before = torch.get_rng_state()
    assert scripted.get_best_of_n(["a", "b"], [["1"], ["2"]]) == ["1", "2"]
    assert scripted.get_worst_of_n(["a"], [["1"]], return_all=True) == [["1"]]
    assert scripted.ranker.comparator.calls == []
    assert torch.equal(torch.get_rng_state(), before)


def test_an_unknown_comparison_type_is_an_error(scripted):
    with pytest.raises(InputError, match="unknown pairrm_cmp_type 'buble'; known: bubble, full"):
        scripted.get_best_of_n(["q"], [["1", "2"]], pairrm_cmp_type="buble")


# --- fusing ------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", golden("rank_and_fuse_cases"), ids=lambda case: case["id"])
def test_rank_and_fuse_equals_the_original(blender, case):
    expected = case["expected"]
    fused, ranked = blender.rank_and_fuse(
        case["inputs"],
        case["candidates"],
        return_scores=case["return_scores"],
        top_k=case["top_k"],
        **expected["arguments"],
    )
    assert fused == expected["output_text"]
    assert_rows(ranked, expected["ranks_or_scores"])
    assert ranked.dtype == (np.float32 if case["return_scores"] else np.int32)


def test_fuse_by_hand_is_rank_and_fuse(blender):
    short = {"max_new_tokens": 8, "num_beams": 1}
    ranks = blender.rank(TEXTS, ANSWERS)
    best = llm_blender.get_topk_candidates_from_ranks(ranks, ANSWERS, top_k=2)
    fused = blender.fuse(TEXTS, best, batch_size=2, **short)
    assert fused == blender.rank_and_fuse(TEXTS, ANSWERS, top_k=2, **short)[0]
    assert fused == blender.fuse(TEXTS, best, batch_size=1, **short)
    assert blender.fuser.batch_size == 4  # a call's batch size is its own


def test_fuse_leaves_the_callers_lists_alone(blender):
    rows = [("word " * 200, "short")]
    assert len(blender.fuse(["Say."], rows, max_new_tokens=2, num_beams=1)) == 1
    assert rows == [("word " * 200, "short")]


def test_fuse_of_nothing_is_nothing(blender):
    assert blender.fuse([], []) == []


@pytest.mark.parametrize("case", golden("functions")["topk"])
def test_topk_equals_the_original(case):
    ranks = np.array(case["ranks"])
    result = llm_blender.get_topk_candidates_from_ranks(ranks, case["candidates"], case["top_k"])
    assert result == case["result"]


@pytest.mark.parametrize("case", golden("functions")["scores_and_ranks_from_matrix"])
def test_scores_and_ranks_of_a_matrix_equal_the_original(case):
    for matrix, scores, ranks in zip(
        case["matrix"],
        case["max_logits"]["scores"],
        case["max_logits"]["ranks_of_scores"],
        strict=True,
    ):
        blender = llm_blender.Blender(use_tqdm=False)

        def logit(pair: Pair, matrix: Any = matrix) -> float:
            return matrix[int(pair.first)][int(pair.second)]

        blender.ranker = PairRanker(ScriptedComparator(logit))
        candidates = [[str(index) for index in range(len(matrix))]]
        assert_rows(blender.rank(["q"], candidates, return_scores=True), [scores])
        assert blender.rank(["q"], candidates).tolist() == [ranks]


@pytest.mark.parametrize("case", golden("functions")["ranks_from_scores"])
def test_ranks_of_scores_equal_the_original(rewarding, case):
    scores, ranks = np.atleast_2d(case["scores"]), np.atleast_2d(case["ranks"])
    candidates = [[str(score) for score in row] for row in scores]
    assert rewarding.rank(["q"] * len(scores), candidates).tolist() == ranks.tolist()


# --- generating --------------------------------------------------------------------------------

WORDS = ["</s>", "<pad>", "<unk>", *"abcdefghijklmnopqrstuvwxyz", "!", "?"]


END, PAD, UNKNOWN = WORDS[:3]


def word_tokenizer(**options: Any) -> PreTrainedTokenizerFast:
    vocabulary = {word: place for place, word in enumerate(WORDS)}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, eos_token=END, unk_token=UNKNOWN, **options
    )


@pytest.fixture(scope="module")
def causal() -> GPT2LMHeadModel:
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(WORDS), n_positions=24, n_embd=16, n_layer=1, n_head=2,
        bos_token_id=0, eos_token_id=0,
    )  # fmt: skip
    return GPT2LMHeadModel(config).eval()


@pytest.fixture(scope="module")
def seq2seq() -> T5ForConditionalGeneration:
    torch.manual_seed(0)
    config = T5Config(
        vocab_size=len(WORDS), d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2,
        pad_token_id=1, eos_token_id=0, decoder_start_token_id=1,
    )  # fmt: skip
    return T5ForConditionalGeneration(config).eval()


def test_n_generate_gives_n_texts_an_input_without_the_prompt(causal):
    blender = llm_blender.Blender(use_tqdm=False)
    torch.manual_seed(1)
    rows = blender.n_generate(
        causal, word_tokenizer(), ["a b c", "d", "e f"], n=3, batch_size=2, max_new_tokens=4
    )
    assert [len(row) for row in rows] == [3, 3, 3]
    assert all(len(text.split()) <= 4 for row in rows for text in row)
    assert len({text for row in rows for text in row}) > 3  # it samples


def test_padding_does_not_change_what_a_causal_model_writes(causal):
    blender = llm_blender.Blender(use_tqdm=False)
    greedy = {"n": 1, "sampling_mode": None, "do_sample": False, "max_new_tokens": 6}
    prompts = ["a b c d e f g", "h", "i j"]
    for options in ({}, {"pad_token": PAD}, {"pad_token": PAD, "padding_side": "right"}):
        tokenizer = word_tokenizer(**options)
        together = blender.n_generate(causal, tokenizer, prompts, batch_size=3, **greedy)
        alone = blender.n_generate(causal, tokenizer, prompts, batch_size=1, **greedy)
        assert together == alone


def test_the_prompt_is_instruction_line_break_input(causal):
    seen = []

    class Recording(PreTrainedTokenizerFast):
        def __call__(self, texts: Any, **options: Any) -> Any:
            seen.extend(texts)
            return super().__call__(texts, **options)

    tokenizer = Recording(tokenizer_object=word_tokenizer().backend_tokenizer, eos_token=END)
    blender = llm_blender.Blender(use_tqdm=False)
    blender.n_generate(causal, tokenizer, ["c d"], ["a b"], n=1, max_new_tokens=1)
    blender.n_generate(causal, tokenizer, ["c d"], n=1, max_new_tokens=1)
    assert seen == ["a b\nc d", "c d"]


def test_without_a_length_a_text_may_fill_the_model(causal, seq2seq):
    blender = llm_blender.Blender(use_tqdm=False)
    rows = blender.n_generate(
        causal, word_tokenizer(), ["a b"], n=1, sampling_mode="top_k_sampling", top_k=3,
        suppress_tokens=[0],
    )  # fmt: skip
    assert len(rows[0][0].split()) == 24 - 2
    with pytest.raises(InputError, match="pass max_new_tokens"):
        blender.n_generate(seq2seq, word_tokenizer(), ["a b"])


def test_best_of_n_generate(scripted, causal, seq2seq):
    scripted.ranker = PairRanker(ScriptedComparator(lambda p: len(p.first) - len(p.second)))
    for model in (causal, seq2seq):
        given = [model, word_tokenizer(), ["a b", "c"], ["x", "y"]]
        torch.manual_seed(5)
        rows = scripted.best_of_n_generate(*given, n=4, return_all=True, max_new_tokens=6)
        torch.manual_seed(5)
        best = scripted.best_of_n_generate(*given, n=4, max_new_tokens=6)
        assert best == [row[0] for row in rows]
        assert [len(text) for text in best] == [max(map(len, row)) for row in rows]
        assert [len(row) for row in rows] == [4, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sampling_mode": "beam"}, "unknown sampling_mode 'beam'"),
        ({"n": 0}, "'n' must be"),
        ({"batch_size": 0}, "'batch_size' must be"),
        ({"num_return_sequences": 2}, "'n' says how many"),
        ({"instructions": ["a", "b"]}, "'instructions' has 2"),
        ({"pairrm_cmp_type": "none"}, "unknown pairrm_cmp_type"),
    ],
)
def test_wrong_generation_arguments(scripted, causal, options, message):
    with pytest.raises(InputError, match=message):
        scripted.best_of_n_generate(causal, word_tokenizer(), ["a"], **options)


# --- the original's README ----------------------------------------------------------------------


def test_the_calls_of_the_readme(blender, causal):
    ranks = blender.rank(TEXTS, ANSWERS, return_scores=False, batch_size=1)
    assert ranks.shape == (2, 3)
    results = blender.compare(["hello!", "I love you!"], ["hi!", "I hate you!"], ["no", "me too"])
    assert results.shape == (2,)
    topk = llm_blender.get_topk_candidates_from_ranks(ranks, ANSWERS, top_k=3)
    brief = {"max_new_tokens": 4}
    assert len(blender.fuse(TEXTS, topk, batch_size=2, **brief)) == 2
    fused, again = blender.rank_and_fuse(
        TEXTS, ANSWERS, return_scores=False, batch_size=2, top_k=3, **brief
    )
    assert len(fused) == 2
    assert again.tolist() == ranks.tolist()
    (output,) = blender.best_of_n_generate(causal, word_tokenizer(), ["a b"], n=10)
    assert isinstance(output, str)
    rewards = blender.rank_with_ref(
        TEXTS, ANSWERS, return_scores=True, batch_size=2, mode="longest"
    )
    assert rewards.shape == (2, 3)
    first = blender.rank_with_ref(TEXTS, ANSWERS, return_scores=True, mode="first")
    by_text = blender.rank_with_ref(
        TEXTS,
        ANSWERS,
        return_scores=True,
        batch_size=2,
        ref_candidates=[row[0] for row in ANSWERS],
    )
    np.testing.assert_allclose(by_text, first, rtol=0, atol=1e-6)


# --- loading and wrong calls -------------------------------------------------------------------


def test_nothing_loaded_says_what_to_call(causal):
    blender = llm_blender.Blender()
    for call in (
        lambda: blender.rank(TEXTS, ANSWERS),
        lambda: blender.rank_with_ref(TEXTS, ANSWERS),
        lambda: blender.compare(["q"], ["a"], ["b"]),
        lambda: blender.compare_conversations([GOOD], [GOOD]),
        lambda: blender.get_best_of_n(TEXTS, ANSWERS),
        lambda: blender.get_worst_of_n(TEXTS, ANSWERS),
        lambda: blender.best_of_n_generate(causal, word_tokenizer(), ["a"]),
    ):
        with pytest.raises(InputError, match="call loadranker"):
            call()
    with pytest.raises(InputError, match="call loadfuser"):
        blender.fuse(TEXTS, ANSWERS)


def test_rank_and_fuse_asks_for_the_fuser_before_it_ranks(scripted):
    with pytest.raises(InputError, match="call loadfuser"):
        scripted.rank_and_fuse(["q"], [["1", "2"]])
    assert scripted.ranker.comparator.calls == []


@pytest.mark.parametrize(
    ("inputs", "candidates", "instructions", "message"),
    [
        ([], [], None, "'inputs' is empty"),
        (["a"], [[]], None, "input 0: 'candidates' is empty"),
        (["a", "b"], [["1"], []], None, "input 1: 'candidates' is empty"),
        (["a", "b"], [["1", "2"]], None, "'inputs' has 2 entries, but 'candidates' has 1"),
        (["a"], [["1", "2"]], [], "'inputs' has 1 entries, but 'instructions' has 0"),
        (
            ["a"],
            [["1", None]],
            None,
            "input 0: 'candidates.1.' must be a str or a Candidate",
        ),
        (["a"], ["12"], None, "input 0: 'candidates' must be a list of answers"),
        ([7], [["1", "2"]], None, "input 0: 'input' must be a str, got int"),
        (["a"], [["1", "2"]], [None], "input 0: 'instruction' must be a str"),
        ("a", [["1", "2"]], None, "'inputs' must be a list, got one str"),
    ],
)
def test_lists_that_do_not_go_together_are_named(
    scripted, inputs, candidates, instructions, message
):
    for method in ("rank", "rank_with_ref", "get_best_of_n", "get_worst_of_n"):
        with pytest.raises(InputError, match=message):
            getattr(scripted, method)(inputs, candidates, instructions=instructions)


def test_compare_names_the_list_that_is_too_short(scripted):
    with pytest.raises(InputError, match="'inputs' has 1 entries, but 'candidates_B' has 2"):
        scripted.compare(["a"], ["1"], ["1", "2"])
    with pytest.raises(InputError, match="'inputs' is empty"):
        scripted.compare([], [], [])


def test_given_references_must_be_as_many(scripted):
    with pytest.raises(InputError, match="'inputs' has 1 entries, but 'ref_candidates' has 2"):
        scripted.rank_with_ref(["a"], [["1", "2"]], ref_candidates=["1", "2"])


@pytest.mark.parametrize("batch_size", [0, -1, 1.5, True])
def test_a_batch_size_is_a_positive_number(scripted, batch_size):
    for method in ("rank", "rank_with_ref", "get_best_of_n"):
        with pytest.raises(InputError, match="'batch_size' must be a whole number"):
            getattr(scripted, method)(["a"], [["1", "2"]], batch_size=batch_size)


def test_a_misspelled_length_is_an_error(scripted):
    with pytest.raises(TypeError, match="source_maxlength"):
        scripted.rank(["a"], [["1", "2"]], source_maxlength=4)


def test_only_a_checkpoint_has_lengths(scripted):
    with pytest.raises(InputError, match="lengths of a pairwise checkpoint"):
        scripted.rank(["a"], [["1", "2"]], source_max_length=4)


@pytest.mark.parametrize("method", ["loadranker", "loadfuser"])
def test_a_missing_checkpoint_is_an_error(method, tmp_path):
    with pytest.raises(CheckpointError, match="nowhere"):
        getattr(llm_blender.Blender(), method)(tmp_path / "nowhere")


def test_a_folder_that_is_no_ranker_is_an_error():
    with pytest.raises(BlenderError, match="tiny-gen-fuser"):
        llm_blender.Blender().loadranker(CHECKPOINTS / "tiny-gen-fuser")


def test_without_a_device_loading_works_anywhere_and_takes_the_original_words():
    blender = llm_blender.Blender()
    blender.loadranker(
        CHECKPOINTS / "tiny-PairRM", base_model=BASE, source_maxlength=64, cache_dir="unused"
    )
    assert blender.ranker.comparator.pairs.limits.source == 64
    assert blender.rank(TEXTS, ANSWERS, disable_tqdm=True).shape == (2, 3)


def test_our_own_layout_is_loaded_as_a_pairwise_ranker(blender, tmp_path):
    blender.ranker.comparator.save_pretrained(tmp_path)
    other = llm_blender.Blender(use_tqdm=False)
    other.loadranker(tmp_path, "cpu", dtype="float64")
    scores = other.rank(TEXTS, ANSWERS, return_scores=True)
    assert_rows(scores, blender.rank(TEXTS, ANSWERS, return_scores=True))


def test_any_other_checkpoint_is_loaded_as_a_reward_model(tmp_path):
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=len(WORDS), n_positions=24, n_embd=16, n_layer=1, n_head=2,
        bos_token_id=0, eos_token_id=0, pad_token_id=1, num_labels=1,
    )  # fmt: skip
    GPT2ForSequenceClassification(config).save_pretrained(tmp_path)
    word_tokenizer(pad_token=PAD).save_pretrained(tmp_path)
    blender = llm_blender.Blender(use_tqdm=False)
    blender.loadranker(tmp_path, "cpu")
    given = [["a b"], [["c", "d e", "f"]]]
    (rewards,) = blender.rank(*given, return_scores=True)
    assert blender.compare(["a b"], ["c"], ["f"], return_logits=True)[0] == pytest.approx(
        rewards[0] - rewards[2]
    )
    assert blender.get_best_of_n(*given) == [given[1][0][int(rewards.argmax())]]


def test_progress_bars_can_be_turned_off(blender, scripted, capsys):
    shown = llm_blender.Blender()
    shown.ranker = blender.ranker
    shown.rank(TEXTS, ANSWERS)
    assert "comparing" in capsys.readouterr().err
    shown.rank(TEXTS, ANSWERS, disable_tqdm=True)
    scripted.rank(["q"], [["1", "2"]])
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


# --- reward models -----------------------------------------------------------------------------


class Rewards:
    """A scorer to which a number is worth its value."""

    def scores(self, items: Any) -> Any:
        return np.array([float(answer) for _, answer in items], dtype=np.float32)


@pytest.fixture
def rewarding() -> llm_blender.Blender:
    blender = llm_blender.Blender(use_tqdm=False)
    blender.ranker = PointwiseRanker(Rewards())
    return blender


@pytest.mark.parametrize("mode", MODES)
def test_a_reward_model_compares_by_difference_whatever_the_mode(rewarding, mode):
    logits = rewarding.compare(["q", "q"], ["5", "1"], ["2", "3"], return_logits=True, mode=mode)
    assert logits.tolist() == [3.0, -2.0]
    assert rewarding.compare(["q"], ["5"], ["2"], mode=mode).tolist() == [True]


def test_a_reward_model_ranks_by_reward(rewarding):
    given = [["q", "q"], [["5", "1", "3"], ["2", "2", "4"]]]
    assert rewarding.rank(*given, return_scores=True).tolist() == [[5, 1, 3], [2, 2, 4]]
    assert rewarding.rank(*given).tolist() == [[1, 3, 2], [2, 2, 1]]
    rewards = rewarding.rank_with_ref(*given, mode="first", return_scores=True)
    assert rewards.tolist() == [[0, -4, -2], [0, 0, 2]]
    given_reference = rewarding.rank_with_ref(*given, ref_candidates=["4", "0"], return_scores=True)
    assert given_reference.tolist() == [[1, -3, -1], [2, 2, 4]]
    assert rewarding.get_best_of_n(*given) == ["5", "4"]
    assert rewarding.get_worst_of_n(*given, return_all=True) == [["1", "3", "5"], ["2", "2", "4"]]
