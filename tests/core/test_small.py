"""The small ranker: what the mini one found, corrected by a language model."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
import torch
from tiny_llama import write_tiny_llama

from blender_core import PairRanker
from blender_core.candidates import Pair
from blender_core.causal.model import CausalModel
from blender_core.comparison.loading import SHIPPED, SHIPPED_RANKERS
from blender_core.comparison.small.comparator import SmallComparator
from blender_core.comparison.small.figures import FIGURES
from blender_core.comparison.small.head import SmallHead
from blender_core.comparison.small.reader import SmallReader
from blender_core.comparison.worth.comparator import WorthComparator
from blender_core.errors import CheckpointError, InputError
from recipes.pairranker_small import fitted
from recipes.small_pairs import figures_in, items_in, pairs_of, read

QUESTION = "What is the capital of France?"
ITEMS = [
    (QUESTION, text) for text in ("Paris.", "Rome.", "I don't know.", "one two", "  ", "É" * 999)
]


@pytest.fixture(scope="module")
def llama(tmp_path_factory):
    return write_tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture(scope="module")
def base():
    return WorthComparator.from_pretrained(SHIPPED, device="cpu")


@pytest.fixture(scope="module")
def reader(llama):
    return SmallReader(CausalModel.from_pretrained(llama, device="cpu", dtype="float32"))


@pytest.fixture(scope="module")
def small(base, reader):
    torch.manual_seed(0)
    head = SmallHead()
    torch.nn.init.normal_(head.correction[-1].weight)
    return SmallComparator(head, base, reader)


def test_what_has_not_learnt_changes_nothing(base, reader):
    untrained = SmallComparator(SmallHead(), base, reader)
    np.testing.assert_allclose(untrained.worth(ITEMS), base.worth(ITEMS), atol=1e-4)


def test_faults_are_corrected_and_quality_is_not(base, small):
    torch.manual_seed(0)
    told = torch.randn(50, len(FIGURES) + 2)
    quality, fault = small.head(told)
    assert torch.equal(quality, told[:, -2])
    assert (fault >= 0).all()
    assert not np.allclose(small.worth(ITEMS)[:4], base.worth(ITEMS)[:4], atol=1e-2)


def test_who_is_beside_an_answer_does_not_matter(small):
    together = small.worth(ITEMS)
    assert np.isfinite(together).all()
    for item, worth in zip(ITEMS, together, strict=True):
        assert small.worth([item])[0] == pytest.approx(worth, abs=1e-4)
    pairs = [Pair(QUESTION, ITEMS[0][1], ITEMS[1][1]), Pair(QUESTION, ITEMS[1][1], ITEMS[0][1])]
    there, back = small.logits(pairs)
    assert there == -back == pytest.approx(together[0] - together[1], abs=1e-4)
    assert together.argmin() == 4  # the blank one


def test_it_is_saved_without_the_models_that_read(small, llama, tmp_path):
    small.save_pretrained(tmp_path, language_model=str(llama))
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) < 20_000
    again = PairRanker.from_pretrained(tmp_path, device="cpu", dtype="float32")
    np.testing.assert_allclose(again.comparator.worth(ITEMS), small.worth(ITEMS), atol=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"base_sha256": "0" * 64}, "corrects another pairranker-mini"),
        ({"figures": ["mean"]}, "made by another version of blended-llm"),
        ({"language_model": "/nowhere/at/all"}, "/nowhere/at/all"),
        ({"width": 3}, "shape"),
    ],
)
def test_what_does_not_fit_is_said(small, llama, tmp_path, change, words):
    small.save_pretrained(tmp_path, language_model=str(llama))
    file = tmp_path / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(CheckpointError, match=words):
        PairRanker.from_pretrained(tmp_path)


def test_lengths_are_its_own(small, llama, tmp_path):
    small.save_pretrained(tmp_path, language_model=str(llama))
    with pytest.raises(InputError, match="source_max_length is not for this ranker"):
        PairRanker.from_pretrained(tmp_path, source_max_length=10)


def test_the_shipped_one_knows_more_than_signs():
    ranker = PairRanker("small")
    texts = ["I don't know.", "Sydney.", "Canberra.", "The capital of Australia is"]
    assert ranker.rank("What is the capital of Australia?", texts).best.text == "Canberra."
    words = "is hands you sure wash before eat Always your"
    whole = "Always be sure to wash your hands before you eat."
    assert ranker.compare("Give me a tip on hygiene.", whole, words) > 0
    told = json.loads((SHIPPED_RANKERS["small"] / "config.json").read_text())
    assert told["language_model"] == "smollm2"


def test_what_it_learns_from_is_read_once_and_can_grow(base, reader, tmp_path):
    records = [
        {
            "id": place,
            "source": "own-en" if place % 2 else "arenahard",
            "instruction": f"What is {place} and {place}?",
            "candidates": [f"It is {2 * place}." + " Sure." * (place % 4 // 2), "It is odd."],
            "scores": {"correct": [1, 0]},
            "label_kind": "instance_verified",
        }
        for place in range(60)
    ]
    train = tmp_path / "train.jsonl.gz"
    train.write_bytes(gzip.compress("\n".join(map(json.dumps, records)).encode()))
    pairs = pairs_of(train)
    assert len(pairs) == 60
    assert sum(some[0].source == "own-en" for some in pairs[:20]) == pytest.approx(8, abs=1)
    assert all(some[0].preference != 0.5 for some in pairs)
    assert sum(map(len, pairs)) > 120
    read(pairs[:50], tmp_path / "read", reader)
    first = (tmp_path / "read" / "00000.npy").stat().st_mtime_ns
    read(pairs, tmp_path / "read", reader)
    assert (tmp_path / "read" / "00000.npy").stat().st_mtime_ns == first
    figures = figures_in(pairs, tmp_path / "read")
    assert list(figures) == items_in(pairs)
    np.testing.assert_allclose(
        figures[items_in(pairs)[-1]], reader.read([items_in(pairs)[-1]])[0], atol=1e-5
    )
    again = [fitted(pairs, figures, base).state_dict() for _ in range(2)]
    assert all(torch.equal(again[0][name], again[1][name]) for name in again[0])
