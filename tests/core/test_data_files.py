"""Files of records: what is written is read again, and bad records cost only themselves."""

from __future__ import annotations

import gzip
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import datasets
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from blender_core.data import Fault, read_record, read_records, write_records
from blender_core.data.files import from_dataset, to_dataset
from blender_core.data.lines import as_line
from blender_core.data.records import as_value
from blender_core.data.sources import suffix_of
from blender_core.data.splits import split
from blender_core.errors import InputError, MissingExtraError

RECORDS = Path(__file__).parents[1] / "data" / "records.jsonl"
KINDS = (".jsonl", ".jsonl.gz", ".parquet")


@pytest.fixture
def real():
    return list(read_records(RECORDS))


# --- round trips -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_real_records_survive_every_kind_of_file(real, kind, tmp_path):
    path = tmp_path / f"v0.1 records{kind}"
    assert write_records(path, real) == len(real) == 12
    assert list(read_records(path)) == real
    assert suffix_of(path) == kind
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_records_make_the_same_bytes(real, kind, tmp_path):
    one, other = tmp_path / f"one{kind}", tmp_path / f"other{kind}"
    write_records(one, real)
    write_records(other, real)
    assert one.read_bytes() == other.read_bytes()


def test_real_records_survive_a_dataset(real, tmp_path, monkeypatch):
    dataset = to_dataset(real)
    assert dataset.column_names[:3] == ["id", "instruction", "candidates"]
    assert list(from_dataset(dataset)) == real
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    dataset.save_to_disk(str(tmp_path / "saved"))
    assert list(read_records(tmp_path / "saved")) == real
    assert suffix_of(tmp_path / "saved") == ".jsonl"
    dataset.to_parquet(tmp_path / "theirs.parquet")
    assert list(read_records(tmp_path / "theirs.parquet")) == real
    datasets.DatasetDict({"dev": dataset}).save_to_disk(str(tmp_path / "one"))
    assert list(read_records(tmp_path / "one")) == real
    both = datasets.DatasetDict({"dev": dataset, "test": dataset})
    both.save_to_disk(str(tmp_path / "both"))
    with pytest.raises(InputError, match="several splits, 'dev', 'test'"):
        list(from_dataset(both))
    with pytest.raises(InputError, match=r"several splits; give one of .*both/dev"):
        list(read_records(tmp_path / "both"))
    assert list(read_records(tmp_path / "both" / "dev")) == real


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)
NAME = st.text(st.characters(exclude_categories=("Cs",), exclude_characters=",\x00"), min_size=1)
NUMBER = st.floats(allow_nan=False, allow_infinity=False)


@st.composite
def values(draw):
    """JSON values of records, with everything that a record may have."""
    count = draw(st.integers(1, 4))
    models = draw(st.lists(NAME, min_size=count, max_size=count, unique=True))
    metrics = st.dictionaries(st.sampled_from(["bleu", "bertscore"]), NUMBER)
    answers = [
        {"text": draw(TEXT), "model": model}
        | draw(st.fixed_dictionaries({}, optional={"scores": metrics, "decoding_method": TEXT}))
        for model in models
    ]
    pairs = [(a, b) for a in range(count) for b in range(count) if a != b]
    verdict = st.sampled_from(["A is better", "B is better", "Same good", "Same bad"])
    told = draw(st.dictionaries(st.sampled_from(pairs), verdict)) if pairs else {}
    judgement = st.builds(
        lambda pair, more: {"a": pair[0], "b": pair[1], "winner": "tie"} | more,
        st.sampled_from(pairs or [(0, 1)]),
        st.fixed_dictionaries({}, optional={"judge": TEXT, "strength": st.floats(0, 1)}),
    )
    score = st.lists(NUMBER | st.none(), min_size=count, max_size=count)
    optional = {
        "input": TEXT,
        "output": TEXT,
        "licence": TEXT,
        "scores": st.dictionaries(st.sampled_from(["judge", "rouge"]), score),
    }
    value = draw(st.fixed_dictionaries({"instruction": st.just("q") | TEXT}, optional=optional))
    if not (value["instruction"] + value.get("input", "")).strip():
        value["instruction"] = "q"
    if pairs:
        value["judgements"] = draw(st.lists(judgement, max_size=3))
    value["cmp_results"] = {f"{models[a]},{models[b]}": said for (a, b), said in told.items()}
    return value | {"candidates": answers}


def stripped(value):
    """The value without objects and lists that say nothing, which parquet has not."""
    if isinstance(value, dict):
        parts = {key: stripped(part) for key, part in value.items()}
        return {key: part for key, part in parts.items() if part not in ({}, None)}
    return [stripped(part) for part in value] if isinstance(value, list) else value


@given(st.lists(values(), max_size=4))
def test_records_survive_lines_and_parquet(tmp_path_factory, many):
    records = [read_record(value | {"id": place}) for place, value in enumerate(many)]
    folder = tmp_path_factory.mktemp("round trip")
    for kind in (".jsonl", ".jsonl.gz"):
        write_records(folder / f"a{kind}", records)
        assert list(read_records(folder / f"a{kind}")) == records
    write_records(folder / "a.parquet", records)
    back = list(read_records(folder / "a.parquet"))
    assert [stripped(as_value(record)) for record in back] == [
        stripped(as_value(record)) for record in records
    ]
    for one, other in zip(back, records, strict=True):
        assert one.preferences().tobytes() == other.preferences().tobytes()


def test_what_utf_8_has_not_survives_lines_but_not_columns(tmp_path):
    record = read_record({"instruction": "q\ud83d\u2028\x00", "candidates": ["a\n\ud83d"]})
    write_records(tmp_path / "a.jsonl", [record])
    assert list(read_records(tmp_path / "a.jsonl")) == [record]
    (tmp_path / "a.parquet").write_bytes(b"as it was")
    with pytest.raises(InputError, match="a column cannot hold what the records have as 'instr"):
        write_records(tmp_path / "a.parquet", [record])
    assert (tmp_path / "a.parquet").read_bytes() == b"as it was"


def test_ids_of_both_kinds_become_texts_in_a_column(tmp_path):
    value = {"instruction": "q", "candidates": ["a"]}
    records = [read_record(value | {"id": name}) for name in (7, "x")]
    write_records(tmp_path / "a.parquet", records)
    assert [record.id for record in read_records(tmp_path / "a.parquet")] == ["7", "x"]


def test_no_records_at_all(tmp_path):
    for kind in KINDS:
        assert write_records(tmp_path / f"a{kind}", []) == 0
        assert list(read_records(tmp_path / f"a{kind}")) == []


# --- bad input -------------------------------------------------------------------------------


def line(id, *models, **more):
    answers = [{"text": "x"} | ({"model": model} if model else {}) for model in models]
    return as_line({"id": id, "instruction": "q", "candidates": answers} | more)


def faults_of(path, **options):
    faults = []
    records = list(read_records(path, on_fault=faults.append, **options))
    return [record.id for record in records], faults


def test_bad_records_are_named_and_the_rest_goes_on(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        b"\xef\xbb\xbf" + line(1, "m1", "m2") + b"\n" + b"{\n" + b'"caf\xe9"\n'
        + line(2, "m1", "m2", cmp_results={"m1,m2": "A wins"})
        + line(3, "m1", "m2", cmp_results={"m1,m3": "Same bad"})
        + line(3, None, "m2", cmp_results={"m1,m2": "Same bad"})
        + line(1, "m1", "m2")
        + line("1", "m1", "m2")
    )  # fmt: skip
    good, faults = faults_of(path)
    assert good == [1, "1"]
    known = "known: 'A is better', 'B is better', 'Same good', 'Same bad'"
    assert [(fault.line, fault.reason) for fault in faults[1:]] == [
        (4, "not UTF-8: byte 5 is 0xe9"),
        (5, f"'cmp_results.m1,m2' is 'A wins'; {known}"),
        (6, "'cmp_results': 'm1,m3': there is no answer of the model 'm3'"),
        (7, "'cmp_results': 'm1,m2': there is no answer of the model 'm1'"),
        (8, "the id 1 was there in line 1 already"),
    ]
    assert str(faults[0]).startswith(f"{path}: line 3: not JSON: ")


def test_without_somebody_to_tell_the_first_bad_record_ends_it(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(line(1, "m") + line(1, "m"))
    records = read_records(path)
    assert next(records).id == 1
    with pytest.raises(InputError, match=r"a\.jsonl: line 2: the id 1 was there in line 1 already"):
        next(records)


def test_records_may_be_asked_to_have_the_same_models(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        line(1, "m1", "m2")
        + line(2, "m2", "m1")
        + line(3, "m1")
        + line(4, "m1", "m3")
        + line(5, "m1", "m2", "m2")
        + line(6, "m1", None)
    )
    assert faults_of(path) == ([1, 2, 3, 4, 5, 6], [])
    good, faults = faults_of(path, same_models=True)
    assert good == [1, 2]
    other = "other models than in line 1: "
    assert faults == [
        Fault(str(path), 3, f"{other}no answer of 'm2'"),
        Fault(str(path), 4, f"{other}no answer of 'm2', one answer too many of 'm3'"),
        Fault(str(path), 5, f"{other}one answer too many of 'm2'"),
        Fault(str(path), 6, "'candidates[1].model' is missing"),
    ]


def test_a_file_cut_off_is_read_as_far_as_it_goes(real, tmp_path):
    path = tmp_path / "a.jsonl.gz"
    write_records(path, real)
    path.write_bytes(path.read_bytes()[:-2000])
    good, (fault,) = faults_of(path)
    assert 0 < len(good) < len(real)
    assert good == [record.id for record in real[: len(good)]]
    assert fault.line == len(good) + 1
    assert fault.reason.startswith("the rest cannot be unzipped: ")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.jsonl.gz", b"{}", "line 1: the rest cannot be unzipped: Not a gzipped file"),
        ("a.parquet", b"PAR1", "a.parquet: not a usable parquet file: "),
        ("a.txt", b"{}", "a.txt: not a file name with .jsonl, .jsonl.gz or .parquet at its end"),
    ],
)
def test_files_of_another_kind_are_named(name, content, reason, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        list(read_records(tmp_path / name))
    assert reason in str(caught.value)


def test_a_folder_without_a_dataset_is_named(tmp_path):
    with pytest.raises(InputError, match="a folder, but no dataset was saved to it"):
        list(read_records(tmp_path))


def test_rows_of_a_parquet_file_are_checked_too(tmp_path):
    table = pyarrow.table({"instruction": ["q", None], "candidates": [["a"], ["b"]]})
    pyarrow.parquet.write_table(table, tmp_path / "a.parquet")
    good, (fault,) = faults_of(tmp_path / "a.parquet")
    assert (len(good), fault.line, fault.reason) == (1, 2, "'instruction' is missing")


def test_a_writer_that_fails_leaves_the_old_file(real, tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"as it was")

    def failing():
        yield real[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_records(path, failing())
    assert path.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("kind", KINDS)
def test_a_full_disk_leaves_the_old_file(kind, tmp_path):
    """A limit on the size of files stands for the disk."""
    path = tmp_path / f"a{kind}"
    path.write_bytes(b"as it was")
    program = (
        "import signal, sys\n"
        "from blender_core.data import read_records, write_records\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "try:\n"
        "    write_records(sys.argv[2], list(read_records(sys.argv[1])))\n"
        "except OSError:\n"
        "    sys.exit(3)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(RECORDS), str(path)],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
        env=os.environ,
        check=False,
    )
    assert done.returncode == 3
    assert path.read_bytes() == b"as it was"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("library", "use"),
    [
        ("pyarrow", lambda real, folder: write_records(folder / "a.parquet", real)),
        ("pyarrow", lambda real, folder: list(read_records(folder / "a.parquet"))),
        ("datasets", lambda real, folder: to_dataset(real)),
        ("datasets", lambda real, folder: list(read_records(folder))),
        ("datasketch", lambda real, folder: split(real, {"dev": 0.1})),
    ],
)
def test_a_library_that_is_not_installed_is_named(library, use, real, tmp_path, monkeypatch):
    (tmp_path / "state.json").touch()  # the folder of a saved dataset
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'blended-llm\[train\]'"):
        use(real, tmp_path)
    write_records(tmp_path / "a.jsonl", real)  # which needs none of them


def test_gzipped_lines_are_what_other_programs_expect(real, tmp_path):
    write_records(tmp_path / "a.jsonl.gz", real)
    with gzip.open(tmp_path / "a.jsonl.gz", "rt", encoding="utf-8") as file:
        assert [json.loads(text)["id"] for text in file] == [record.id for record in real]
