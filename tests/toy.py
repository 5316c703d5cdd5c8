"""A toy to learn: the answer with "good" in it is better than the one with "bad"."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertModel

from blender_core.training.config import RankerConfig

WORDS = [
    "what",
    "is",
    "the",
    "best",
    "way",
    "to",
    "cook",
    "rice",
    "fix",
    "a",
    "bike",
    "learn",
    "chess",
    "good",
    "bad",
    "slow",
    "quick",
    "water",
    "heat",
    "board",
    "wheel",
    "chain",
    "king",
    "queen",
]


def write_toy_encoder(folder: Path) -> None:
    """An encoder nobody has trained."""
    folder.mkdir()
    vocabulary = {
        word: place
        for place, word in enumerate(["[PAD]", "[CLS]", "[SEP]", "[UNK]", *dict.fromkeys(WORDS)])
    }
    tokenizer = Tokenizer(models.WordLevel(vocabulary, "[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.add_special_tokens(["[PAD]", "[CLS]", "[SEP]", "[UNK]"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 1), ("[SEP]", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=64,
        initializer_range=0.1,
        pad_token_id=0,
    )
    BertModel(config).save_pretrained(folder)


def write_toy(file: Path, count: int, seed: int) -> None:
    """Records of two answers each."""
    chance = random.Random(seed)
    filler = [word for word in WORDS if word not in ("good", "bad")]

    def answer(word: str) -> str:
        words = chance.sample(filler, chance.randint(2, 8))
        words.insert(chance.randrange(len(words)), word)
        return " ".join(words)

    with file.open("w") as lines:
        for place in range(count):
            answers = [answer("good"), answer("bad")]
            winner = "a"
            if chance.random() < 0.5:
                answers.reverse()
                winner = "b"
            record = {
                "id": place,
                "instruction": " ".join(chance.sample(WORDS, 4)),
                "candidates": answers,
                "judgements": [{"a": 0, "b": 1, "winner": winner}],
            }
            lines.write(json.dumps(record) + "\n")


def toy_config(toy: Path, output: Path, **changes: Any) -> RankerConfig:
    """How to learn it, in seconds."""
    given: dict[str, Any] = {
        "start": str(toy / "encoder"),
        "output": output,
        "train": [toy / "train.jsonl"],
        "dev": [toy / "dev.jsonl"],
        "device": "cpu",
        "learning_rate": 4e-3,
        "batch_size": 16,
        "max_steps": 6,
        "eval_every": 3,
        "log_every": 1,
    }
    return RankerConfig(**given | changes)
