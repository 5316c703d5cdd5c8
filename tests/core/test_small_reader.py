"""What a small language model makes of answers, in figures; and the sample that is read of data."""

from __future__ import annotations

import gzip
import json
import math
from collections import Counter

import numpy as np
import pytest
import torch
from tiny_llama import write_tiny_llama

from blender_core.causal.model import CausalModel
from blender_core.causal.reading import Reading
from blender_core.comparison.small.figures import FIGURES, figures
from blender_core.comparison.small.reader import SmallReader
from blender_core.data.records import Record
from recipes.small_readings import FIRST_CLASS, KEEP_MEMORY, balanced, main

ITEMS = [
    ("What is the capital of France?", "The capital of France is Paris."),
    ("What is the capital of France?", "one two three " * 20),
    ("Why is the sky blue?", ""),
    ("Why is the sky blue?", "The capital of France is Paris."),
    ("", "<|im_end|>"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def reader(folder):
    return SmallReader(CausalModel.from_pretrained(folder, device="cpu", dtype="float32"))


def reading(*log_probabilities: float) -> Reading:
    count = len(log_probabilities)
    return Reading(
        ids=np.arange(count - 1),
        log_probabilities=np.array(log_probabilities, dtype=np.float32),
        entropies=np.linspace(1.0, 2.0, count, dtype=np.float32),
        likeliest=np.arange(count) % 2 == 0,
        states=np.zeros((0, count, 4), dtype=np.float32),
    )


def test_figures_by_hand():
    told = [-1.0] * 20 + [-5.0] + [-2.0] * 20
    values = figures(reading(*told, -0.5), reading(*(2 * x for x in told), -0.25))
    found = dict(zip(FIGURES, values.tolist(), strict=True))
    entropies = np.linspace(1.0, 2.0, 42)[:-1]
    expected = {
        "mean": -65 / 41,
        "least": -5.0,
        "mean of the first": -1.0,
        "mean of the last": -2.0,
        "sum": -math.log(66),
        "entropy": entropies.mean(),
        "surprises": 1 / 41,
        "likeliest": 21 / 41,
        "end": -0.5,
        "mean, without the question": -130 / 41,
        "end, without the question": -0.25,
        "mean, gained by the question": 65 / 41,
        "mean of the first, gained by the question": 1.0,
        "sum, gained by the question": math.log(66),
        "entropy, gained by the question": 0.0,
        "tokens": math.log(42),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-5)


def test_an_answer_of_no_tokens_has_figures_of_its_end_alone():
    found = dict(zip(FIGURES, figures(reading(-3.0), reading(-1.0)).tolist(), strict=True))
    assert found["end"] == -3.0
    assert found["end, without the question"] == -1.0
    assert {value for name, value in found.items() if not name.startswith("end")} == {0.0}


def test_answers_are_read_in_their_order_whoever_is_beside_them(reader):
    read, states = reader.read(ITEMS)
    assert read.shape == (5, len(FIGURES))
    assert states.shape == (5, reader.width) == (5, 2 * 2 * 32)
    assert read.dtype == states.dtype == np.float32
    assert np.isfinite(read).all()
    assert np.isfinite(states).all()
    for place, item in enumerate(ITEMS):
        one, its_states = reader.read([item])
        np.testing.assert_allclose(read[place], one[0], atol=1e-5)
        np.testing.assert_allclose(states[place], its_states[0], atol=1e-5)


def test_the_question_counts_only_where_it_is_read(reader):
    read, _ = reader.read(ITEMS)
    alone = ["without the question" in name for name in FIGURES]
    # The first and the fourth item are the same answer to two questions.
    assert read[0, alone].tolist() == read[3, alone].tolist()
    assert not np.allclose(read[0], read[3], atol=1e-3)


def test_states_are_the_mean_and_the_last_vector_of_each_layer(reader):
    _, states = reader.read(ITEMS)
    for place, item in enumerate(ITEMS):
        ((_, one),) = reader.model.read([item], layers=(1, 3))
        own = one.states[:, 1:] if len(one.ids) else one.states[:, :1]
        expected = [own[0].mean(0), own[0, -1], own[1].mean(0), own[1, -1]]
        np.testing.assert_allclose(states[place], np.concatenate(expected), atol=1e-5)


def test_nothing_to_read_is_nothing_read(reader):
    read, states = reader.read([])
    assert read.shape == (0, len(FIGURES))
    assert states.shape == (0, reader.width)


def records(**sources: int) -> list[Record]:
    return [
        Record(id=f"{source}-{place}", instruction="?", candidates=["a", "b"])
        for source, count in sources.items()
        for place in range(count)
    ]


def test_every_beginning_of_the_sample_is_balanced():
    found = {"x": records(arenahard=300, gsm8k=300), "y": records(oa=20, hhharm=300)}
    order = list(balanced(found, seed=0))
    assert Counter(name for name, _ in order) == {"x": 600, "y": 320}
    assert len({record.id for _, record in order}) == 920
    assert "arenahard" in FIRST_CLASS
    first = Counter(str(record.id).partition("-")[0] for _, record in order[:80])
    # 3 : 1 : 3 : 1, until oa has no more.
    assert first["oa"] == 20
    assert first["arenahard"] == pytest.approx(3 * first["gsm8k"], abs=3)
    assert first["hhharm"] == pytest.approx(first["gsm8k"], abs=1)
    again = [record.id for _, record in balanced(found, seed=0)]
    assert again == [record.id for _, record in order]
    assert again != [record.id for _, record in balanced(found, seed=1)]


def test_a_sample_is_read_once_and_can_grow(folder, tmp_path, monkeypatch, capsys):
    lines = [
        {"id": f"oa-{place}", "instruction": "Why?", "candidates": list("abcdef")[: 2 + place]}
        for place in range(4)
    ]
    for name in ("train_permissive", "train_extra"):
        text = "".join(json.dumps(line | {"id": f"{line['id']}-{name}"}) + "\n" for line in lines)
        (tmp_path / f"{name}.jsonl.gz").write_bytes(gzip.compress(text.encode()))

    for name, value in KEEP_MEMORY.items():  # else the recipe starts itself again
        monkeypatch.setenv(name, value)
    threads = torch.get_num_threads()

    def read(count: int) -> str:
        main(tmp_path, tmp_path / "out", records=count, model=str(folder), threads=threads)
        return str(capsys.readouterr().out)

    assert "train-00000.npz" in read(3)
    assert "train-00000.npz: 26 answers" in read(8)
    assert read(8) == ""
    with np.load(tmp_path / "out" / "train-00000.npz", allow_pickle=False) as arrays:
        assert len(arrays["ids"]) == len(set(arrays["ids"])) == 8
        assert Counter(arrays["files"]) == {"train_permissive": 4, "train_extra": 4}
        # Two to five answers a record, at most four of which are read.
        assert sorted(np.bincount(arrays["record"])) == [2, 2, 3, 3, 4, 4, 4, 4]
        assert arrays["figures"].shape == (26, len(FIGURES))
        assert np.isfinite(arrays["states"]).all()
