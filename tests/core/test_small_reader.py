"""What a small language model makes of answers, in figures."""

from __future__ import annotations

import math

import numpy as np
import pytest
from tiny_llama import write_tiny_llama

from blender_core.causal.model import CausalModel
from blender_core.causal.reading import Reading
from blender_core.comparison.small.figures import FIGURES, figures
from blender_core.comparison.small.reader import SmallReader

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
    read = reader.read(ITEMS)
    assert read.shape == (5, len(FIGURES))
    assert read.dtype == np.float32
    assert np.isfinite(read).all()
    for place, item in enumerate(ITEMS):
        np.testing.assert_allclose(read[place], reader.read([item])[0], atol=1e-5)


def test_the_question_counts_only_where_it_is_read(reader):
    read = reader.read(ITEMS)
    alone = ["without the question" in name for name in FIGURES]
    # The first and the fourth item are the same answer to two questions.
    assert read[0, alone].tolist() == read[3, alone].tolist()
    assert not np.allclose(read[0], read[3], atol=1e-3)


def test_nothing_to_read_is_nothing_read(reader):
    assert reader.read([]).shape == (0, len(FIGURES))
