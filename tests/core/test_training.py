"""Training: the original's losses and pairs, rankers and fusers that learn, and what interrupts."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import random
import re
import resource
import shutil
import signal
import threading
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from golden_data import CHECKPOINTS, golden
from safetensors.torch import load_file, save_file
from toy import toy_config, write_toy

from blender_core import GenFuser, PairRanker
from blender_core.candidates import Pair
from blender_core.cli import app
from blender_core.comparison.cross_encoder import CrossEncoder
from blender_core.data.files import read_records
from blender_core.data.records import Record
from blender_core.errors import CheckpointError, InputError, ModelOutputError, NotSavedError
from blender_core.training.config import FuserConfig, RankerConfig, read_config
from blender_core.training.fuser_trainer import train_fuser
from blender_core.training.losses import LOSSES
from blender_core.training.optimizer import ranker_groups, rate_at
from blender_core.training.pairs import debiased, judged_pairs, longer_wins
from blender_core.training.ranker_trainer import train_ranker
from blender_core.training.sampling import draw_pairs
from blender_core.training.saving import TrainingInterrupted, whole
from blender_core.training.start import ranker_to_train

TRAINING = golden("training")
ORIGINAL = ("instructgpt", "BCE", "MSE", "open_instruct_BCE")
R02 = next(case for case in golden("rank_cases") if case["id"] == "r02")

# --- losses and pairs, as the original ---------------------------------------------------------


@pytest.mark.parametrize("name", ORIGINAL)
@pytest.mark.parametrize("case", TRAINING["losses"], ids=lambda case: case["name"])
def test_losses_and_gradients_are_the_originals(case, name):
    left, right = (
        torch.tensor(case[f"{side}_predictions"], requires_grad=True) for side in ("left", "right")
    )
    targets = [torch.tensor(case[f"{side}_scores"]) for side in ("left", "right")]
    wanted = case["loss"][name]
    if "error" in wanted:
        with pytest.raises(InputError, match=name):
            LOSSES[name](left, right, *targets)
        return
    loss = LOSSES[name](left, right, *targets).mean()
    loss.backward()
    assert loss.item() == pytest.approx(wanted["value"], abs=1e-6)
    for tensor, gradient in ((left, "grad_left"), (right, "grad_right")):
        assert np.allclose(tensor.grad, wanted[gradient], rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["soft", *ORIGINAL[:2], "open_instruct_BCE"])
def test_losses_are_finite_for_any_logit(name):
    left = torch.tensor([[3e4], [-3e4]], requires_grad=True)
    one, zero = torch.ones(2, 1), torch.zeros(2, 1)
    loss = LOSSES[name](left, -left, one, zero)
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(left.grad).all()
    assert loss[0] < 1e-6
    assert loss[1] > 1e4


@pytest.mark.parametrize("case", TRAINING["model_losses"], ids=lambda case: case["loss_type"])
def test_mean_loss_of_the_model_is_the_originals(case, pairrm_hf):
    rows, first, second = _pairs_of_r02(case["scores"], pairrm_hf)
    encoder = pairrm_hf.model.encoder(pairrm_hf.pairs.marker_place, 0, inference=False)
    with torch.inference_mode():
        left, right = pairrm_hf.model.scores(encoder(rows))
    loss = LOSSES[case["loss_type"]](left, right, first, second).mean()
    assert loss.item() == pytest.approx(case["mean_loss_over_all_ordered_pairs"], abs=1e-5)


def test_gradients_of_all_weights_are_the_originals():
    wanted = TRAINING["one_pair_gradient"]
    ranker = CrossEncoder.from_pretrained(CHECKPOINTS / "tiny-PairRM-hf", dtype="float32")
    rows = ranker.pairs.encode([_pair_of_r02(*wanted["pair"])])
    encoder = ranker.model.encoder(ranker.pairs.marker_place, 0, inference=False)
    left, right = ranker.model.scores(encoder(rows))
    first, second = torch.tensor(wanted["scores"])[:, None]
    loss = LOSSES[wanted["loss_type"]](left, right, first, second).mean()
    loss.backward()
    assert loss.item() == pytest.approx(wanted["loss"], abs=1e-5)
    norms = {name: weight.grad.norm().item() for name, weight in ranker.model.named_parameters()}
    assert norms == pytest.approx(wanted["grad_l2_norm"], rel=1e-4, abs=1e-5)


def _pair_of_r02(first, second):
    question = (R02["instruction"] or "") + R02["input"]
    return Pair(question, R02["candidates"][first], R02["candidates"][second])


def _pairs_of_r02(scores, ranker):
    every = [(i, j) for i in range(len(scores)) for j in range(len(scores)) if i != j]
    targets = torch.tensor(scores)
    rows = ranker.pairs.encode([_pair_of_r02(i, j) for i, j in every])
    return rows, targets[[i for i, _ in every]], targets[[j for _, j in every]]


@pytest.mark.parametrize(
    "case",
    [case for case in TRAINING["sampling"] if "error" not in case["result"]],
    ids=lambda case: f"{case['mode']}-{case['settings']}",
)
def test_drawn_pairs_are_the_originals(case):
    kept = [0, 1, 2, 3, 5]  # candidate 4 reads as candidate 1
    settings = dict(case["settings"])
    if "sub_sampling_ratio" in settings:
        settings["ratio"] = settings.pop("sub_sampling_ratio")
    scores = np.array(case["scores"])[kept]
    drawn = draw_pairs(case["mode"], scores, torch.Generator().manual_seed(0), **settings)
    assert [kept[a] for a, _ in drawn] == case["result"]["pairs_first_row"]
    assert [kept[b] for _, b in drawn] == case["result"]["pairs_second_row"]


def test_samplings_that_fail_in_the_original():
    scores = np.array([0.3, 0.9, 0.1, 0.5, 0.7])
    for seed in range(20):
        chance = torch.Generator().manual_seed(seed)
        half = draw_pairs("random", scores, chance, ratio=0.5)
        assert len({frozenset(pair) for pair in half}) == 5
        top = draw_pairs("top_random", scores, chance, num_pos=2, num_neg=2)
        assert [best in pair for best, pair in zip((1, 4), top, strict=True)] == [True, True]
        bottom = draw_pairs("random_bottom", scores, chance, num_pos=2, num_neg=2)
        assert [worst in pair for worst, pair in zip((0, 2), bottom, strict=True)] == [True, True]
        assert all(a != b for a, b in half + top + bottom)
    assert len(draw_pairs("every", scores, chance)) == 10
    assert draw_pairs("top_bottom", scores[:1], chance) == []


# --- targets and length ------------------------------------------------------------------------


def _config(**changes):
    needed = {"start": "nowhere", "output": "nowhere", "train": ["nowhere"]}
    return RankerConfig(**needed | changes)


def _judged(record, **changes):
    pairs = judged_pairs([record], _config(**changes), torch.Generator().manual_seed(0))
    return {
        pair.indices if pair.indices[0] < pair.indices[1] else pair.indices[::-1]: pair
        if pair.indices[0] < pair.indices[1]
        else pair.swapped
        for pair in pairs
    }


def test_targets_come_from_several_graded_judges():
    record = Record.model_validate(
        {
            "instruction": "?",
            "candidates": ["a", "b", "c", "d", "a"],
            "judgements": [
                {"a": 0, "b": 1, "winner": "a", "judge": "x"},
                {"a": 1, "b": 0, "winner": "a", "judge": "y"},
                {"a": 0, "b": 1, "winner": "a", "judge": "z"},
                {"a": 0, "b": 2, "winner": "b", "judge": "x", "strength": 0.5},
                {"a": 1, "b": 2, "winner": "tie", "judge": "x"},
                {"a": 4, "b": 2, "winner": "a"},
            ],
        }
    )
    pairs = _judged(record)
    # Nobody spoke of the fourth answer, and the fifth reads as the first.
    assert pairs.keys() == {(0, 1), (0, 2), (1, 2)}
    assert pairs[0, 1].preference == pytest.approx(2 / 3)
    assert pairs[0, 2].preference == pytest.approx(0.25)
    assert pairs[0, 2].pair == Pair("?", "a", "c")
    assert pairs[0, 2].targets == ((pytest.approx(0.25),), (pytest.approx(0.75),))
    assert _judged(record, loss="instructgpt").keys() == {(0, 1), (0, 2)}  # ties teach it nothing
    hard = _judged(record, loss="open_instruct_BCE")
    assert hard[0, 2].targets == ((0.0,), (1.0,))


def test_soft_loss_is_least_at_the_logit_of_the_preference():
    logit = torch.tensor([[np.log(3.0)]], requires_grad=True)
    LOSSES["soft"](
        logit, torch.zeros(1, 1), torch.tensor([[0.75]]), torch.tensor([[0.25]])
    ).sum().backward()
    assert abs(logit.grad.item()) < 1e-6


def test_targets_from_scores():
    record = Record.model_validate(
        {
            "instruction": "?",
            "candidates": ["a", "b", "c"],
            "scores": {"gpt": [9, 5, None], "bleu": [0.1, 0.4, 0.2]},
        }
    )
    assert _judged(record, scores={"gpt": None}).keys() == {(0, 1)}
    graded = _judged(record, scores={"gpt": 2.0})[0, 1].preference
    assert graded == pytest.approx(1 / (1 + np.exp(-2.0)))
    learnt = _judged(record, tasks=["bleu", "gpt"], loss="MSE")
    assert learnt[0, 1].targets == ((0.1, 9.0), (0.4, 5.0))
    assert learnt.keys() == {(0, 1)}


def test_weak_labels_count_less():
    told = {"a": 0, "b": 1, "winner": "a"}
    record = Record.model_validate(
        {
            "instruction": "?",
            "candidates": ["a", "b"],
            "judgements": [told],
            "label_kind": "model_level",
        }
    )
    assert _judged(record)[0, 1].weight == 1.0
    assert _judged(record, label_weights={"model_level": 0.3})[0, 1].weight == 0.3
    assert _judged(record, label_weights={"model_level": 0}) == {}


@pytest.mark.parametrize("method", ["weights", "sampling"])
def test_length_debiasing_lets_the_longer_answer_win_half_of_the_time(method):
    chance = random.Random(0)
    records = []
    for place in range(400):
        texts = ["x" * chance.randint(10, 90) for _ in range(2)]
        better = max if chance.random() < 0.8 else min
        winner = "ab"[texts.index(better(texts, key=len))] if chance.random() < 0.9 else "tie"
        told = {"a": 0, "b": 1, "winner": winner, "strength": chance.choice([0.4, 1.0])}
        given = {"instruction": str(place), "candidates": texts, "judgements": [told]}
        records.append(Record.model_validate(given))
    generator = torch.Generator().manual_seed(0)
    pairs = judged_pairs(records, _config(), generator)
    assert longer_wins(pairs) > 0.7
    settings = _config(length_debiasing=method)
    balanced = debiased(pairs, settings, generator)
    assert longer_wins(balanced) == pytest.approx(0.5, abs=1e-9 if method == "weights" else 0.01)
    if method == "weights":
        assert len(balanced) == len(pairs)
        assert sum(p.weight for p in balanced) > 0.9 * len(pairs)
    else:
        assert {pair.weight for pair in balanced} == {1.0}
        assert sum(pair.preference == 0.5 for pair in balanced) == sum(
            pair.preference == 0.5 for pair in pairs
        )
    one_sided = [p for p in pairs if longer_wins([p]) == 1.0]
    with pytest.raises(InputError, match="shorter answer is better in none"):
        debiased(one_sided, settings, generator)


# --- a toy: the answer with "good" in it is better than the one with "bad" ---------------------


@pytest.fixture(scope="module")
def learnt(toy, tmp_path_factory):
    output = tmp_path_factory.mktemp("learnt") / "out"
    config = toy_config(
        toy, output, max_steps=120, symmetry=0.3, eval_every=30, log_every=5, best="loss"
    )
    told = []
    assert train_ranker(config, report=told.append) == output / "model"
    return output, told


def test_a_ranker_learns_what_can_be_learnt(learnt):
    output, told = learnt
    log = json.loads((output / "training.json").read_text())
    losses = [entry["loss"] for entry in log["history"] if "loss" in entry]
    assert np.mean(losses[-3:]) < 0.3 * np.mean(losses[:3])
    accuracies = [e["eval_accuracy"] for e in log["history"] if "eval_accuracy" in e]
    assert accuracies[0] < 0.8
    assert log["result"]["figures"]["accuracy"] > 0.95
    assert log["result"]["figures"]["balanced_accuracy"] > 0.95
    assert told[0] == "learning from 400 pairs of 400 records"
    assert any(line.startswith("step 30: accuracy") for line in told)


def test_after_training_swapping_the_answers_flips_the_sign(learnt, toy):
    output, _ = learnt
    judged = _dev_pairs(toy)
    ranker = PairRanker.from_pretrained(output / "model", device="cpu")
    logits = ranker.comparator.logits([pair.pair for pair in judged])
    swapped = ranker.comparator.logits([pair.swapped.pair for pair in judged])
    assert (np.sign(logits) == -np.sign(swapped)).mean() > 0.95
    bias = np.abs(logits + swapped).mean() / np.abs(np.stack([logits, swapped])).mean()
    assert bias < 0.1
    log = json.loads((output / "training.json").read_text())
    assert log["result"]["figures"]["position_bias"] == pytest.approx(bias, abs=1e-3)


def test_trained_rankers_and_their_checkpoints_load(learnt, toy):
    output, _ = learnt
    best = json.loads((output / "training.json").read_text())["result"]["step"]
    folders = sorted(output.glob("checkpoint-*"))
    assert f"checkpoint-{best}" in [folder.name for folder in folders]
    assert len(folders) <= 2  # the best and the last
    judged = _dev_pairs(toy)
    better = np.array([pair.preference > 0.5 for pair in judged])
    for folder in (output / "model", *folders):
        ranker = PairRanker.from_pretrained(folder, device="cpu")
        logits = ranker.comparator.logits([pair.pair for pair in judged])
        assert ((logits > 0) == better).mean() > 0.95
    assert _weights(output / "model") == _weights(output / f"checkpoint-{best}")
    assert not list(output.glob(".*"))


def _dev_pairs(toy):
    records = read_records(toy / "dev.jsonl")
    return judged_pairs(list(records), _config(), torch.Generator().manual_seed(0))


def test_the_log_tells_all(learnt, toy):
    output, _ = learnt
    log = json.loads((output / "training.json").read_text())
    data = (toy / "train.jsonl").read_bytes()
    assert log["data"]["train"][0]["sha256"] == hashlib.sha256(data).hexdigest()
    assert log["config"]["symmetry"] == 0.3
    assert log["config"]["seed"] == 0
    assert log["examples"]["train"]["pairs"] == 400
    assert log["examples"]["dev"] == {"records": 60, "pairs": 60}
    assert 0.4 < log["examples"]["train"]["longer answer wins"] < 0.6
    assert log["versions"]["torch"] == torch.__version__
    assert log["result"]["device"] == "cpu"
    assert {"loss", "learning_rate", "grad_norm", "step"} <= log["history"][0].keys()


def _weights(folder):
    weights = load_file(folder / "model.safetensors")
    return {name: hashlib.sha256(w.numpy().tobytes()).hexdigest() for name, w in weights.items()}


def test_a_seed_decides_everything(toy, tmp_path):
    changes = {"length_debiasing": "sampling", "max_steps": 2, "loss": "instructgpt", "dev": []}
    one, same, other = (
        train_ranker(toy_config(toy, tmp_path / name, seed=seed, **changes))
        for name, seed in (("one", 5), ("same", 5), ("other", 6))
    )
    assert _weights(one) == _weights(same)
    assert _weights(one) != _weights(other)


def test_resumed_training_gives_the_same_weights(toy, tmp_path):
    few = tmp_path / "few.jsonl"
    write_toy(few, 25, seed=2)
    changes = {"max_steps": 16, "head_warmup_steps": 4, "layer_decay": 0.8, "accumulation": 2}
    changes |= {"train": [few], "dev": [few], "batch_size": 1}
    whole_run = train_ranker(toy_config(toy, tmp_path / "whole", **changes))
    config = toy_config(toy, tmp_path / "parts", **changes)

    def stop(line):
        if line.startswith("step 12:"):  # an epoch has 13 steps
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(TrainingInterrupted, match=r"checkpoint-1\d is complete.*--resume"):
        train_ranker(config, report=stop)
    assert not (config.output / "model").exists()
    with pytest.raises(InputError, match="holds an earlier training"):
        train_ranker(config)
    changed = config.model_copy(update={"learning_rate": 1e-3})
    with pytest.raises(InputError, match=r"'learning_rate' was 0\.004"):
        train_ranker(changed, resume=True)

    resumed = train_ranker(config, resume=True)
    assert _weights(resumed) == _weights(whole_run)
    histories = [
        [
            entry
            for entry in json.loads((folder.parent / "training.json").read_text())["history"]
            if "train_runtime" not in entry
        ]
        for folder in (whole_run, resumed)
    ]
    # Where it stopped, one more figure may have been logged, but none is missing or different.
    assert [e for e in histories[1] if e in histories[0]] == histories[0]
    with pytest.raises(InputError, match="this training is finished"):
        train_ranker(config, resume=True)


def test_training_stops_early_and_keeps_the_best(toy, tmp_path):
    config = toy_config(
        toy, tmp_path / "out", learning_rate=1e-12, patience=2, eval_every=2, max_steps=50
    )
    folder = train_ranker(config)
    log = json.loads((config.output / "training.json").read_text())
    assert (log["result"]["step"], log["result"]["steps"]) == (2, 6)
    assert sorted(f.name for f in config.output.glob("c*")) == ["checkpoint-2", "checkpoint-6"]
    assert _weights(folder) == _weights(config.output / "checkpoint-2")


def test_a_training_that_ended_before_its_model_was_written_is_finished_by_resuming(toy, tmp_path):
    config = toy_config(toy, tmp_path / "out", max_steps=3)
    before = _weights(train_ranker(config))
    shutil.rmtree(config.output / "model")
    log = json.loads((config.output / "training.json").read_text())
    (config.output / "training.json").write_text(json.dumps(log | {"result": None}))
    assert _weights(train_ranker(config, resume=True)) == before


def test_a_loss_that_is_no_number_ends_the_training(toy, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(toy / "encoder", broken)
    weights = load_file(broken / "model.safetensors")
    weights["encoder.layer.1.output.dense.bias"] += torch.inf
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})
    config = toy_config(toy, tmp_path / "out", start=str(broken))
    with pytest.raises(ModelOutputError, match="the loss is nan at step 1: lower 'learning_rate'"):
        train_ranker(config)
    quieter = config.model_copy(update={"log_every": 100, "dev": []})
    with pytest.raises(ModelOutputError, match="weights are NaN or infinite at step 3"):
        train_ranker(quieter)
    assert not list(config.output.glob("checkpoint-*"))
    with pytest.raises(InputError, match="float16 is for CUDA"):
        train_ranker(config.model_copy(update={"precision": "float16"}))


def test_nothing_to_resume(toy, tmp_path):
    with pytest.raises(InputError, match="no checkpoint to resume from"):
        train_ranker(toy_config(toy, tmp_path / "out"), resume=True)


def test_training_goes_on_only_with_the_same_data(toy, tmp_path):
    data = tmp_path / "train.jsonl"
    data.write_bytes((toy / "train.jsonl").read_bytes())
    config = toy_config(toy, tmp_path / "out", train=[data], max_steps=50)

    def stop(line):
        if line.startswith("step 3:"):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(TrainingInterrupted):
        train_ranker(config, report=stop)
    with data.open("a") as file:
        file.write("\n")
    with pytest.raises(InputError, match=r"train\.jsonl has changed"):
        train_ranker(config, resume=True)


def test_a_broken_checkpoint_is_named_when_it_is_resumed(toy, tmp_path):
    config = toy_config(toy, tmp_path / "out", max_steps=50)

    def stop(line):
        if line.startswith("step 3:"):
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(TrainingInterrupted):
        train_ranker(config, report=stop)
    folder = max(config.output.glob("checkpoint-*"), key=lambda one: int(one.name[11:]))
    for name, broken, said in (
        ("trainer_state.json", b'{"global_step": -1}', "'global_step' must be greater than or"),
        ("trainer_state.json", b'{"global_step": 3, "x": 1}', "cannot be gone on from"),
        ("optimizer.pt", pickle.dumps(print, protocol=2), "cannot be gone on from: a file is"),
        ("scheduler.pt", b"\x80\x02...", "cannot be gone on from"),
        ("rng_state.pth", b"", "cannot be gone on from"),
    ):
        whole_file = (folder / name).read_bytes()
        (folder / name).write_bytes(broken)
        with pytest.raises(CheckpointError, match=f"{folder.name}.*{said}") as caught:
            train_ranker(config, resume=True)
        assert "weights_only" not in str(caught.value)
        (folder / name).write_bytes(whole_file)


def test_a_full_disk_leaves_the_earlier_checkpoint(toy, tmp_path):
    config = toy_config(toy, tmp_path / "out", max_steps=9)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill(line):
        if line.startswith("step 6:"):  # from now on, no file can grow beyond 20 kB
            resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))

    try:
        with pytest.raises(NotSavedError, match=r"checkpoint-6 could not be saved: .*checkpoint-3"):
            train_ranker(config, report=fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [folder.name for folder in config.output.iterdir() if folder.is_dir()] == [
        "checkpoint-3"
    ]
    PairRanker.from_pretrained(config.output / "checkpoint-3", device="cpu")
    assert train_ranker(config, resume=True).is_dir()


def test_a_folder_is_replaced_whole(tmp_path):
    folder = tmp_path / "model"
    with whole(folder, lambda: "") as partial:
        (partial / "a").write_text("1")

    def fail():
        with whole(folder, lambda: "Nothing was lost") as partial:
            (partial / "b").write_text("2")
            raise OSError("no room")

    with pytest.raises(NotSavedError, match=r"no room\. Nothing was lost"):
        fail()
    assert [file.name for file in folder.iterdir()] == ["a"]
    with whole(folder, lambda: "") as partial:
        (partial / "c").write_text("3")
    assert [file.name for file in folder.iterdir()] == ["c"]
    assert list(tmp_path.iterdir()) == [folder]


# --- what a ranker starts from, and how its parts learn ----------------------------------------


def test_an_encoder_gets_markers_and_lengths(toy, tmp_path):
    config = toy_config(toy, tmp_path)
    ranker = ranker_to_train(config)
    limits = ranker.pairs.limits
    assert (limits.source, limits.candidate) == (16, 24)
    table = ranker.model.pretrained_model.get_input_embeddings().weight
    tokenizer = ranker.pairs.tokenizer
    for marker in ranker.pairs.markers:
        assert torch.equal(table[tokenizer.id_of(marker)], table[tokenizer.id_of("[CLS]")])
    assert len(table) == len({tokenizer.id_of(m) for m in ranker.pairs.markers}) + len(
        tokenizer.full.get_vocab(with_added_tokens=False)
    )
    lengths = {"source_max_length": 20, "candidate_max_length": 10}
    limits = ranker_to_train(config.model_copy(update=lengths)).pairs.limits
    assert (limits.source, limits.candidate) == (20, 10)
    with pytest.raises(InputError, match="64 positions"):
        ranker_to_train(
            config.model_copy(update={"candidate_max_length": 30, "source_max_length": 20})
        )


def test_a_ranker_goes_on_learning(tmp_path):
    start = CHECKPOINTS / "tiny-PairRM-hf"
    config = _config(start=str(start), output=tmp_path)
    ranker = ranker_to_train(config)
    known = CrossEncoder.from_pretrained(start, device="cpu", dtype="float32")
    pair = Pair("question", "one answer", "another answer")
    assert ranker.logits([pair]) == known.logits([pair])
    assert ranker.pairs.limits == known.pairs.limits
    with pytest.raises(InputError, match="1 outputs, 'tasks' needs 2"):
        ranker_to_train(config.model_copy(update={"tasks": ["a", "b"]}))


def test_a_deberta_with_only_a_sentencepiece_model_is_trained(toy, tmp_path):
    config = toy_config(
        toy,
        tmp_path / "out",
        start=str(CHECKPOINTS / "tiny-deberta-v3-base"),
        source_max_length=32,
        candidate_max_length=32,
        max_steps=2,
        eval_every=2,
        max_dev_pairs=5,
        batch_size=4,
    )
    ranker = PairRanker.from_pretrained(train_ranker(config), device="cpu")
    assert np.isfinite(ranker.compare("cook rice", "good", "bad"))


def test_an_encoder_with_only_a_list_of_words_gets_a_tokenizer(toy, tmp_path):
    folder = shutil.copytree(toy / "encoder", tmp_path / "encoder")
    (folder / "tokenizer.json").unlink()
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "rice", "cook"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    ranker = ranker_to_train(_config(start=str(folder)))
    assert ranker.pairs.tokenizer.encode(["cook rice"]) == [[6, 5]]


def test_an_encoder_without_weights_is_named(toy, tmp_path):
    for name in ("config.json", "tokenizer.json"):
        (tmp_path / name).write_bytes((toy / "encoder" / name).read_bytes())
    with pytest.raises(CheckpointError, match="no weights; expected"):
        ranker_to_train(_config(start=str(tmp_path)))


def test_an_encoder_brings_no_code(toy, tmp_path):
    folder = shutil.copytree(toy / "encoder", tmp_path / "encoder")
    file = folder / "config.json"
    content = json.loads(file.read_text())
    file.write_text(json.dumps({**content, "attn_implementation": "evil-org/evil-kernel"}))
    pair = Pair("cook rice", "good", "bad")
    ours, plain = (
        ranker_to_train(toy_config(toy, tmp_path, start=str(start))).logits([pair])
        for start in (folder, toy / "encoder")
    )
    assert ours == plain
    file.write_text(json.dumps({**content, "model_type": "own"}))
    with pytest.raises(CheckpointError, match="'own', none of the text models"):
        ranker_to_train(toy_config(toy, tmp_path, start=str(folder)))


def test_lower_layers_learn_slower(toy, tmp_path):
    config = toy_config(
        toy, tmp_path, learning_rate=1.0, layer_decay=0.5, head_learning_rate=3.0, weight_decay=0.1
    )
    model = ranker_to_train(config).model
    rates = {
        id(weight): (group["lr"], group["weight_decay"])
        for group in ranker_groups(model, config)
        for weight in group["params"]
    }
    layers = model.pretrained_model.encoder.layer
    assert rates[id(model.head_layer[1].weight)] == (3.0, 0.1)
    assert rates[id(layers[1].output.dense.weight)] == (1.0, 0.1)
    assert rates[id(layers[0].output.dense.weight)] == (0.5, 0.1)
    assert rates[id(layers[0].output.dense.bias)] == (0.5, 0.0)
    assert rates[id(model.pretrained_model.get_input_embeddings().weight)] == (0.25, 0.1)


def test_in_the_warm_up_of_the_head_the_encoder_stays(toy, tmp_path):
    config = toy_config(toy, tmp_path / "out", head_warmup_steps=3, keep_checkpoints=9)
    start = ranker_to_train(config).model.state_dict()
    train_ranker(config)
    frozen = load_file(config.output / "checkpoint-3" / "model.safetensors")
    trained = load_file(config.output / "checkpoint-6" / "model.safetensors")
    for name, weight in start.items():
        # The last bias is taken from itself when two scores are compared.
        unread = "pooler" in name or name == "head_layer.4.bias"
        if name.startswith("pretrained_model."):
            assert torch.equal(frozen[name], weight)
        if not unread and weight.is_floating_point():
            assert not torch.equal(trained[name], weight), name


@pytest.mark.parametrize("schedule", ["linear", "cosine", "constant"])
def test_rates_rise_and_fall(schedule):
    config = _config(warmup=0.2, schedule=schedule)
    factors = [rate_at(config, 110, frozen_steps=10)(step) for step in range(111)]
    assert factors[:10] == [0.0] * 10
    assert all(0 < a < b <= 1 for a, b in pairwise(factors[10:31]))
    assert factors[30] == 1.0
    assert factors[110] == pytest.approx(1.0 if schedule == "constant" else 0.0)
    assert all(a >= b for a, b in pairwise(factors[30:]))


# --- losses of all names, precision, bad data ---------------------------------------------------


@pytest.mark.parametrize("loss", [*ORIGINAL, "soft"])
def test_every_loss_trains(toy, tmp_path, loss):
    config = toy_config(
        toy,
        tmp_path / "out",
        loss=loss,
        dev=[],
        max_steps=2,
        eval_every=None,
        length_debiasing="weights",
        optimizer="adafactor" if loss == "BCE" else "adamw",
        precision="bfloat16" if loss == "MSE" else "float32",
    )
    PairRanker.from_pretrained(train_ranker(config), device="cpu")


def test_records_that_say_nothing_are_an_error(toy, tmp_path):
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps({"instruction": "?", "candidates": ["a", "b"]}) + "\n")
    config = toy_config(toy, tmp_path / "out", train=[data])
    with pytest.raises(InputError, match=r"data\.jsonl: in none of the 1 records"):
        train_ranker(config)
    with pytest.raises(InputError, match="no record has a score 'gtp4'; known: none"):
        train_ranker(config.model_copy(update={"scores": {"gtp4": None}}))
    with pytest.raises(InputError, match=r"dev\.jsonl|data\.jsonl: in none"):
        train_ranker(toy_config(toy, tmp_path / "out", dev=[data]))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("learnig_rate: 1e-5", "unknown key 'learnig_rate'; did you mean 'learning_rate'?"),
        ("loss: instructgtp", "did you mean 'instructgpt'?"),
        ("batch_size: 0", "'batch_size' must be greater than or equal to 1, got 0"),
        ("layer_decay: nan", "'layer_decay'"),
        ("patience: 3", "'patience' is about figures on 'dev'"),
        ("dev: missing.jsonl", "there is no file missing.jsonl"),
        ("start: [", "not YAML"),
        ("start:", "'start' must be a text, not null"),
    ],
)
def test_mistakes_in_a_config_are_named(toy, tmp_path, line, message):
    file = tmp_path / "config.yaml"
    file.write_text(f"start: e\noutput: o\ntrain: {toy / 'train.jsonl'}\n{line}\n")
    with pytest.raises(InputError) as caught:
        read_config(file, RankerConfig)
    assert message in str(caught.value)
    assert str(file) in str(caught.value)


def test_a_config_is_read(toy, tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(
        f"start: e\noutput: o\ntrain: {toy / 'train.jsonl'}\nlearning_rate: 1e-5\n"
        "scores: {gpt4: 2, bleu: null}\n"
    )
    config = read_config(file, RankerConfig)
    assert config.learning_rate == 1e-5
    assert config.scores == {"gpt4": 2.0, "bleu": None}
    file.write_text("output: o\n")
    with pytest.raises(InputError, match="'start' is missing"):
        read_config(file, FuserConfig)


def test_the_configs_in_the_docs_are_understood(tmp_path, monkeypatch):
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    for name in ("train", "dev"):
        (tmp_path / "data" / f"{name}.jsonl").touch()
    configs = [block.partition("```")[0] for block in text.split("```text\n")[1:]]
    for kind, config in zip((*[RankerConfig] * 3, FuserConfig), configs, strict=True):
        file = tmp_path / "config.yaml"
        file.write_text(config)
        assert read_config(file, kind).train == [Path("data/train.jsonl")]
        untold = [key for key in kind.model_fields if f"`{key}`" not in text]
        assert [key for key in untold if f"\n{key}:" not in text and key not in UNTOLD] == []


UNTOLD = {"start", "output", "train", "dev", "drop_out", "max_length", "output_max_length"}
UNTOLD |= {"max_dev_pairs", "candidate_max_length"}


# --- the command --------------------------------------------------------------------------------


def _command(toy, tmp_path, **changes):
    config = toy_config(toy, tmp_path / "out", **changes).model_dump(mode="json")
    file = tmp_path / "config.yaml"
    file.write_text(json.dumps(config))  # JSON is YAML
    return ["train", "ranker", str(file)]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM])
def test_ending_it_keeps_a_checkpoint_and_says_how_to_go_on(toy, tmp_path, capsys, ending):
    usual = signal.getsignal(ending)
    first = tmp_path / "out" / "checkpoint-3"

    def press_when_saved():
        while not first.exists():
            time.sleep(0.01)
        os.kill(os.getpid(), ending)

    threading.Thread(target=press_when_saved, daemon=True).start()
    command = _command(toy, tmp_path, max_steps=100_000)
    assert app(command, standalone_mode=False) == 130
    output = capsys.readouterr()
    assert "stopping after this step" in output.err
    assert "--resume goes on from there" in output.err
    assert output.out == ""
    (kept,) = (folder for folder in first.parent.glob("checkpoint-*") if folder.name in output.err)
    PairRanker.from_pretrained(kept, device="cpu")
    assert signal.getsignal(ending) is usual


def test_where_no_bar_is_drawn_there_are_lines(toy, tmp_path, monkeypatch):
    monkeypatch.setattr("blender_core.training.run._LINES_APART", 0.0)
    for name, bar in (("lines", False), ("bar", True)):
        told = []
        config = toy_config(toy, tmp_path / name, max_steps=12, log_every=5)
        train_ranker(config, report=told.append, show_progress=bar)
        lines = [line for line in told if re.search(r"loss .*, learning rate .* min left", line)]
        steps = [] if bar else ["step 5 of 12", "step 10 of 12"]
        assert [line.partition(":")[0] for line in lines] == steps


def test_the_command_trains(toy, tmp_path, capsys):
    command = _command(toy, tmp_path)
    app(command, standalone_mode=False)
    output = capsys.readouterr()
    assert Path(output.out.strip()) == tmp_path / "out" / "model"
    assert "step 6: accuracy" in output.err
    assert app(command, standalone_mode=False) == 2
    assert "holds an earlier training" in capsys.readouterr().err


# --- fuser --------------------------------------------------------------------------------------


@pytest.fixture
def licences(tmp_path):
    file = tmp_path / "licences.jsonl"
    records = [
        {
            "id": place,
            "instruction": f"Which licence {place}?",
            "candidates": ["neither", "the GPL", "a free one", "none of these"],
            "output": "the GNU licence",
            "judgements": [{"a": 2, "b": 0, "winner": "a"}, {"a": 2, "b": 1, "winner": "a"}],
        }
        for place in range(24)
    ]
    file.write_text("".join(json.dumps(record) + "\n" for record in records))
    return file


def test_a_fuser_learns_to_write_the_reference(licences, tmp_path):
    config = FuserConfig(
        start=str(CHECKPOINTS / "tiny-gen-fuser"),
        output=tmp_path / "out",
        train=licences,
        dev=licences,
        max_steps=36,
        eval_every=12,
        learning_rate=5e-3,
        batch_size=8,
        log_every=4,
        device="cpu",
    )
    folder = train_fuser(config)
    log = json.loads((config.output / "training.json").read_text())
    losses = [entry["loss"] for entry in log["history"] if "loss" in entry]
    assert losses[-1] < 0.1 * losses[0]
    assert log["result"]["figures"]["loss"] < 0.1
    assert log["examples"] == {"train": 24, "dev": 24}
    for saved in (folder, *config.output.glob("checkpoint-*")):
        fuser = GenFuser.from_pretrained(saved, device="cpu", dtype="float32")
        written = fuser.fuse("Which licence 30?", ["a free one", "the GPL", "neither"])
        assert written == "the GNU licence"


def test_a_fuser_needs_references(licences, tmp_path):
    data = tmp_path / "data.jsonl"
    data.write_text(json.dumps({"instruction": "?", "candidates": ["a", "b"]}) + "\n")
    config = FuserConfig(
        start=str(CHECKPOINTS / "tiny-gen-fuser"), output=tmp_path / "out", train=data
    )
    with pytest.raises(InputError, match="none of the 1 records has an 'output'"):
        train_fuser(config)
