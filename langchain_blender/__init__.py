"""LangChain classes over blender_core."""

from blender_core.errors import MissingExtraError

try:
    import langchain_core  # noqa: F401  (probe: the classes built on it need it)
except ImportError as error:
    raise MissingExtraError("langchain_blender", "langchain") from error
