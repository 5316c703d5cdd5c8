"""The log of a training: one JSON file with every figure, the data's hashes and the config."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from blender_core._version import __version__
from blender_core.comparison.checkpoints.files import read_json
from blender_core.errors import InputError
from blender_core.training.config import TrainingConfig

__all__ = ["LOG_NAME", "TrainingLog", "hash_of"]

LOG_NAME = "training.json"
_MAY_CHANGE = {"output", "keep_checkpoints", "device", "workers"}
"""Of a config, from an interrupted run to its resumption."""


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
        before = read_json(self.file)
        if before.get("result") is not None:
            raise InputError(
                f"{self.file.parent}: this training is finished; its model is in "
                f"{self.file.parent / 'model'}. For another one give another 'output'"
            )
        now, then = self.content["config"], before.get("config", {})
        changed = sorted(
            key
            for key in now.keys() | then.keys()
            if key not in _MAY_CHANGE and now.get(key) != then.get(key)
        )
        if changed:
            what = ", ".join(f"{key!r} was {then.get(key)!r}" for key in changed)
            raise InputError(
                f"{self.file.parent}: a training goes on with the config it began with; {what}"
            )
        for name, files in self.content["data"].items():
            for file, known in zip(files, before["data"][name], strict=True):
                if file["sha256"] != known["sha256"]:
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
        unfinished = self.file.with_name(f".{self.file.name}.unfinished")
        try:
            unfinished.write_text(text + "\n", encoding="utf-8")
            unfinished.replace(self.file)
        except OSError:
            unfinished.unlink(missing_ok=True)
            raise


def hash_of(file: Path) -> str:
    """SHA-256 of a file's bytes, or of those of all files in a folder, in hexadecimal."""
    files = sorted(part for part in file.rglob("*") if part.is_file()) if file.is_dir() else [file]
    digest = hashlib.sha256()
    for part in files:
        with part.open("rb") as stream:
            while chunk := stream.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
