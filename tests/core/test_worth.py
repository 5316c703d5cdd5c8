"""What answers are worth: reading, the head, its training on judged and on spoilt answers."""

from __future__ import annotations

import itertools
import json
import random
import shutil

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from toy import WORDS, toy_config

from blender_core import Pair, PairRanker
from blender_core.comparison.worth.comparator import WorthComparator
from blender_core.comparison.worth.grams import ending_grams, opening_grams
from blender_core.comparison.worth.inputs import FIGURES, WorthInputs, figures, nearness
from blender_core.comparison.worth.signs import SIGNS, signs
from blender_core.errors import CheckpointError, InputError, ModelOutputError
from blender_core.training.dev import DevPairs, records_of
from blender_core.training.kept_readings import KeptReadings
from blender_core.training.log import TrainingLog
from blender_core.training.pairs import judged_pairs
from blender_core.training.ranker_trainer import train_ranker
from blender_core.training.spoilt_pairs import spoilt_pairs
from blender_core.training.worth_trainer import WorthRun, worth_to_train

QUESTION = "what is the best way to cook rice"
ANSWERS = ["good water", "bad slow heat", "the quick way is good heat", "", "king queen " * 200]


@pytest.fixture(scope="module")
def learnt(toy, tmp_path_factory):
    folder = tmp_path_factory.mktemp("worth")
    files = {name: [folder / f"{name}.jsonl"] for name in ("train", "dev")}
    for seed, [file] in enumerate(files.values()):
        file.write_text("".join(_records(seed)), encoding="utf-8")
    train_ranker(_config(toy, folder / "out", **files))
    return folder / "out"


def _records(seed):
    """Of two answers the one with numbers in it is better, however long they are."""
    chance = random.Random(seed)
    for place in range(120):
        answers = [
            " ".join([*chance.sample(WORDS, chance.randint(2, 8)), number]) + "."
            for number in ("7 10", "so it is")
        ]
        scores = {"good": [1, 0]}
        if chance.random() < 0.5:
            answers.reverse()
            scores["good"].reverse()
        question = " ".join(chance.sample(WORDS, 4))
        record = {"id": place, "instruction": question, "candidates": answers, "scores": scores}
        yield json.dumps(record) + "\n"


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
    texts = [f"{'good ' * 120}{'king ' * 500}{end * 120}" for end in ("heat ", "slow ")]
    one, other = worth.reader.read(texts, 512)
    assert np.array_equal(one.opening, other.opening)
    assert not np.allclose(one.ending, other.ending)
    assert not np.allclose(one.last, other.last)
    [short] = worth.reader.read(["good heat"], 512)
    assert np.array_equal(short.opening, short.ending)


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


@pytest.mark.parametrize("blank", ["", " \n", "\u200b", "\u3000"])
def test_nothing_is_worth_less_than_anything(worth, blank):
    others = [(QUESTION, text) for text in ("I cannot help with that.", "xqz wrtk", "bad")]
    assert worth.worth([(QUESTION, blank)])[0] < worth.worth(others).min()


def test_the_shipped_encoder_knows_what_an_answer_is_about():
    reader = PairRanker("mini").comparator.reader
    asked, near, far = reader.read(
        ["How do I cook rice?", "Boil the rice in water.", "The bridge opened in 1874."], 512
    )
    about = FIGURES.index("question near the opening") - len(FIGURES)
    assert nearness(asked, near)[about] > nearness(asked, far)[about] + 0.3


def test_what_is_left_of_the_grams_stays_with_its_answer(worth):
    texts = ["good heat", "", "bad water slow way"]
    read = worth.reader.read(texts, 512)
    told = [figures(QUESTION, text) for text in texts]
    inputs = WorthInputs.of(told, read, read)
    torch.manual_seed(0)
    for (rows, offsets), (fewer, moved) in zip(
        inputs.grams, inputs.thinned(0.5).grams, strict=True
    ):
        ends, new_ends = [*offsets[1:], len(rows)], [*moved[1:], len(fewer)]
        for start, end, new_start, new_end in zip(offsets, ends, moved, new_ends, strict=True):
            mine = set(rows[start:end].tolist())
            assert set(fewer[new_start:new_end].tolist()) <= mine
            assert new_end - new_start <= end - start


# --- checkpoints --------------------------------------------------------------------------------


def test_endings_are_told_apart():
    text = "A long beginning that is the same. " * 10
    assert set(ending_grams(text + "It ends so.")) != set(ending_grams(text + "It ends thus"))
    assert set(opening_grams(text + "It ends so.")) == set(opening_grams(text + "It ends thus"))


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
    log = json.loads((learnt / "training.json").read_text())
    assert log["examples"]["train"]["spoilt pairs"] > 20
    assert log["result"]["figures"]["accuracy"] > 0.95
    quality, fault = _quality_and_fault(worth, ["good heat 7 10.", "good heat so it is."])
    assert quality[0] > quality[1] + 1.0
    assert max(fault) < 1.0  # what judges do not like is no fault
    assert worth.logits([Pair(QUESTION, "good heat", "I cannot help with that.")])[0] > 1.0


def _quality_and_fault(worth, answers):
    read = worth.reader.read([QUESTION, *answers], 512)
    told = [figures(QUESTION, answer) for answer in answers]
    with torch.inference_mode():
        parts = worth.model.head(WorthInputs.of(told, [read[0]] * len(answers), read[1:]))
    return [part.tolist() for part in parts]


def test_faults_are_found_in_what_was_spoilt_and_not_in_quality(worth):
    answers = ["good heat 7 10.", "I cannot help with that.", "xqz wrtk 7 10 bvn plk"]
    quality, fault = _quality_and_fault(worth, answers)
    assert min(fault[1:]) > fault[0] + 1.0
    assert abs(quality[2] - quality[0]) < abs(fault[2] - fault[0])


@pytest.fixture(scope="module")
def run(toy, tmp_path_factory):
    """A training that has not begun, of a record with 15 judged pairs and others with one."""
    folder = tmp_path_factory.mktemp("run")
    many = {"id": "many", "instruction": QUESTION, "candidates": WORDS[:6]}
    many["scores"] = {"good": [1, 2, 3, 4, 5, 6]}
    file = folder / "train.jsonl"
    file.write_text("".join([json.dumps(many) + "\n", *_records(0)]), encoding="utf-8")
    config = _config(toy, folder / "out", train=[file], dev=[file])
    records = records_of(config.train)
    judged = judged_pairs(records, config, torch.Generator().manual_seed(0))
    return WorthRun(
        worth_to_train(config),
        config,
        TrainingLog(config, "ranker"),
        judged,
        spoilt_pairs(records, config),
        DevPairs(config),
        report=lambda _: None,
        show_progress=False,
    )


def test_what_was_spoilt_teaches_faults_alone(run):
    examples = [run.train_dataset[place] for place in range(len(run.train_dataset))]
    head = run.ranker.model.head
    torch.nn.init.ones_(head.quality[-1].weight)
    torch.nn.init.ones_(head.fault[-1].weight)
    of_quality = [*head.style.parameters(), *head.quality.parameters()]
    for judged, learns in ((False, False), (True, True)):
        head.zero_grad()
        some = [example for example in examples if example[1] is judged][:32]
        run.compute_loss(run.model, run.data_collator(some)).backward()
        assert any(one.grad is not None and bool(one.grad.any()) for one in of_quality) is learns
        assert head.fault[-1].weight.grad.any()


def test_many_pairs_of_one_record_weigh_less_each(run):
    weights = {}
    for place in range(len(run.train_dataset)):
        pair, judged = run.train_dataset[place]
        if judged:
            weights.setdefault(pair.record, []).append(pair.weight)
    assert len(weights[0]) == 15
    assert sum(weights[0]) == pytest.approx(15**0.5 * sum(weights[1]))
    every = [weight for some in weights.values() for weight in some]
    assert np.mean(every) == pytest.approx(1.0)


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
    found = signs(question, answer)
    assert found.shape == (len(SIGNS),)
    assert np.isfinite(found).all()
    for rows in (opening_grams(answer), ending_grams(answer)):
        assert ((rows >= 0) & (rows < 1 << 15)).all()


def test_signs_know_when_another_language_or_more_was_asked_for():
    place = SIGNS.index("another language, none named")
    answer = "Die Sonne ist für uns das Licht und die Wärme."
    assert signs("What is the sun to us? Answer in German.", answer)[place] == 0.0
    place = SIGNS.index("off the number asked for")
    three = "One thing. Two things. Three things."
    assert signs("Say it in at least two sentences.", three)[place] == 0.0
    assert signs("Say it in two sentences.", three)[place] > 0.0


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
        ("another language, none named", "What is the sun to us?",
         "Die Sonne ist für uns das Licht und die Wärme und auch das Leben.",
         "It is the light of the day to us and the life of it."),
        ("no code though asked", "Write a Python function.", "It adds numbers.",
         "```python\ndef f(): ...\n```"),
        ("words without a vowel", "Why?", "xkcd qwrt zxcv", "because it is"),
    ],
)  # fmt: skip
def test_signs_see_what_they_are_named_after(sign, question, answer, plain):
    place = SIGNS.index(sign)
    assert signs(question, answer)[place] > signs(question, plain)[place]
