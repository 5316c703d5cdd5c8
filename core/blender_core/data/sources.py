"""From what a user names to rows: files, patterns, folders of shards, saved datasets."""

from __future__ import annotations

import glob
import gzip
import re
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from blender_core.data.columns import dataset_rows, parquet_rows, saved_dataset
from blender_core.data.lines import not_blank
from blender_core.errors import InputError, message_of
from blender_core.git_lfs import POINTER, is_pointer
from blender_core.json_values import parsed

__all__ = ["Rows", "files_of", "kind_of", "read_rows", "rows_of", "suffix_of"]

Rows = Iterable[tuple[int, Any]]
"""Numbers, from 1, and JSON values; an `InputError` for what is no JSON value."""

_LINES = (".jsonl", ".ndjson", ".json")
_SAVED = ("state.json", "dataset_info.json", "dataset_dict.json")
_ABOUT = {"dataset_infos.json", *_SAVED}
_SHARD = re.compile(r"[-_.]\d+(?:-of-\d+)?\.")
"""What ends the name of a shard's split."""

_SPLITS = {"train", "dev", "test", "validation", "valid", "eval"}
_BOM = b"\xef\xbb\xbf"
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")


def kind_of(path: str | Path) -> str | None:
    """``jsonl``, ``gz`` or ``parquet``, by the end of the name, in any case; None for others."""
    match [suffix.lower() for suffix in Path(path).suffixes]:
        case [*_, suffix] if suffix in _LINES:
            return "jsonl"
        case [*_, suffix, ".gz"] if suffix in _LINES:
            return "gz"
        case [*_, ".parquet"]:
            return "parquet"
    return None


def suffix_of(path: str | Path) -> str:
    """``.jsonl``, ``.jsonl.gz`` or ``.parquet``: for files of the same kind as that one.

    Raises:
        InputError: it is of another kind.
    """
    if not Path(path).is_file() and (Path(path).is_dir() or glob.has_magic(str(path))):
        return ".jsonl"
    return {"jsonl": ".jsonl", "gz": ".jsonl.gz", "parquet": ".parquet"}[_known_kind(Path(path))]


def files_of(path: str | Path) -> list[Path]:
    """What a path means: a file, a saved dataset's folder, or many files in their order.

    Args:
        path: of a file or a folder, or a pattern with ``*``, ``?`` or ``[…]``; ``~`` is one's
            home. A folder is a dataset saved by Hugging Face's library, or holds shards, also in
            folders of its own.

    Raises:
        InputError: the folder or the pattern holds no file of records, or several splits.
    """
    named = Path(path).expanduser()
    if named.is_dir():
        if any((named / name).is_file() for name in _SAVED):
            return [named]
        inside = [file for file in named.rglob("*") if not _is_hidden(file.relative_to(named))]
        return _shards(named, inside)
    if not named.exists() and glob.has_magic(str(named)):
        return _shards(named, _matching(str(named)))
    return [named]


def read_rows(path: str | Path) -> Rows:
    """The JSON values in all that a path means (see `files_of`), numbered throughout.

    Raises:
        InputError: as of `files_of` and `rows_of`.
        MissingExtraError: it takes a library that is not installed.
    """
    match files_of(path):
        case [file]:
            return rows_of(file)
        case files:
            return enumerate((value for file in files for _, value in rows_of(file)), 1)


def rows_of(file: Path) -> Rows:
    """The JSON values in one file, or in the folder of a saved dataset.

    Raises:
        InputError: it is of another kind, or wrong as a whole.
        MissingExtraError: it takes a library that is not installed.
    """
    if file.is_dir():
        return dataset_rows(saved_dataset(file))
    kind = _known_kind(file)
    if is_pointer(file):
        raise InputError(f"{file}: {POINTER}")
    return parquet_rows(file) if kind == "parquet" else _json_rows(file, zipped=kind == "gz")


def _known_kind(path: Path) -> str:
    kind = kind_of(path)
    if kind is None:
        raise InputError(f"{path}: not a file name with .jsonl, .jsonl.gz or .parquet at its end")
    return kind


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _matching(pattern: str) -> Iterator[Path]:
    return map(Path, glob.glob(pattern, recursive=True))  # noqa: PTH207 - from any folder


def _shards(named: Path, found: Iterable[Path]) -> list[Path]:
    """Those of some files that are parts of one set of records."""
    files = sorted(file for file in found if file.is_file() and file.name not in _ABOUT)
    by_kind = {
        kind: [f for f in files if kind_of(f) == kind] for kind in ("parquet", "gz", "jsonl")
    }
    parts = next((files for files in by_kind.values() if files), [])
    if not parts:
        what = (
            "a folder, but no dataset was saved to it" if named.is_dir() else "no file is so named"
        )
        raise InputError(f"{named}: {what}, and there is none of .jsonl, .jsonl.gz or .parquet")
    splits = {split for file in parts if (split := _split(file, named)) is not None}
    if len(splits) > 1:
        one = min(splits)
        raise InputError(
            f"{named}: several splits, {', '.join(sorted(splits))}; give the files of one, for "
            f"example '{parts[0].parent}/{one}*'"
        )
    return parts


def _split(file: Path, named: Path) -> str | None:
    """The split that a file's name, or its folder's below the one that was named, tells."""
    shard = _SHARD.search(file.name, 1)
    told = file.name[: shard.start()] if shard else file.name.partition(".")[0]
    inner = file.parent.name if file.parent != named else ""
    return next((name for name in (told.lower(), inner.lower()) if name in _SPLITS), None)


def _json_rows(path: Path, *, zipped: bool) -> Iterator[tuple[int, Any]]:
    number = 0
    with path.open("rb") as file:
        lines = gzip.GzipFile(fileobj=file) if zipped else file
        try:
            beginning = lines.peek(64)[:64].removeprefix(_BOM).lstrip(b" ")
            if beginning.startswith(_UTF_16):
                raise InputError(f"{path}: in UTF-16; save it as UTF-8")
            if beginning.startswith((b"[", b"{\n", b"{\r\n")):
                whole = _parsed(lines.read())
                if isinstance(whole, list):
                    yield from enumerate(whole, 1)
                    return
                if not isinstance(whole, InputError):
                    raise InputError(
                        f"{path}: one JSON object over several lines; what is read is one record "
                        "a line, or an array of records"
                    )
                lines.seek(0)
            for number, line in not_blank(lines):
                yield number, _parsed(line)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            yield number + 1, InputError(f"the rest cannot be unzipped: {message_of(error)}")


def _parsed(content: bytes) -> Any:
    try:
        return parsed(content.removeprefix(_BOM))
    except InputError as error:
        return error
