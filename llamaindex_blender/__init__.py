"""LlamaIndex classes over blender_core."""

from blender_core.errors import MissingExtraError

try:
    import llama_index.core  # noqa: F401  (probe: the classes built on it need it)
except ImportError as error:
    raise MissingExtraError("llamaindex_blender", "llamaindex") from error
