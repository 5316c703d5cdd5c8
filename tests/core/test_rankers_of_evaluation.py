"""What models are measured against: a regression on style, and consensus by sentence embeddings."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from transformers import AutoModel

from blender_core import Task
from blender_core.comparison.sentence_encoder import SentenceEncoder
from blender_core.data.records import as_value, read_record
from blender_core.errors import InputError
from recipes.style_ranker import StyleRanker, main


def record(number, better, worse):
    told = {"a": 0, "b": 1, "winner": "a"}
    given = {"id": number, "instruction": f"q{number}", "candidates": [better, worse]}
    return read_record(given | {"judgements": [told], "source": "here"})


def test_a_regression_on_style_learns_what_judges_like():
    records = [
        record(k, "# Title\n\n- one\n- two" + " word" * (k % 7), "one two" + " word" * (k % 5))
        for k in range(30)
    ]
    ranker = StyleRanker(records)
    ranking = ranker.rank_many([Task("?", ["plain words here", "# Title\n\n- a\n- b"])])[0]
    assert ranking.order == (1, 0)
    assert ranking.matrix[0, 1] == -ranking.matrix[1, 0] < 0
    assert ranker.weights["bullets"] > 0


def test_the_recipe_says_how_well_it_ranks(tmp_path, capsys):
    for name in ("train.jsonl", "test.jsonl"):
        lines = [as_value(record(k, "- one\n- two" + " w" * k, "one two")) for k in range(20)]
        (tmp_path / name).write_text("".join(json.dumps(line) + "\n" for line in lines))
    main(tmp_path / "train.jsonl", tmp_path / "test.jsonl")
    assert "accuracy: 1.0" in capsys.readouterr().out


def test_records_without_a_verdict_teach_nothing():
    silent = read_record({"instruction": "q", "candidates": ["a", "b"]})
    with pytest.raises(InputError, match="say of no pair"):
        StyleRanker([silent])


def test_sentence_embeddings_are_means_over_all_tokens(toy):
    encoder = SentenceEncoder.from_pretrained(toy / "encoder", device="cpu", dtype="float32")
    texts = ["good rice", "slow water heat board", "king"]
    vectors = encoder.encode(texts)
    model = AutoModel.from_pretrained(toy / "encoder").eval()
    for text, vector in zip(texts, vectors, strict=True):
        ids = torch.tensor([encoder.tokenizer.full.encode(text).ids])
        with torch.inference_mode():
            wanted = model(input_ids=ids).last_hidden_state.mean(dim=1)[0].numpy()
        assert np.allclose(vector, wanted, atol=1e-5)
    with pytest.raises(InputError, match="max_length"):
        SentenceEncoder.from_pretrained(toy / "encoder", device="cpu", max_length=0)
