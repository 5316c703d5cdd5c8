"""Several query engines or LLMs as one, in LlamaIndex."""

from __future__ import annotations

from importlib.util import find_spec

from blender_core.errors import MissingExtraError
from blender_core.lazy import lazy

if find_spec("llama_index") is None or find_spec("llama_index.core") is None:
    raise MissingExtraError("llamaindex_blender", "llamaindex")

__getattr__, __dir__, __all__ = lazy(__name__, __file__)
