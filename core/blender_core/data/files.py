"""Files of records: JSON lines, also gzipped, parquet, and datasets of Hugging Face's library."""

from __future__ import annotations

import gzip
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from blender_core.data.columns import (
    dataset_rows,
    datasets_library,
    one_split,
    parquet_library,
    table,
)
from blender_core.data.formats import is_foreign, read_record
from blender_core.data.lines import as_line
from blender_core.data.records import Record, as_value
from blender_core.data.sources import Rows, files_of, kind_of, rows_of
from blender_core.errors import InputError
from blender_core.writing import whole_file

if TYPE_CHECKING:
    import datasets

__all__ = ["Fault", "from_dataset", "read_records", "records_of", "to_dataset"]
__all__ += ["write_records", "write_values"]


@dataclass(frozen=True, slots=True)
class Fault:
    """A record that cannot be used.

    Attributes:
        name: the file's.
        line: its line, for parquet and datasets its row, from 1.
        reason: what is wrong with it.
    """

    name: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.name}: line {self.line}: {self.reason}"


def read_records(
    path: str | Path,
    *,
    on_fault: Callable[[Fault], None] | None = None,
    same_models: bool = False,
) -> Iterator[Record]:
    """The records of a file, one after the other; preference data are records of two answers.

    Args:
        path: a file ``.jsonl`` or ``.json`` (one record a line, in any shape of
            `formats.read_record`, or an array), also with ``.gz``, or ``.parquet``; a pattern; a
            folder of such files, or one that a dataset of Hugging Face's library was saved to.
        on_fault: is told of every bad record, and reading goes on behind it.
        same_models: whether a record is bad whose answers are not one each of the models that
            the first one has.

    Raises:
        InputError: the file is of another kind, or, where there is no `on_fault`, a record is
            bad: not JSON, of another shape, or with the id of an earlier one.
        OSError: the file cannot be read.
        MissingExtraError: it takes a library that is not installed.
    """
    files = files_of(path)
    checks = _Checks(same_models=same_models)
    for file in files:
        checks.file = str(path) if len(files) == 1 else str(file)
        yield from _records(rows_of(file), checks, on_fault)


def records_of(
    rows: Rows,
    name: str,
    *,
    on_fault: Callable[[Fault], None] | None = None,
    same_models: bool = False,
) -> Iterator[Record]:
    """The records among JSON values; what is wrong with the others is told as of that name.

    Raises:
        InputError: as of `read_records`.
    """
    checks = _Checks(same_models=same_models)
    checks.file = name
    return _records(rows, checks, on_fault)


def _records(
    rows: Rows, checks: _Checks, on_fault: Callable[[Fault], None] | None
) -> Iterator[Record]:
    for number, value in rows:
        try:
            if isinstance(value, InputError):
                raise value
            record = read_record(value)
            checks.check(number, record, is_shared=is_foreign(value))
        except InputError as error:
            fault = Fault(checks.file, number, str(error))
            if on_fault is None:
                raise InputError(str(fault)) from None
            on_fault(fault)
        else:
            yield record


class _Checks:
    """What is wrong with a record only beside the others."""

    file: str

    def __init__(self, *, same_models: bool) -> None:
        self._same_models = same_models
        self._lines: dict[str | int, tuple[str, int, str]] = {}
        self._first: tuple[int, Counter[str]] | None = None

    def check(self, line: int, record: Record, *, is_shared: bool) -> None:
        """Check a record; the pairs of one question may share its id."""
        if record.id is not None:
            asked = record.instruction + record.input
            file, earlier, about = self._lines.setdefault(record.id, (self.file, line, asked))
            is_first = (file, earlier) == (self.file, line)
            if not (is_first or (is_shared and about == asked)):
                where = f"line {earlier}" if file == self.file else f"{file}, line {earlier},"
                raise InputError(f"the id {record.id!r} was there in {where} already")
        if self._same_models:
            self._check_models(line, record)

    def _check_models(self, line: int, record: Record) -> None:
        named = [model for model in record.models if model is not None]
        if len(named) < len(record.models):
            place = record.models.index(None)
            raise InputError(f"'candidates[{place}].model' is missing")
        models = Counter(named)
        if self._first is None:
            self._first = line, models
        first, wanted = self._first
        faults = [f"no answer of {model!r}" for model in wanted - models]
        faults += [f"one answer too many of {model!r}" for model in models - wanted]
        if faults:
            raise InputError(f"other models than in line {first}: {', '.join(faults)}")


def write_records(path: str | Path, records: Iterable[Record]) -> int:
    """Write records to a file of a kind that `read_records` reads; returns how many.

    The file is there only when it is whole: another one of that name stays as it is until then.
    Parquet has columns of one type each: ids are written as texts where some are, ``cmp_results``
    as text of JSON, and a score that is null as if it were not there. For it, all records are
    held in memory.

    Raises:
        InputError: the file would be of another kind, or parquet cannot hold a record.
        OSError: it cannot be written, for example because the disk is full.
        MissingExtraError: it takes a library that is not installed.
    """
    return write_values(path, map(as_value, records))


def write_values(path: str | Path, values: Iterable[dict[str, Any]]) -> int:
    """Like `write_records`, for any JSON objects.

    Raises:
        InputError: as there.
        OSError: as there.
        MissingExtraError: as there.
    """
    path = Path(path).expanduser()
    kind = kind_of(path)
    if kind is None or ".json" in [suffix.lower() for suffix in path.suffixes]:
        raise InputError(f"{path}: not a file name with .jsonl, .jsonl.gz or .parquet at its end")
    if kind == "parquet":
        columns = table(values)
        with whole_file(path) as file:
            parquet_library().write_table(columns, file)
        return int(columns.num_rows)
    with whole_file(path) as file:
        if kind == "jsonl":
            return _write_lines(file, values)
        # without time and name, the same records make the same bytes
        with gzip.GzipFile("", "wb", fileobj=file, mtime=0) as zipped:
            return _write_lines(zipped, values)


def to_dataset(records: Iterable[Record]) -> datasets.Dataset:
    """The records as a dataset of Hugging Face's library, with the columns of a parquet file.

    Raises:
        InputError: its columns cannot hold a record.
        MissingExtraError: the library is not installed.
    """
    return datasets_library().Dataset(table(map(as_value, records)))


def from_dataset(
    dataset: Iterable[Mapping[str, Any]],
    *,
    on_fault: Callable[[Fault], None] | None = None,
    same_models: bool = False,
) -> Iterator[Record]:
    """The records of a dataset of Hugging Face's library, for example of MixInstruct.

    Raises:
        InputError: as of `read_records`.
    """
    rows = dataset_rows(one_split(dataset))
    return records_of(rows, "dataset", on_fault=on_fault, same_models=same_models)


def _write_lines(file: BinaryIO | gzip.GzipFile, values: Iterable[dict[str, Any]]) -> int:
    count = 0
    for value in values:
        file.write(as_line(value))
        count += 1
    return count
