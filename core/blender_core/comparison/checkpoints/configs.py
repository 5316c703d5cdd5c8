"""A checkpoint's ``config.json`` as a transformers config that brings no code with it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from blender_core.errors import CheckpointError, first_line

__all__ = ["keys_that_choose_code", "transformers_config"]

_NAME_CODE = {
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_internal",
    "auto_map",
    "experts_implementation",
    "quantization_config",
}
"""Keys by which a config can have transformers fetch or run something else than its own models."""


def transformers_config(content: Mapping[str, Any], where: Path) -> Any:
    """The config, without what would choose code to run.

    Args:
        content: of the file.
        where: the checkpoint's folder, for messages.

    Raises:
        CheckpointError: transformers does not know the model, or a value is unusable.
    """
    from transformers import CONFIG_MAPPING, AutoConfig, __version__

    kind = content.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise CheckpointError(
            f"{where}: the config is of no known model: transformers {__version__} does not know "
            f"the model_type {kind!r}"
        )
    try:
        return AutoConfig.for_model(**_harmless(content))
    except Exception as error:  # every kind of config checks itself in its own way
        reason = first_line(error)
        raise CheckpointError(f"{where}: the config is unusable: {reason}") from error


def keys_that_choose_code(content: Any) -> set[str]:
    """The keys, at any depth, that `transformers_config` would leave out.

    For those who hand the folder to another library, which reads the file itself.
    """
    if not isinstance(content, Mapping):
        return set()
    inner = set().union(*map(keys_that_choose_code, content.values()))
    return inner | (_NAME_CODE & content.keys())


def _harmless(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _harmless(inner) for name, inner in value.items() if name not in _NAME_CODE}
    return value
