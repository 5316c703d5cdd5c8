"""Real, tiny checkpoints in the published layouts."""

from __future__ import annotations

import pytest
import torch
from golden_data import CHECKPOINTS

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
