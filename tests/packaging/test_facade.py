"""The public names: all there, typed, and none of them heavy before it is used."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

import blender_core
import langchain_blender
import llamaindex_blender

HEAVY = ["huggingface_hub", "numpy", "safetensors", "tokenizers", "torch", "transformers"]
LOADED = f"import json, sys; print(json.dumps(sorted(set({HEAVY}) & set(sys.modules))))"


def loaded_after(code: str) -> list[str]:
    """Which heavy modules a fresh interpreter has loaded after running the code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{LOADED}"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    heavy: list[str] = json.loads(done.stdout.splitlines()[-1])
    return heavy


def test_a_star_import_gives_exactly_the_public_names():
    namespace: dict[str, object] = {}
    exec("from blender_core import *", namespace)  # noqa: S102  (a star import needs a scope)
    del namespace["__builtins__"]
    assert sorted(namespace) == sorted(blender_core.__all__)
    assert len(set(blender_core.__all__)) == len(blender_core.__all__)


@pytest.mark.parametrize("name", blender_core.__all__)
def test_each_name_is_public_where_it_lives(name):
    value = getattr(blender_core, name)
    assert value is getattr(blender_core, name)
    if name != "__version__":
        assert value.__name__ == name
        assert name in import_module(value.__module__).__all__


def test_type_checkers_see_each_name_where_it_lives():
    stub = Path(str(blender_core.__file__)).with_suffix(".pyi")
    typed = {
        str(alias.asname): str(node.module)
        for node in ast.parse(stub.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert sorted(typed) == sorted(blender_core.__all__)
    for name, module in typed.items():
        assert getattr(import_module(module), name) is getattr(blender_core, name)


def test_dir_lists_the_public_names():
    assert dir(blender_core) == sorted(blender_core.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'blender_core' has no attribute 'PairRanked'"):
        _ = blender_core.PairRanked
    with pytest.raises(ImportError, match="cannot import name 'PairRanked'"):
        exec("from blender_core import PairRanked", {})  # noqa: S102  (type checkers see it, too)


def test_importing_the_package_loads_nothing_heavy():
    assert loaded_after("import blender_core; dir(blender_core); blender_core.BlenderError") == []


def test_ranking_without_a_model_needs_numpy_only():
    code = "from blender_core import ConsensusRanker; ConsensusRanker().rank('?', ['a', 'b'])"
    assert loaded_after(code) == ["numpy"]


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["rank", "--help"]])
def test_the_command_line_helps_without_loading_anything_heavy(arguments):
    code = f"""
import sys
from blender_core.cli import main
sys.argv = ["blended-llm", *{arguments}]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
"""
    assert loaded_after(code) == []


@pytest.mark.parametrize("package", [langchain_blender, llamaindex_blender])
def test_the_adapters_classes_are_there_and_load_no_model(package):
    module = package.__name__
    names = ast.literal_eval(
        subprocess.run(
            [
                sys.executable,
                "-c",
                f"from {module} import *; print(sorted(n for n in dir() if n[0] != '_'))",
            ],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
    )
    assert names == sorted(package.__all__)
    for name in dir(package):
        assert getattr(package, name).__name__ == name
    assert not {"torch", "transformers"} & set(loaded_after(f"from {module} import *"))


def test_without_langchain_only_the_middleware_is_missing():
    code = """
import sys
sys.modules["langchain"] = None
from langchain_blender import *
from blender_core.errors import MissingExtraError
import langchain_blender
try:
    langchain_blender.BlendMiddleware
except MissingExtraError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "BlendMiddleware needs an optional dependency: pip install 'blended-llm[agents]'" in (
        done.stdout
    )
