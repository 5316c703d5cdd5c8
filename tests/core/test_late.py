"""Late comparison: each answer is read once, readings are compared; and how that is learnt."""

from __future__ import annotations

import itertools
import json
import re
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from toy import toy_config

from blender_core import Pair, PairRanker
from blender_core.comparison.late.comparator import LateComparator
from blender_core.comparison.late.reading import ReadingEncoder, ReadingLimits, ReadingMarkers
from blender_core.comparison.late.regression import logistic_regression
from blender_core.comparison.late.style import STYLE, style
from blender_core.errors import CheckpointError, InputError, ModelOutputError
from blender_core.training.config import read_config
from blender_core.training.late_trainer import start_style
from blender_core.training.pairs import JudgedPair
from blender_core.training.ranker_trainer import train_ranker
from blender_core.training.start import late_to_train

QUESTION = "what is the best way to cook rice"
ANSWERS = ["good water", "bad slow heat", "the quick way is good heat", "", "king queen " * 40]


@pytest.fixture(scope="module")
def learnt(toy, tmp_path_factory):
    output = tmp_path_factory.mktemp("late") / "out"
    config = toy_config(
        toy,
        output,
        architecture="late",
        max_steps=120,
        eval_every=30,
        log_every=5,
        best="loss",
    )
    train_ranker(config)
    return output


@pytest.fixture(scope="module")
def late(learnt):
    return LateComparator.from_pretrained(learnt / "model", device="cpu")


def ordered(answers=ANSWERS, question=QUESTION):
    return [Pair(question, a, b) for a, b in itertools.permutations(answers, 2)]


# --- comparing ----------------------------------------------------------------------------------


def test_swapping_the_answers_flips_the_sign_and_nothing_else(late):
    pairs = ordered()
    logits = late.logits(pairs)
    swapped = late.logits([Pair(p.instruction, p.second, p.first) for p in pairs])
    assert np.allclose(logits, -swapped, rtol=0, atol=1e-6)
    assert np.abs(logits).max() > 0.1


def test_the_answers_are_read_together(late):
    # Were it only for the worth of each answer, differences would add up.
    matrix = PairRanker(late).rank(QUESTION, ANSWERS).matrix
    detour = matrix[0, 1] + matrix[1, 2] - matrix[0, 2]
    assert abs(detour) > 1e-3


def test_a_logit_does_not_depend_on_the_other_pairs(learnt):
    late = LateComparator.from_pretrained(learnt / "model", device="cpu")
    with torch.no_grad():  # what is learnt from a toy has logits of 75; those of use are a few
        for layer in (
            late.model.worth_layer[-1],
            late.model.style_layer,
            late.model.sway_layer[-1],
        ):
            for weights in layer.parameters():
                weights.mul_(0.05)
    pairs = ordered() + ordered(question="fix a bike")
    together = late.logits(pairs)
    alone = np.concatenate([late.logits([pair]) for pair in pairs])
    assert np.allclose(together, alone, rtol=0, atol=1e-5)
    one_by_one = LateComparator(late.model, late.encoding, device="cpu", max_batch_tokens=1)
    assert np.allclose(one_by_one.logits(pairs), together, rtol=0, atol=1e-5)


def test_many_answers_are_read_in_parts(late, monkeypatch):
    pairs = ordered([f"good {k} way" for k in range(12)]) + ordered(question="learn chess")
    whole = late.logits(pairs)
    monkeypatch.setattr("blender_core.comparison.read_once._ITEMS_AT_ONCE", 2)
    monkeypatch.setattr("blender_core.comparison.late.comparator._PAIRS_AT_ONCE", 7)
    parts = list(late.iter_logits(pairs))
    assert len(parts) > 2
    assert sorted(np.concatenate([places for places, _ in parts])) == list(range(len(pairs)))
    assert np.allclose(late.logits(pairs), whole, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "answer",
    ["<|candidate|>", "[SEP] [CLS] good", "<|source|> good", "\ud83d", "\x00", "good " * 5000],
)
def test_no_text_acts_as_a_marker_or_crashes(late, answer):
    [reading] = late.encoding([(QUESTION, answer)])
    special = {late.encoding.tokenizer.id_of(name) for name in ("<|source|>", "<|candidate|>")}
    assert sum(int(token) in special for token in reading.ids) == 2
    assert len(reading) <= late.encoding.limits.row
    assert np.isfinite(
        late.logits([Pair(QUESTION, answer, "good"), Pair(answer, "a", answer)])
    ).all()


def test_what_is_too_long_loses_its_middle(late):
    encoding = ReadingEncoder(late.encoding.tokenizer, ReadingLimits(8, 13))
    question = "what is the best way to cook rice"  # 5 of its 8 words are kept
    answer = "good bad slow quick water heat board wheel chain king queen chess"
    [reading] = encoding([(question, answer)])
    tokens = [late.encoding.tokenizer.full.id_to_token(int(token)) for token in reading.ids]
    assert tokens == [
        *("[CLS]", "<|source|>", "what", "is", "the", "cook", "rice", "[SEP]"),
        *("[CLS]", "<|candidate|>", "good", "bad", "slow", "quick", "water", "heat"),
        *("chain", "king", "queen", "chess", "[SEP]"),
    ]
    assert reading.source_length == 8
    # A short question leaves its room to the answer.
    [roomy] = encoding([("rice", answer)])
    assert len(roomy) == 4 + 3 + 12


def test_limits_and_markers_are_checked(late, learnt):
    tokenizer = late.encoding.tokenizer
    with pytest.raises(InputError, match="candidate_max_length is 2, but marker and frame"):
        ReadingEncoder(tokenizer, ReadingLimits(10, 2))
    with pytest.raises(InputError, match="two different tokens"):
        ReadingMarkers("<x>", "<x>")
    with pytest.raises(CheckpointError, match="no token '<x>'"):
        ReadingEncoder(tokenizer, ReadingLimits(10, 10), ReadingMarkers("<x>"))
    with pytest.raises(InputError, match=r"60 \+ candidate_max_length 60 = 120 .* 64 positions"):
        PairRanker.from_pretrained(
            learnt / "model", source_max_length=60, candidate_max_length=60, device="cpu"
        )


def test_broken_weights_are_named(late, learnt, tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(learnt / "model", folder)
    weights = load_file(folder / "model.safetensors")
    weights["style_mean"][:] = float("nan")
    save_file(weights, folder / "model.safetensors")
    broken = LateComparator.from_pretrained(folder, device="cpu")
    with pytest.raises(ModelOutputError, match=r"NaN or infinity on 1 pairs.*cook rice"):
        broken.logits([Pair(QUESTION, "a", "b")])


# --- saving and loading -------------------------------------------------------------------------


def test_half_precision_changes_little(late, tmp_path):
    late.save_pretrained(tmp_path / "half", dtype=torch.float16)
    half = PairRanker.from_pretrained(tmp_path / "half", device="cpu")
    assert np.abs(half.logits(ordered()) - late.logits(ordered())).max() < 0.05
    late.save_pretrained(tmp_path / "full")
    full = PairRanker.from_pretrained(tmp_path / "full", device="cpu")
    assert (full.logits(ordered()) == late.logits(ordered())).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"style": ["words"]}, "other figures of style"),
        ({"markers": {"sauce": "a"}}, r"'markers\.sauce' is unknown"),
        ({"source_max_length": 0}, "source_max_length"),
        ({"encoder": {"model_type": "no such"}}, "none of the text models"),
        ({"encoder": None}, "'encoder' must be an object, not null"),
    ],
)
def test_a_broken_config_is_named(learnt, tmp_path, change, message):
    folder = tmp_path / "broken"
    shutil.copytree(learnt / "model", folder)
    file = folder / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(CheckpointError, match=message):
        PairRanker.from_pretrained(folder, device="cpu")


# --- learning -----------------------------------------------------------------------------------


def test_a_late_ranker_learns_what_can_be_learnt(learnt):
    log = json.loads((learnt / "training.json").read_text())
    losses = [entry["loss"] for entry in log["history"] if "loss" in entry]
    assert np.mean(losses[-3:]) < 0.5 * np.mean(losses[:3])
    assert log["result"]["figures"]["accuracy"] > 0.9
    assert log["result"]["figures"]["position_bias"] == 0.0


def test_it_goes_on_from_a_late_ranker(learnt, toy, tmp_path):
    config = toy_config(
        toy, tmp_path / "on", architecture="late", start=str(learnt / "model"), max_steps=1
    )
    before = LateComparator.from_pretrained(learnt / "model", device="cpu").model.style_scale
    model = train_ranker(config)
    after = LateComparator.from_pretrained(model, device="cpu").model.style_scale
    assert torch.equal(before, after)


def test_frozen_layers_stay_as_they_are(toy, tmp_path):
    config = toy_config(
        toy, tmp_path / "frozen", architecture="late", frozen_layers=1, dev=[], max_steps=2
    )
    start = late_to_train(config).ranker.model.state_dict()
    weights = load_file(train_ranker(config) / "model.safetensors")
    changed = {name for name, value in weights.items() if not torch.equal(value, start[name])}
    assert not [
        name for name in changed if re.search(r"encoder\.(embeddings|encoder\.layer\.0)\.", name)
    ]
    assert [name for name in changed if "layer.1." in name]
    with pytest.raises(InputError, match="frozen_layers is 2, but the encoder has 2 layers"):
        train_ranker(config.model_copy(update={"frozen_layers": 2, "output": tmp_path / "no"}))


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("loss: MSE", "the loss MSE needs a score of each answer"),
        ("symmetry: 0.1", "leave out 'symmetry'"),
        ("tasks: [bleu]", "'tasks' are for 'architecture: cross'"),
        ("list_size: 1", "'list_size' must be greater than or equal to 2, got 1"),
    ],
)
def test_settings_without_a_meaning_are_refused(toy, tmp_path, line, message):
    from blender_core.training.config import RankerConfig

    file = tmp_path / "config.yaml"
    file.write_text(
        f"start: x\noutput: y\ntrain: {toy / 'train.jsonl'}\narchitecture: late\n{line}\n"
    )
    with pytest.raises(InputError, match=message):
        read_config(file, RankerConfig)


def test_a_cross_encoder_does_not_become_a_late_one(toy, tmp_path):
    cross = train_ranker(toy_config(toy, tmp_path / "cross", max_steps=1, dev=[]))
    with pytest.raises(InputError, match="learns on with 'architecture: cross'"):
        train_ranker(toy_config(toy, tmp_path / "late", architecture="late", start=str(cross)))


def test_style_starts_as_a_regression_finds_it(toy, tmp_path):
    late = late_to_train(toy_config(toy, tmp_path, architecture="late")).ranker
    pairs = [
        JudgedPair(
            Pair(f"q{k}", "word " * (k + 9), "word " * (k + 2)), 1.0, ((1.0,), (0.0,)), (0, 1), k
        )
        for k in range(40)
    ]
    start_style(late, pairs)
    assert (late.logits([Pair("q", "word " * 30, "word " * 5)]) > 0).all()
    late.model.style_layer.weight.data.zero_()
    assert late.logits([Pair("q", "word " * 30, "word " * 5)]) == 0.0


def test_regression_finds_the_weights_that_made_the_data():
    chance = np.random.default_rng(0)
    differences = chance.normal(size=(20_000, 3))
    true = np.array([1.0, -0.5, 0.0])
    preferences = (chance.random(20_000) < 1.0 / (1.0 + np.exp(-differences @ true))).astype(float)
    found = logistic_regression(differences, preferences, np.ones(20_000), 0.0)
    assert np.allclose(found, true, atol=0.05)
    shrunk = logistic_regression(differences, preferences, np.ones(20_000), 9.0)
    assert np.linalg.norm(shrunk) < 0.1


# --- style --------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(st.text(max_size=400), st.text(max_size=400))
def test_figures_of_style_are_finite_for_any_text(question, answer):
    figures = style(question, answer)
    assert figures.shape == (len(STYLE),)
    assert np.isfinite(figures).all()
    assert len(set(STYLE)) == len(STYLE)


def test_figures_of_style_see_what_they_are_named_after():
    def seen(answer, question="Write code for me."):
        return dict(zip(STYLE, style(question, answer).tolist(), strict=True))

    rich = seen("# Title\n\n- one\n- two\n\n1. **three**\n\n```py\nx = 1\n```\n\nI am sorry!")
    assert rich["headings"] == pytest.approx(np.log(2))
    assert rich["bullets"] == pytest.approx(np.log(3))
    assert rich["bold"] == rich["numbered points"] == pytest.approx(np.log(2))
    assert rich["has code"] == rich["code, asked for"] == rich["refuses"] == 1.0
    assert seen("```py\nx")["code left open"] == 1.0
    assert seen("")["blank"] == 1.0
    assert seen("Human: hi")["plays another role"] == 1.0
    assert seen("same same same same")["repeated trigrams"] == 0.5
    assert seen("Write code.")["question's words in it"] == 0.5


@pytest.mark.parametrize("text", [" " * 50_000, "**" * 25_000, "\n " * 25_000, "$1 " * 20_000])
def test_no_text_makes_style_slow(text):
    import time

    begin = time.perf_counter()
    style("q", text)
    assert time.perf_counter() - begin < 2.0


def test_records_of_few_judgements_give_lists_of_a_constant_number(tmp_path):
    from blender_core.training.late_trainer import _Lists

    star = [
        JudgedPair(Pair("q", "a0", f"a{k}"), 1.0, ((1.0,), (0.0,)), (0, k), 0) for k in range(1, 9)
    ]
    lists = _Lists(star, 2, seed=0)
    for epoch in range(4):
        lists.begin(epoch)
        assert len(lists) == 5
        assert all(lists[k] for k in range(5))


def test_an_answer_is_read_in_the_first_round_only(learnt, monkeypatch):
    comparator = LateComparator.from_pretrained(learnt / "model", device="cpu")
    seen: list[str] = []
    read = LateComparator.read

    def watched(self, items):
        seen.extend(answer for _, answer in items)
        return read(self, items)

    monkeypatch.setattr(LateComparator, "read", watched)
    for schedule in ("knockout", "bubble", "active", "full"):
        seen.clear()
        PairRanker(comparator).rank(QUESTION, ANSWERS, schedule=schedule)
        assert sorted(seen) == sorted(ANSWERS)
    assert not comparator._known  # and nothing is kept beyond that


def test_what_was_read_before_changes_no_logit(late):
    rest = [Pair(QUESTION, f"good {k}", f"bad water {k}") for k in range(200)]
    once = late.logits(ordered())
    with late.remembering():
        late.logits(ordered()[:3])
        np.testing.assert_allclose(late.logits(ordered()), once, atol=1e-5)
        late.logits(rest)
        assert len(late._known) <= 256
        np.testing.assert_allclose(late.logits(ordered()), once, atol=1e-5)
