"""An encoder as its config describes it, to be filled from a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from blender_core.comparison.checkpoints.configs import transformers_config
from blender_core.errors import CheckpointError, message_of

__all__ = ["empty_encoder"]


def empty_encoder(content: Mapping[str, Any], where: Path) -> Any:
    """The encoder, float32 on the CPU, with weights that mean nothing yet.

    Args:
        content: of its ``config.json``.
        where: the checkpoint's folder, for messages.

    Raises:
        CheckpointError: transformers does not know the model, or a value is unusable.
    """
    from transformers import AutoModel

    config = transformers_config(content, where)
    try:
        with _no_init_weights():
            encoder = AutoModel.from_config(config)
        encoder.tie_weights()
    except Exception as error:  # every kind of model fails in its own way
        raise CheckpointError(
            f"{where}: the encoder's config is unusable: {message_of(error)}"
        ) from error
    return encoder.float()


def _no_init_weights() -> AbstractContextManager[None]:
    """Skip drawing random weights (seconds for a large model) that a checkpoint overwrites."""
    try:
        from transformers.initialization import no_init_weights
    except ImportError:  # transformers 4
        from transformers.modeling_utils import no_init_weights
    context: AbstractContextManager[None] = no_init_weights()
    return context
