"""Going on from a checkpoint: which one, and what its files must hold."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, Strict, StrictBool, StrictFloat, StrictInt
from transformers.trainer_callback import TrainerState
from transformers.trainer_utils import get_last_checkpoint

from blender_core.errors import BlenderError, CheckpointError, InputError, message_of
from blender_core.models.files import read_json
from blender_core.training.config import TrainingConfig
from blender_core.validation import held_to, reason

__all__ = ["MODEL_NAME", "STATE_NAME", "folder_to_resume", "loading"]

MODEL_NAME = "model"
"""Folder of the finished model, in the output folder."""

STATE_NAME = "trainer_state.json"

Step = Annotated[int, Strict(), Field(ge=0, lt=2**31)]
Number = Annotated[float, Strict()]
Setting = StrictBool | StrictInt | StrictFloat | None


class _Callback(BaseModel):
    args: dict[str, Setting] = {}
    attributes: dict[str, Setting] = {}


class _Figures(BaseModel):
    step: Step


class _State(BaseModel):
    """Of the trainer's state what steers a training that goes on."""

    model_config = ConfigDict(allow_inf_nan=False)

    global_step: Step
    epoch: Annotated[Number, Field(ge=0)] | None = None
    max_steps: Step = 0
    train_batch_size: Step | None = None
    total_flos: Number = 0.0
    num_input_tokens_seen: Annotated[int, Strict()] = 0
    best_metric: Number | None = None
    best_global_step: Step | None = None
    best_model_checkpoint: str | None = None
    log_history: list[_Figures] = []
    stateful_callbacks: dict[str, _Callback | list[_Callback]] = {}


def folder_to_resume(config: TrainingConfig, *, resume: bool) -> str | None:
    """The checkpoint to go on from; None for a fresh start.

    Raises:
        InputError: there is nothing to resume, or something that a fresh start would overwrite.
        CheckpointError: the state in the checkpoint is broken.
    """
    folder = config.output
    last = get_last_checkpoint(str(folder)) if folder.is_dir() else None
    if resume:
        if last is None:
            raise InputError(f"{folder}: no checkpoint to resume from")
        state = Path(last) / STATE_NAME
        held_to(_State, read_json(state), state)
        with loading(last):
            TrainerState.load_from_json(str(state))
        return str(last)
    if last is not None or (folder / MODEL_NAME).exists():
        raise InputError(
            f"{folder}: holds an earlier training; go on with it (--resume), or give another "
            "'output'"
        )
    return None


@contextmanager
def loading(folder: str | None) -> Iterator[None]:
    """While the trainer loads what it saved: whatever fails is a broken checkpoint.

    Args:
        folder: of the checkpoint.

    Raises:
        CheckpointError: it is.
    """
    try:
        yield
    except BlenderError:
        raise
    except Exception as error:  # torch and transformers raise all kinds for broken files
        # Torch's words on broken pickles tell how to load what holds code: not passed on.
        why = "a file is broken" if "weights_only" in message_of(error) else reason(error)
        raise CheckpointError(
            f"{folder}: cannot be gone on from: {why}. Remove this folder to go on from an "
            "earlier checkpoint"
        ) from error
