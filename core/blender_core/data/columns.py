"""Records as columns: parquet files and datasets of Hugging Face's library."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blender_core.errors import InputError, MissingExtraError, message_of
from blender_core.json_values import check_depth
from blender_core.validation import reason

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["dataset_rows", "datasets_library", "parquet_library", "parquet_rows"]
__all__ += ["saved_dataset", "table"]


def parquet_library() -> Any:
    """Pyarrow's module for parquet files.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        from pyarrow import parquet
    except ImportError:
        raise MissingExtraError("reading and writing parquet", "train") from None
    return parquet


def datasets_library() -> Any:
    """Hugging Face's ``datasets``.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import datasets
    except ImportError:
        raise MissingExtraError("a dataset of Hugging Face's library", "train") from None
    return datasets


def saved_dataset(path: Path) -> Iterable[Mapping[str, Any]]:
    """The rows of a dataset that was saved to a folder.

    Raises:
        InputError: there is none in it, or several.
        MissingExtraError: the library is not installed.
    """
    library = datasets_library()
    try:
        dataset = library.load_from_disk(str(path))
    except FileNotFoundError:
        raise InputError(f"{path}: a folder, but no dataset was saved to it") from None
    except Exception as error:  # the library raises all kinds for broken files
        raise InputError(f"{path}: not a usable dataset: {reason(error)}") from error
    try:
        return one_split(dataset)
    except InputError:
        names = ", ".join(str(path / name) for name in dataset)
        raise InputError(f"{path}: a dataset of several splits; give one of {names}") from None


def one_split(dataset: Any) -> Iterable[Mapping[str, Any]]:
    """A dataset's rows, those of its split where it is a dictionary of one.

    Raises:
        InputError: there are several splits, or none.
    """
    splits = list(dataset) if isinstance(dataset, Mapping) else []
    if isinstance(dataset, Mapping) and len(splits) != 1:
        names = ", ".join(map(repr, splits)) or "none"
        raise InputError(f"a dataset of several splits, {names}; give one of them")
    rows: Iterable[Mapping[str, Any]] = dataset[splits[0]] if splits else dataset
    return rows


def dataset_rows(dataset: Iterable[Mapping[str, Any]]) -> Iterator[tuple[int, Any]]:
    """Numbers, from 1, and JSON values of a dataset's rows; an `InputError` for what is none."""
    for number, row in enumerate(dataset, 1):
        try:
            check_depth(row)
        except InputError as error:
            yield number, error
        else:
            yield number, _without_nulls(row)


def parquet_rows(path: Path) -> Iterator[tuple[int, Any]]:
    """Numbers, from 1, and JSON values of a file's rows.

    Raises:
        InputError: it is no parquet file.
        MissingExtraError: pyarrow is not installed.
    """
    library = parquet_library()
    import pyarrow as pa

    try:
        with path.open("rb") as stream, library.ParquetFile(stream) as file:
            batches = (batch.to_pylist() for batch in file.iter_batches(batch_size=256))
            yield from dataset_rows(row for batch in batches for row in batch)
    except (pa.ArrowException, OSError, UnicodeError) as error:
        if isinstance(error, OSError) and error.filename is not None:
            raise  # about the file, not about what is in it
        raise InputError(f"{path}: not a usable parquet file: {reason(error)}") from None


def _without_nulls(value: Any) -> Any:
    """The value without keys that a column has only for the sake of other rows."""
    if isinstance(value, Mapping):
        return {key: _without_nulls(part) for key, part in value.items() if part is not None}
    if isinstance(value, list):
        return [_without_nulls(part) for part in value]
    return value


def table(values: Iterable[dict[str, Any]]) -> pa.Table:
    """JSON objects as columns: ids as texts where some are, ``cmp_results`` as text of JSON.

    Raises:
        InputError: a column cannot hold what they have.
        MissingExtraError: pyarrow is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError:
        raise MissingExtraError("reading and writing parquet", "train") from None
    rows = [_row(value) for value in values]
    if any(isinstance(row.get("id"), str) for row in rows):
        for row in rows:
            if "id" in row:
                row["id"] = str(row["id"])
    columns = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        try:
            columns[name] = pa.array([row.get(name) for row in rows])
        except (pa.ArrowException, UnicodeError, OverflowError) as error:
            reason = f"a column cannot hold what the records have as {name!r}: {message_of(error)}"
            raise InputError(reason) from None
    return pa.table(columns)


def _row(value: dict[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = _filled(value)
    if "cmp_results" in row:  # its keys would be columns
        row["cmp_results"] = json.dumps(row["cmp_results"], ensure_ascii=False)
    return row


def _filled(value: Any) -> Any:
    """The value without empty objects, for which parquet has no type."""
    if isinstance(value, dict):
        parts = {key: _filled(part) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part != {}}
    if isinstance(value, list):
        return [_filled(part) for part in value]
    return value
