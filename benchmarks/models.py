"""Random weights in the shape of DeBERTa-v3-large, and texts of a given length."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import DebertaV2Config, DebertaV2Model

from blender_core.comparison.checkpoints.base_configs import BASE_CONFIGS
from blender_core.comparison.cross_encoder import CrossEncoder
from blender_core.comparison.encoding import Limits, Markers
from blender_core.comparison.pair_model import PairModel
from blender_core.models.tokenizer import TextTokenizer

GOLDEN = Path(__file__).parents[1] / "tests" / "data" / "golden"
TOKENIZER = GOLDEN / "checkpoints" / "tiny-PairRM" / "tokenizer.json"
VOCABULARY = 2005


def cross_encoder(layers: int = 6, device: str | None = "cpu") -> CrossEncoder:
    """A cross-encoder as wide as PairRM with so many of its 24 layers."""
    torch.manual_seed(0)
    shape = {
        k: v for k, v in BASE_CONFIGS["microsoft/deberta-v3-large"].items() if k != "model_type"
    }
    config = DebertaV2Config(**{**shape, "num_hidden_layers": layers, "vocab_size": VOCABULARY})
    model = PairModel(DebertaV2Model(config))
    tokenizer = TextTokenizer.from_file(TOKENIZER, tuple(Markers()))
    return CrossEncoder(
        model,
        tokenizer,
        Limits(1224, 412),
        device=device,
        dtype="float32" if device == "cpu" else None,
    )


def text(tokens: int, seed: int) -> str:
    """A text of about so many tokens."""
    rng = random.Random(seed)
    words = ["the", "of", "and", "to", "in", "is", "that", "work", "you", "this", "may", "any"]
    return " ".join(rng.choice(words) for _ in range(tokens))


def seconds(work: Callable[[], object], repeats: int = 5) -> float:
    """Shortest of several runs."""
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        best = min(best, time.perf_counter() - start)
    return best


def peak_flops() -> float:
    """Floating-point operations a second of a big float32 matrix product, right now."""
    left, right = torch.randn(2048, 1024), torch.randn(1024, 4096)
    return 2 * 2048 * 1024 * 4096 / seconds(lambda: left @ right)


def encoder_flops(lengths: list[int], layers: int, hidden: int = 1024) -> float:
    """Operations of the dense layers and of content attention for rows of these lengths.

    Relative positions and the trimmed last layer are left out on both sides: the first are
    overhead of the architecture, the second is work we found not to be needed.
    """
    dense = sum(lengths) * 24 * hidden * hidden
    attention = sum(4 * length * length * hidden for length in lengths)
    unneeded = sum(lengths) * 20 * hidden * hidden + attention
    return (dense + attention) * layers - unneeded
