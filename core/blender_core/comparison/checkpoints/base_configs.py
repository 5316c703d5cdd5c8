"""Configs of encoders that published rankers name as their base.

A ranker's own file overwrites every weight of its base model, so all that is needed of it is the
shape. With the shape known here, ``llm-blender/PairRM`` loads from its folder alone.
"""

from __future__ import annotations

from typing import Any

__all__ = ["BASE_CONFIGS"]

BASE_CONFIGS: dict[str, dict[str, Any]] = {
    "microsoft/deberta-v3-large": {
        "model_type": "deberta-v2",
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": 1024,
        "initializer_range": 0.02,
        "intermediate_size": 4096,
        "layer_norm_eps": 1e-07,
        "max_position_embeddings": 512,
        "max_relative_positions": -1,
        "norm_rel_ebd": "layer_norm",
        "num_attention_heads": 16,
        "num_hidden_layers": 24,
        "pos_att_type": ["p2c", "c2p"],
        "position_biased_input": False,
        "position_buckets": 256,
        "relative_attention": True,
        "share_att_key": True,
        "type_vocab_size": 0,
        "vocab_size": 128100,
    },
}
