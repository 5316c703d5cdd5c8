"""Real, tiny checkpoints in the published layouts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from golden_data import CHECKPOINTS
from toy import write_toy, write_toy_encoder

from blender_core.comparison.cross_encoder import CrossEncoder

# Tiny models: more threads only wait for one another.
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def pairrm() -> CrossEncoder:
    """llm-blender/PairRM's layout, in float64: see test_golden for why."""
    return CrossEncoder.from_pretrained(
        CHECKPOINTS / "tiny-PairRM",
        base_model=CHECKPOINTS / "tiny-deberta-v3-base",
        dtype="float64",
    )


@pytest.fixture(scope="session")
def pairrm_hf() -> CrossEncoder:
    """llm-blender/PairRM-hf's layout, in float64."""
    return CrossEncoder.from_pretrained(CHECKPOINTS / "tiny-PairRM-hf", dtype="float64")


@pytest.fixture(scope="session")
def pairrm_float32() -> CrossEncoder:
    return CrossEncoder.from_pretrained(CHECKPOINTS / "tiny-PairRM-hf", dtype="float32")


@pytest.fixture(scope="session")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an encoder nobody has trained, and records to train and to measure on."""
    root = tmp_path_factory.mktemp("toy")
    write_toy_encoder(root / "encoder")
    write_toy(root / "train.jsonl", 400, seed=0)
    write_toy(root / "dev.jsonl", 60, seed=1)
    return root
