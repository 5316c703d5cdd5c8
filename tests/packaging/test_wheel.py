"""The wheel: what is in it, and how it behaves once installed."""

from __future__ import annotations

import os
import subprocess
import sys
from email import message_from_string
from email.message import Message
from pathlib import Path
from zipfile import ZipFile

import pytest

from blender_core import __version__

ROOT = Path(__file__).parents[2]
SOURCES = [ROOT / "core" / "blender_core", ROOT / "langchain_blender", ROOT / "llamaindex_blender"]
DIST_INFO = f"blended_llm-{__version__}.dist-info"


def run(*command: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *map(str, command)],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # Without isolation: the backend is among the packages for development, so no network is needed.
    done = run("-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    [file] = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel alone in a folder; what it depends on comes from this environment."""
    folder = tmp_path_factory.mktemp("installed")
    flags = ("--no-deps", "--no-index", "--disable-pip-version-check", "--target", folder)
    done = run("-m", "pip", "install", *flags, wheel, cwd=wheel.parent)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="module")
def metadata(wheel: Path) -> Message:
    with ZipFile(wheel) as archive:
        return message_from_string(archive.read(f"{DIST_INFO}/METADATA").decode("utf-8"))


def names_in(wheel: Path) -> list[str]:
    with ZipFile(wheel) as archive:
        return [name for name in archive.namelist() if not name.endswith("/")]


def test_the_wheel_is_for_every_python_and_platform(wheel):
    assert wheel.name == f"blended_llm-{__version__}-py3-none-any.whl"


def test_it_holds_the_three_packages_and_nothing_else(wheel):
    names = names_in(wheel)
    assert {name.split("/")[0] for name in names} == {
        "blender_core",
        "langchain_blender",
        "llamaindex_blender",
        DIST_INFO,
    }
    assert not [name for name in names if "tests/" in name or "test_" in name or "conftest" in name]


def test_it_holds_every_file_of_the_packages(wheel):
    expected = {
        file.relative_to(source.parent).as_posix()
        for source in SOURCES
        for file in source.rglob("*")
        if file.is_file() and "__pycache__" not in file.parts
    }
    assert {name for name in names_in(wheel) if not name.startswith(DIST_INFO)} == expected
    assert "blender_core/cli/demo.jsonl" in expected


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_each_package_is_typed(wheel, source):
    assert f"{source.name}/py.typed" in names_in(wheel)


def test_the_licence_is_in_it(wheel, metadata):
    with ZipFile(wheel) as archive:
        licence = archive.read(f"{DIST_INFO}/licenses/LICENSE")
    assert licence == (ROOT / "LICENSE").read_bytes()
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["License-File"] == "LICENSE"


def test_the_readme_and_the_extras_are_in_its_metadata(metadata):
    assert metadata["Name"] == "blended-llm"
    assert metadata["Version"] == __version__
    assert metadata.get_payload() == (ROOT / "README.md").read_text(encoding="utf-8")
    assert {"langchain", "llamaindex", "eval", "sentencepiece", "all"} <= set(
        metadata.get_all("Provides-Extra", [])
    )


def test_the_core_requires_no_framework_without_an_extra(metadata):
    required = [line for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line]
    assert any(line.startswith("torch") for line in required)
    assert not [line for line in required if line.startswith(("langchain", "llama"))]


def test_an_installed_wheel_ranks(installed, tmp_path):
    code = (
        "import blender_core; from blender_core import ConsensusRanker; "
        "print(blender_core.__file__); print(ConsensusRanker().rank('?', ['a', 'a b', 'b']).order)"
    )
    done = run("-c", code, cwd=tmp_path, PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stderr
    file, order = done.stdout.splitlines()
    assert Path(file).is_relative_to(installed)
    assert order == "(1, 0, 2)"


def test_an_installed_wheel_has_the_command(installed, tmp_path):
    program = installed / "bin" / "blended-llm"
    done = run(program, "--version", cwd=tmp_path, PYTHONPATH=str(installed))
    assert (done.returncode, done.stdout.strip()) == (0, f"blended-llm {__version__}"), done.stderr


@pytest.mark.parametrize(
    ("package", "framework", "extra"),
    [
        ("langchain_blender", "langchain_core", "langchain"),
        ("llamaindex_blender", "llama_index", "llamaindex"),
    ],
)
def test_an_adapter_without_its_framework_names_the_extra(
    installed, tmp_path, package, framework, extra
):
    # None in sys.modules hides a framework that may be installed here, from find_spec as well.
    code = f"""
import sys
sys.modules[{framework!r}] = None
import blender_core
try:
    import {package}
except ImportError as error:
    print(type(error).__name__)
    print(error)
"""
    done = run("-c", code, cwd=tmp_path, PYTHONPATH=str(installed))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "MissingExtraError",
        f"{package} needs an optional dependency: pip install 'blended-llm[{extra}]'",
    ]
