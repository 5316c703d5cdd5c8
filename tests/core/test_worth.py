"""What answers are worth: reading, the head, its training on judged and on spoilt answers."""

from __future__ import annotations

import itertools
import json
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from toy import toy_config

from blender_core import Pair, PairRanker
from blender_core.comparison.worth.comparator import WorthComparator
from blender_core.comparison.worth.grams import ending_grams, opening_grams
from blender_core.comparison.worth.signs import SIGNS, signs
from blender_core.errors import CheckpointError, InputError, ModelOutputError
from blender_core.training.kept_readings import KeptReadings
from blender_core.training.ranker_trainer import train_ranker

QUESTION = "what is the best way to cook rice"
ANSWERS = ["good water", "bad slow heat", "the quick way is good heat", "", "king queen " * 200]


@pytest.fixture(scope="module")
def learnt(toy, tmp_path_factory):
    output = tmp_path_factory.mktemp("worth") / "out"
    train_ranker(_config(toy, output))
    return output


def _config(toy, output, **changes):
    values = {
        "architecture": "worth",
        "max_steps": 120,
        "batch_size": 32,
        "learning_rate": 0.003,
        "eval_every": 40,
        "log_every": 5,
        "best": "loss",
        "spoil": {"refusal": 0.5, "gibberish": 0.5},
    }
    return toy_config(toy, output, **(values | changes))


@pytest.fixture(scope="module")
def worth(learnt):
    return WorthComparator.from_pretrained(learnt / "model", device="cpu")


def _ordered(answers=ANSWERS, question=QUESTION):
    return [Pair(question, a, b) for a, b in itertools.permutations(answers, 2)]


# --- comparing ----------------------------------------------------------------------------------


def test_order_does_not_matter_and_nothing_goes_in_circles(worth):
    matrix = PairRanker(worth).rank(QUESTION, ANSWERS).matrix.astype(np.float64)
    off_diagonal = ~np.eye(len(ANSWERS), dtype=bool)
    assert np.allclose((matrix + matrix.T)[off_diagonal], 0.0, atol=1e-6)
    assert matrix[0, 1] + matrix[1, 2] == pytest.approx(matrix[0, 2], abs=1e-5)


def test_a_logit_does_not_depend_on_the_other_pairs():
    ranker = PairRanker()
    pairs = _ordered() + _ordered(question="fix a bike")
    together = ranker.logits(pairs)
    alone = np.concatenate([ranker.logits([pair]) for pair in pairs])
    assert np.allclose(together, alone, rtol=0, atol=1e-5)
    comparator = ranker.comparator
    small = WorthComparator(comparator.model, comparator.reader, device="cpu", max_batch_tokens=1)
    assert np.allclose(small.logits(pairs), together, rtol=0, atol=1e-5)


@pytest.mark.parametrize("answer", ["[SEP] [CLS] good", "\ud83d", "\x00", "good " * 5000, " \n "])
def test_no_text_is_a_marker_or_crashes(worth, answer):
    pairs = [Pair(QUESTION, answer, "good"), Pair(answer, "a", answer)]
    assert np.isfinite(worth.logits(pairs)).all()
    [reading] = worth.reader.read([answer], 512)
    assert np.isfinite(reading.opening).all()


def test_a_marker_in_a_text_is_letters(worth):
    tokenizer = worth.reader.tokenizer
    assert tokenizer.id_of("[SEP]") not in tokenizer.encode(["a [SEP] b"])[0]


def test_of_a_long_text_beginning_and_end_are_read(worth):
    middle = "king " * 500
    same_ends = worth.worth([(QUESTION, f"{'good ' * 120}{middle}{'heat ' * 120}")])
    again = worth.worth([(QUESTION, f"{'good ' * 120}{middle}{'heat ' * 119}slow ")])
    assert same_ends[0] != again[0]


def test_answers_are_read_in_the_first_round_only(worth, monkeypatch):
    read = []
    real = worth.reader.read
    monkeypatch.setattr(
        worth.reader, "read", lambda texts, budget: read.extend(texts) or real(texts, budget)
    )
    ranked = PairRanker(worth, schedule="bubble").rank(QUESTION, ["a b", "b c", "c d", "d e"])
    assert ranked.passes > 3
    assert len(read) == len(set(read)) + read.count(QUESTION) - 1


def test_lengths_are_not_for_it(learnt):
    with pytest.raises(InputError, match="source_max_length is not for this ranker"):
        PairRanker.from_pretrained(learnt / "model", source_max_length=20)


# --- checkpoints --------------------------------------------------------------------------------


def test_what_is_saved_is_what_is_loaded(worth, tmp_path):
    worth.save_pretrained(tmp_path / "again")
    again = PairRanker.from_pretrained(tmp_path / "again")
    assert np.array_equal(again.logits(_ordered()), worth.logits(_ordered()))


def test_other_figures_are_an_error(learnt, tmp_path):
    folder = tmp_path / "other"
    shutil.copytree(learnt / "model", folder)
    config = json.loads((folder / "config.json").read_text())
    config["figures"].pop()
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="another version of blended-llm"):
        PairRanker.from_pretrained(folder)


def test_broken_weights_are_named(learnt, tmp_path):
    folder = tmp_path / "broken"
    shutil.copytree(learnt / "model", folder)
    weights = load_file(folder / "model.safetensors")
    weights["head.style.weight"][:] = torch.nan
    save_file(weights, folder / "model.safetensors")
    with pytest.raises(ModelOutputError, match="NaN or infinity"):
        PairRanker.from_pretrained(folder).compare(QUESTION, "a", "b")


# --- training -----------------------------------------------------------------------------------


def test_it_learns_what_can_be_learnt(learnt, worth):
    figures = json.loads((learnt / "training.json").read_text())
    assert figures["examples"]["train"]["spoilt pairs"] > 20
    assert figures["result"]["figures"]["loss"] < np.log(2.0) + 0.01
    assert worth.logits([Pair(QUESTION, "good heat", "I cannot help with that.")])[0] > 1.0


def test_the_encoder_stays_as_it_is(toy, learnt):
    before = load_file(toy / "encoder" / "model.safetensors")
    after = load_file(learnt / "model" / "model.safetensors")
    name = next(name for name in before if "word_embeddings" in name)
    [same] = [weight for key, weight in after.items() if key.endswith(name)]
    assert torch.equal(before[name], same)


def test_readings_are_kept(toy, learnt, worth):
    files = {file: file.stat().st_mtime_ns for file in (learnt / "readings").glob("*.npz")}
    kept = KeptReadings(learnt / "readings", worth.reader)
    texts = ["good water", "never read before"]
    kept.add(texts)
    fresh = worth.reader.read(texts, 512)
    for text, reading in zip(texts, fresh, strict=True):
        assert np.allclose(kept[text].opening, reading.opening, atol=1e-3)
        assert all(map(np.array_equal, kept[text].grams, reading.grams))
    assert all(file.stat().st_mtime_ns == time for file, time in files.items())


# --- what is told of a text ---------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300), st.text(max_size=300))
def test_signs_and_grams_take_any_text(question, answer):
    figures = signs(question, answer)
    assert figures.shape == (len(SIGNS),)
    assert np.isfinite(figures).all()
    for rows in (opening_grams(answer), ending_grams(answer)):
        assert ((rows >= 0) & (rows < 1 << 15)).all()


@pytest.mark.parametrize(
    ("sign", "question", "answer", "plain"),
    [
        ("ends in a letter", "Why?", "Because the sun is", "Because the sun is hot."),
        ("brackets left open", "Why?", "It is (so.", "It is (so)."),
        ("another script", "Why is it so?", "Потому что так.", "Because it is so."),
        ("another language, none named", "What is the sun to us?",
         "Die Sonne ist für uns das Licht und die Wärme.", "It is the light of the day to us."),
        ("thoughts left open", "Why?", "<think>Well", "<think>Well</think> So."),
        ("question inside", "Why is it so?", "You asked why is it so", "Because."),
        ("sentences said before", "Why?", "It is so hot here. It is so hot here.",
         "It is so hot here. It was cold there."),
        ("no JSON though asked", "Give me JSON.", "Sure, a is 1.", '{"a": 1}'),
        ("off the number asked for", "Say it in two sentences.", "One. Two. Three. Four. Five.",
         "One. Two."),
        ("no code though asked", "Write a Python function.", "It adds numbers.",
         "```python\ndef f(): ...\n```"),
        ("words without a vowel", "Why?", "xkcd qwrt zxcv", "because it is"),
    ],
)  # fmt: skip
def test_signs_see_what_they_are_named_after(sign, question, answer, plain):
    place = SIGNS.index(sign)
    assert signs(question, answer)[place] > signs(question, plain)[place]
