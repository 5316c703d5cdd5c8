"""What has been computed, kept in a SQLite file, so that no interruption costs it.

A row is a result: who found it, what it is about, and its value as JSON. What was computed together
is written together, whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from blender_core.data.lines import as_line
from blender_core.errors import InputError, NotSavedError, message_of, reason
from blender_core.json_values import parsed
from blender_core.progress import progress_bar
from blender_core.together import together
from blender_core.writing import check_target

__all__ = ["Found", "Store", "key_of", "state_of"]

Item = TypeVar("Item")
Value = TypeVar("Value")

_TABLE = (
    "CREATE TABLE results (place INTEGER PRIMARY KEY, worker TEXT, about TEXT, value BLOB, "
    "UNIQUE (worker, about))"
)


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


@dataclass(frozen=True, slots=True, eq=False)
class Found(Generic[Value]):
    """What a worker found.

    Attributes:
        values: one an item, None where the worker failed.
        notes: what a reader must know of that.
    """

    values: Sequence[Value | None]
    notes: Sequence[str]


class Store:
    """Results by worker and by what they are about.

    Args:
        path: of the file; None keeps results in memory only.
        resume: whether to take over what is there.
        force: whether to overwrite what is there.

    Raises:
        InputError: the file exists and neither is asked for, or it is no such file.
        NotSavedError: the file cannot be made.
    """

    def __init__(
        self, path: Path | None = None, *, resume: bool = False, force: bool = False
    ) -> None:
        self.path = path
        if path is not None:
            check_target(
                path,
                overwrite=resume or force,
                streams=False,
                advice="if it is of an earlier evaluation that was not finished, --resume goes on "
                "with it; --force starts afresh",
            )
        if path is not None and resume and path.exists() and path.stat().st_size:
            self._file = _opened(path)
        else:
            self._file = _made(path)
        row = self._file.execute("SELECT count(*), coalesce(max(place), 0) FROM results").fetchone()
        self.found: int = row[0]
        """How many results were taken over."""
        self._last: int = row[1]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def all(
        self,
        by: str,
        title: str,
        items: Sequence[tuple[str, Item]],
        compute: Callable[[Sequence[Item]], Iterable[Any]],
        check: Callable[[Item, Any], object],
        window: int = 64,
    ) -> Found[Any]:
        """A worker's results for all items, those that are not known computed window by window.

        Where a window fails, its items are tried one by one, so a failure costs one result.

        Args:
            by: the worker's name, the same for the same settings.
            title: what people call it.
            items: a key and what the worker is given.
            compute: from items to one value of JSON each.
            check: raises `InputError` for a value of an earlier run that no worker of this kind
                finds for the item.
            window: items computed together, and lost together if the machine stops.

        Raises:
            ImportError: something is not installed.
            InputError: the file has a value that is none of this worker's.
            NotSavedError: the file cannot be written.
        """
        known = {key: self._known(by, key, item, check) for key, item in items}
        todo = {key: item for key, item in items if known[key] is None}
        failures: list[str] = []
        keys = list(todo)
        with progress_bar(total=len(items), unit="record", title=title) as bar:
            bar.update(len(items) - len(todo))
            for start in range(0, len(keys), window):
                part = keys[start : start + window]
                found = {}
                values = together([todo[key] for key in part], compute, fatal=(ImportError,))
                for key, value in zip(part, values, strict=True):
                    if isinstance(value, Exception):
                        failures.append(reason(value))
                    else:
                        found[key] = as_line(value)
                self._write(by, found)
                known |= {key: parsed(line) for key, line in found.items()}
                bar.update(len(part))
        notes = []
        if failures:
            lost = f"failed on {len(failures)} of {len(items)} records, the first time with: "
            notes.append(f"{title}: {lost}{failures[0]}")
        return Found([known[key] for key, _ in items], notes)

    def _known(self, by: str, key: str, item: Item, check: Callable[[Item, Any], object]) -> Any:
        """The value that is there, None where there is none; that of an earlier run is checked."""
        row = self._file.execute(
            "SELECT place, value FROM results WHERE worker = ? AND about = ?", (ascii(by), key)
        ).fetchone()
        if row is None:
            return None
        place, line = row
        try:
            value = parsed(line)
            if place <= self._last:
                check(item, value)
        except InputError as error:
            raise InputError(
                f"{self.path}: what it has of {by!r} about {key!r} is unusable: {error}; "
                "--force starts afresh"
            ) from None
        return value

    def _write(self, by: str, found: dict[str, bytes]) -> None:
        rows = [(ascii(by), key, line) for key, line in found.items()]
        try:
            with self._file:
                self._file.executemany(
                    "INSERT OR REPLACE INTO results (worker, about, value) VALUES (?, ?, ?)", rows
                )
        except sqlite3.Error as error:
            raise NotSavedError(f"{self.path} cannot be written: {error}") from None


def _made(path: Path | None) -> sqlite3.Connection:
    """A new file, in place of what is there; without a path, one in memory."""
    if path is None:
        file = sqlite3.connect(":memory:")
        file.execute(_TABLE)
        return file
    try:
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}-journal").unlink(missing_ok=True)  # of a run that was killed
        file = sqlite3.connect(path)
        file.execute(_TABLE)
    except sqlite3.Error as error:
        raise NotSavedError(f"{path} cannot be written: {error}") from None
    return file


def _opened(path: Path) -> sqlite3.Connection:
    """The file of an earlier run, which has our table, sound, and nothing else."""
    try:
        file = sqlite3.connect(path)
        try:
            _check(file)
        except BaseException:
            file.close()
            raise
    except (InputError, UnicodeDecodeError, sqlite3.Error) as error:
        raise InputError(
            f"{path} is no file of an earlier evaluation, or damaged: {message_of(error)}; "
            "--force overwrites it"
        ) from None
    return file


def _check(file: sqlite3.Connection) -> None:
    made_by = file.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL").fetchall()
    if made_by != [(_TABLE,)]:
        raise InputError("it has not the table of one")
    [[state], *_] = file.execute("PRAGMA integrity_check(1)")
    if state != "ok":
        raise InputError(state)
    if file.execute("SELECT 1 FROM results WHERE typeof(value) != 'blob'").fetchone():
        raise InputError("a value is no JSON")
    file.execute("BEGIN IMMEDIATE")  # it can be written
    file.rollback()
