"""LlamaIndex classes over blender_core."""

from importlib.util import find_spec

from blender_core.errors import MissingExtraError

if find_spec("llama_index") is None:
    raise MissingExtraError("llamaindex_blender", "llamaindex")
