"""A checkpoint's ``config.json`` as a transformers config: text models only, known keys only.

A config decides which of the library's classes run and what these fetch: some of them load a
backbone from a hub, a file by its path, or a kernel by its name. So a config is not searched for
what is dangerous. Only architectures listed here are read, and of their configs only the keys that
the architecture itself declares.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from blender_core.errors import CheckpointError, describe

__all__ = [
    "CAUSAL_ARCHITECTURES",
    "TEXT_ARCHITECTURES",
    "check_layers",
    "transformers_config",
]

_ENCODERS = (
    "albert", "bert", "big_bird", "camembert", "data2vec-text", "deberta", "deberta-v2",
    "distilbert", "electra", "ernie", "eurobert", "megatron-bert", "modernbert", "mpnet",
    "nomic_bert", "rembert", "roberta", "roberta-prelayernorm", "xlm-roberta", "xlm-roberta-xl",
)  # fmt: skip
_DECODERS = (
    "arcee", "bloom", "exaone4", "falcon", "gemma", "gemma2", "gemma3_text", "glm", "glm4", "gpt2",
    "gpt_neox", "granite", "helium", "llama", "ministral", "mistral", "modernbert-decoder",
    "nemotron", "olmo", "olmo2", "olmo3", "opt", "phi", "phi3", "qwen2", "qwen3", "seed_oss",
    "smollm3", "stablelm", "starcoder2",
)  # fmt: skip
_ENCODER_DECODERS = (
    "bart", "bigbird_pegasus", "blenderbot", "blenderbot-small", "led", "longt5", "m2m_100",
    "marian", "mbart", "mt5", "mvp", "pegasus", "pegasus_x", "plbart", "t5", "umt5",
)  # fmt: skip

TEXT_ARCHITECTURES = frozenset((*_ENCODERS, *_DECODERS, *_ENCODER_DECODERS))
"""The values of ``model_type`` that are read. None of them holds the config of another model."""

CAUSAL_ARCHITECTURES = frozenset(_DECODERS)
"""Those of them whose language models see nothing of what comes later."""

_ALSO_READ = {
    "attention_head_size", "classifier_dropout", "cls_dropout", "conv_act", "conv_groups",
    "conv_kernel_size", "decoder_start_token_id", "embedding_size", "global_attn_every_n_layers",
    "global_rope_theta", "head_dim", "local_rope_theta", "n_embed", "norm_rel_ebd", "num_labels",
    "partial_rotary_factor", "pooler_hidden_size", "position_buckets", "rope_local_base_freq",
    "rope_scaling", "rope_theta", "rotary_emb_base", "rotary_pct", "share_att_key",
    "sliding_window_pattern", "talking_head", "tie_word_embeddings",
}  # fmt: skip
"""Keys that some of these models read, or still understand, without declaring them."""

_LEFT_OUT = {"dtype", "is_encoder_decoder", "output_hidden_states", "return_dict"}
"""Declared, but the architecture's or the caller's to choose."""

_LABELS_AT_MOST = 10_000
_DEEPEST = 4


def transformers_config(content: Mapping[str, Any], where: Path) -> Any:
    """The config, with the keys that its architecture declares; all others are left out.

    Args:
        content: of the file.
        where: the checkpoint's folder, for messages.

    Raises:
        CheckpointError: the architecture is not one of `TEXT_ARCHITECTURES`, the installed
            transformers does not know it, or a value is unusable.
    """
    kind = _architecture(content, where)
    kept = {name: value for name, value in content.items() if name in _declared(kind)}
    _check_values(kind, kept, where)
    try:
        return kind(**kept)
    except Exception as error:  # every kind of config checks itself in its own way
        raise CheckpointError(
            f"{where / 'config.json'}: the config is unusable: {_in_one_line(error)}"
        ) from error


def check_layers(config: Any, names: Collection[str], where: Path) -> None:
    """Refuse a config of more layers than there are weights, before any layer is built.

    Args:
        config: the transformers config.
        names: of the checkpoint's weights; every layer has at least one.
        where: the checkpoint's folder, for messages.

    Raises:
        CheckpointError: it speaks of more.
    """
    for key, value in vars(config).items():
        if "layer" in key and isinstance(value, int) and value > len(names):
            raise CheckpointError(
                f"{where / 'config.json'}: {key!r} is {value}, but the checkpoint has "
                f"{len(names)} weights"
            )


def _architecture(content: Mapping[str, Any], where: Path) -> Any:
    """The class of the config."""
    name = content.get("model_type")
    if not isinstance(name, str) or name not in TEXT_ARCHITECTURES:
        raise CheckpointError(
            f"{where / 'config.json'}: 'model_type' is {name!r:.80}, none of the text models that "
            "are read (TEXT_ARCHITECTURES in blender_core.models.configs)"
        )
    from blender_core.models.transformers_parts import CONFIG_MAPPING, __version__

    if name not in CONFIG_MAPPING:
        raise CheckpointError(
            f"{where / 'config.json'}: transformers {__version__} does not know the model_type "
            f"{name!r}; a newer version may"
        )
    return CONFIG_MAPPING[name]


def _declared(kind: Any) -> set[str]:
    names = {field.name for field in fields(kind)} | set(kind.attribute_map) | _ALSO_READ
    return names - _LEFT_OUT


def _check_values(kind: Any, kept: Mapping[str, Any], where: Path) -> None:
    switches = {field.name for field in fields(kind) if isinstance(field.default, bool)}
    file = where / "config.json"
    labels = kept.get("num_labels")
    if labels is not None and (type(labels) is not int or not 0 <= labels <= _LABELS_AT_MOST):
        raise CheckpointError(
            f"{file}: 'num_labels' is {labels!r:.80}, expected at most {_LABELS_AT_MOST}"
        )
    for name, value in kept.items():
        if name in switches and not isinstance(value, bool | None):
            raise CheckpointError(f"{file}: {name!r} is {value!r:.80}, expected true or false")
        if name.endswith("_token_id") and type(value) is int and value < 0:
            raise CheckpointError(f"{file}: {name!r} is {value}, expected an id from 0 on")
        if not _is_shallow(value, _DEEPEST):
            raise CheckpointError(f"{file}: {name!r} is nested more than {_DEEPEST} levels deep")


def _is_shallow(value: Any, levels: int) -> bool:
    if isinstance(value, Mapping):
        value = list(value.values())
    if not isinstance(value, list):
        return True
    return levels > 0 and all(_is_shallow(inner, levels - 1) for inner in value)


def _in_one_line(error: Exception) -> str:
    return " ".join(describe(error).split())
