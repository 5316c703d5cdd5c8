"""LangChain classes over blender_core."""

from importlib.util import find_spec

from blender_core.errors import MissingExtraError

if find_spec("langchain_core") is None:
    raise MissingExtraError("langchain_blender", "langchain")
