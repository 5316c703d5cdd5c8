"""The log of a training: one JSON file with every figure, the data's hashes and the config."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pydantic import BaseModel, StrictStr

from blender_core._version import __version__
from blender_core.errors import CheckpointError, InputError
from blender_core.models.files import read_json
from blender_core.training.config import TrainingConfig
from blender_core.validation import brief, held_to
from blender_core.writing import whole_file

__all__ = ["LOG_NAME", "TrainingLog", "hash_of"]

LOG_NAME = "training.json"
_MAY_CHANGE = {"output", "keep_checkpoints", "device", "workers"}
"""Of a config, from an interrupted run to its resumption."""


class _File(BaseModel):
    sha256: StrictStr


class _Data(BaseModel):
    train: list[_File]
    dev: list[_File]


class _Earlier(BaseModel):
    """What is read of the log of an earlier run."""

    config: dict[str, Any]
    data: _Data
    result: Any = None


class TrainingLog:
    """What is written beside the checkpoints.

    Args:
        config: of the training.
        kind: ``ranker`` or ``fuser``.
    """

    def __init__(self, config: TrainingConfig, kind: str) -> None:
        self.file = config.output / LOG_NAME
        self.content: dict[str, Any] = {
            "kind": kind,
            "config": config.model_dump(mode="json"),
            "versions": {
                "blended-llm": __version__,
                "python": platform.python_version(),
                **{name: version(name) for name in ("torch", "transformers", "accelerate")},
            },
            "data": {
                name: [{"file": str(file), "sha256": hash_of(file)} for file in files]
                for name, files in (("train", config.train), ("dev", config.dev))
            },
            "examples": {},
            "history": [],
            "result": None,
        }

    def check_resumable(self) -> None:
        """Compare with the log of the run to go on with.

        Raises:
            InputError: that run is finished, or had other settings or data.
            CheckpointError: its log is missing or broken.
        """
        before = held_to(_Earlier, read_json(self.file), self.file)
        if before.result is not None:
            raise InputError(
                f"{self.file.parent}: this training is finished; its model is in "
                f"{self.file.parent / 'model'}. For another one give another 'output'"
            )
        now, then = self.content["config"], before.config
        changed = sorted(
            key
            for key in now.keys() | then.keys()
            if key not in _MAY_CHANGE and now.get(key) != then.get(key)
        )
        if changed:
            what = ", ".join(f"{key!r} was {brief(then.get(key))}" for key in changed)
            raise InputError(
                f"{self.file.parent}: a training goes on with the config it began with; {what}"
            )
        for name, files in self.content["data"].items():
            known = [one.sha256 for one in getattr(before.data, name)]
            if len(known) != len(files):
                raise CheckpointError(
                    f"{self.file}: 'data.{name}' has {len(known)} files, the config {len(files)}"
                )
            for file, sha256 in zip(files, known, strict=True):
                if file["sha256"] != sha256:
                    raise InputError(
                        f"{file['file']} has changed since the training in {self.file.parent} began"
                    )

    def write(self, history: Sequence[dict[str, Any]]) -> None:
        """Write the file, whole or not at all.

        Args:
            history: figures so far, a dict each with its step.
        """
        self.content["history"] = list(history)
        text = json.dumps(self.content, indent=2, ensure_ascii=False, default=str)
        with whole_file(self.file) as file:
            file.write(f"{text}\n".encode("utf-8", "backslashreplace"))


def hash_of(file: Path) -> str:
    """SHA-256 of a file's bytes, or of those of all files in a folder, in hexadecimal."""
    files = sorted(part for part in file.rglob("*") if part.is_file()) if file.is_dir() else [file]
    digest = hashlib.sha256()
    for part in files:
        with part.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
