"""What has been computed, kept on disk while it is computed, so that no interruption costs it.

One JSON line a result, written after each window of records: ``{"by": worker, "of": key,
"value": ...}``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from pydantic import BaseModel, ConfigDict, StrictStr, ValidationError

from blender_core.data.earlier_lines import EarlierLines
from blender_core.data.lines import as_line
from blender_core.errors import BlenderError, InputError, describe, message_of
from blender_core.validation import sentences
from blender_core.writing import check_target

__all__ = ["Failures", "Store", "key_of", "state_of"]

Item = TypeVar("Item")


class _Line(BaseModel):
    """A line of the file."""

    model_config = ConfigDict(extra="forbid")

    by: StrictStr
    of: StrictStr
    value: Any


Failures = list[str]
"""What went wrong with single records, in words."""


def key_of(*parts: Any) -> str:
    """A short name for values of JSON: equal values have equal names."""
    text = json.dumps(parts, ensure_ascii=True, sort_keys=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:24]


def state_of(checkpoint: str) -> list[tuple[str, int, int]]:
    """Names, sizes and times of a folder's files: results of an older one are not this one's."""
    folder = Path(checkpoint).expanduser()
    if not folder.is_dir():
        return []
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return [(path.name, (state := path.stat()).st_size, state.st_mtime_ns) for path in files]


class Store:
    """Results by worker and by what they are about.

    Args:
        path: of the file; None keeps results in memory only.
        resume: whether to take over what is there.
        force: whether to overwrite what is there.

    Raises:
        InputError: the file exists and neither is asked for, or it is no such file.
        OSError: the file cannot be used.
    """

    def __init__(
        self, path: Path | None = None, *, resume: bool = False, force: bool = False
    ) -> None:
        self.path = path
        self.found = 0
        """How many results were taken over."""
        self._known: dict[tuple[str, str], Any] = {}
        self._unchecked: set[tuple[str, str]] = set()
        self._stream: BinaryIO | None = None
        if path is None:
            return
        check_target(
            path,
            overwrite=resume or force,
            streams=False,
            advice="if it is of an earlier evaluation that was not finished, --resume goes on with "
            "it; --force starts afresh",
        )
        end = self._read(path) if resume and path.exists() else 0
        self._stream = path.open("ab" if resume else "wb")
        if self._stream.tell() > end:
            self._stream.truncate(end)  # a line that was not finished

    def close(self) -> None:
        """Close the file; what was computed stays known."""
        if self._stream is not None:
            self._stream.close()
            self._stream = None

    def _read(self, path: Path) -> int:
        """Take over what is there; returns where the last whole line ends, in bytes."""
        lines = EarlierLines(path, b'{"by": ', frozenset(_Line.model_fields))
        for number, value in lines:
            try:
                told = _Line.model_validate(value)
            except ValidationError as error:
                raise InputError(
                    f"{path}: line {number} is no result of an evaluation: {sentences(error)}; "
                    "--force overwrites the file"
                ) from None
            self._known[told.by, told.of] = told.value
        self._unchecked = set(self._known)
        self.found = len(self._known)
        return lines.end

    def all(
        self,
        by: str,
        items: Sequence[tuple[str, Item]],
        compute: Callable[[Sequence[Item]], Iterable[Any]],
        *,
        check: Callable[[Item, Any], object] | None = None,
        window: int = 64,
        failures: Failures | None = None,
        progress: Callable[[int], object] = lambda _: None,
    ) -> list[Any]:
        """A worker's results for all items, those that are not known computed window by window.

        Where a window fails, its items are tried one by one, so a failure costs one result.

        Args:
            by: the worker's name, the same for the same settings.
            items: a key and what the worker is given.
            compute: from items to one value of JSON each.
            check: raises `InputError` for a value, read from the file, that no worker of this
                kind finds for the item.
            window: items computed together, and lost together if the machine stops.
            failures: is told what went wrong.
            progress: is told how many more items are done.

        Returns:
            One value an item, None where the worker failed.

        Raises:
            ImportError: something is not installed.
            InputError: the file has a value that is none of this worker's.
            OSError: the file cannot be written.
        """
        for key, item in items:
            if check is not None and (by, key) in self._unchecked:
                self._check(by, key, partial(check, item))
        todo = {key: item for key, item in items if (by, key) not in self._known}
        progress(len(items) - len(todo))
        keys = list(todo)
        for start in range(0, len(keys), window):
            part = keys[start : start + window]
            for key, value in self._computed(part, todo, compute, failures):
                self._known[by, key] = value
                if self._stream is not None:
                    self._stream.write(as_line({"by": by, "of": key, "value": value}))
            if self._stream is not None:
                self._stream.flush()
            progress(len(part))
        return [self._known.get((by, key)) for key, _ in items]

    def _check(self, by: str, key: str, check: Callable[[Any], object]) -> None:
        try:
            check(self._known[by, key])
        except InputError as error:
            raise InputError(
                f'{self.path}: what it has of {by!r} ("of": {key!r}) is unusable: {error}; '
                "--force starts afresh"
            ) from None
        self._unchecked.discard((by, key))

    def _computed(
        self,
        keys: Sequence[str],
        items: dict[str, Item],
        compute: Callable[[Sequence[Item]], Iterable[Any]],
        failures: Failures | None,
    ) -> list[tuple[str, Any]]:
        try:
            values = list(compute([items[key] for key in keys]))
        except ImportError:
            raise  # something is not installed: no record can do without it
        except Exception as error:  # noqa: BLE001  (a model's failure costs what it is about)
            if len(keys) == 1:
                if failures is not None:
                    known = isinstance(error, BlenderError)
                    failures.append(message_of(error) if known else describe(error))
                return []
        else:
            return list(zip(keys, values, strict=True))
        return [pair for key in keys for pair in self._computed([key], items, compute, failures)]
