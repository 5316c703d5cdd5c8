"""All pairs of eight real answers: pairranker-mini, MiniLM and the shape of DeBERTa-v3-large."""

from __future__ import annotations

import json
import time
from importlib.resources import files

import torch
from tokenizers import AddedToken
from transformers import BertConfig, BertModel

from benchmarks.models import cross_encoder, seconds
from blender_core.candidates import Task
from blender_core.comparison.cross_encoder import CrossEncoder
from blender_core.comparison.encoding import Limits, Markers
from blender_core.comparison.loading import SHIPPED
from blender_core.comparison.pair_model import PairModel
from blender_core.data.records import read_record
from blender_core.models.tokenizer import TextTokenizer, read_tokenizer
from blender_core.ranking.joint_ranker import JointRanker
from blender_core.ranking.pair_ranker import PairRanker

LAYERS = 1
OF_LAYERS = 24


def tasks() -> list[Task]:
    """Five questions with eight answers each."""
    lines = files("blender_core.cli").joinpath("demo.jsonl").read_text(encoding="utf-8")
    return [read_record(json.loads(line)).to_task() for line in lines.splitlines()]


def mini_as_cross_encoder() -> CrossEncoder:
    """The same encoder reading every pair as a whole, with a new head: its speed, not its sense."""
    config = json.loads((SHIPPED / "config.json").read_text(encoding="utf-8"))
    vocabulary = read_tokenizer(SHIPPED / "tokenizer.json")
    markers = Markers()
    vocabulary.add_tokens([AddedToken(token, normalized=True) for token in markers])
    shape = {key: value for key, value in config["encoder"].items() if key != "model_type"}
    shape["vocab_size"] = vocabulary.get_vocab_size(with_added_tokens=True)
    torch.manual_seed(0)
    return CrossEncoder(
        PairModel(BertModel(BertConfig(**shape))),
        TextTokenizer(vocabulary, tuple(markers)),
        # What one reading of an answer sees, for both of them.
        Limits(config["source_max_length"], config["candidate_max_length"]),
        markers,
        device="cpu",
        dtype="float32",
    )


def loading() -> float:
    """Seconds until the shipped ranker is ready, imports aside."""
    start = time.perf_counter()
    PairRanker()
    return time.perf_counter() - start


def main() -> None:
    loaded = min(loading() for _ in range(3))
    print(f"loaded in {loaded:.2f} s", flush=True)
    asked = tasks()[:1]
    mini = PairRanker()
    late = seconds(lambda: mini.rank_many(asked), 5)
    print(f"pairranker-mini: {1000 * late:.0f} ms for 8 answers, all pairs", flush=True)
    joint = JointRanker.with_consensus(mini)
    print(f"and consensus: {1000 * seconds(lambda: joint.rank_many(asked), 5):.0f} ms", flush=True)
    cross = PairRanker(mini_as_cross_encoder())
    as_cross = seconds(lambda: cross.rank_many(asked), 1)
    print(f"{late / as_cross:.4f} of the time of its encoder as a cross-encoder", flush=True)
    # A part of the layers is timed and scaled up; embeddings and the head count for little.
    large = PairRanker(cross_encoder(LAYERS))
    whole = seconds(lambda: large.rank_many(asked), 1) * OF_LAYERS / LAYERS
    print(f"{late / whole:.5f} of that of DeBERTa-v3-large's shape ({LAYERS} layers timed)")
