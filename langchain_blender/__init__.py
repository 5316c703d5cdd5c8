"""Any set of chat models as one, in LangChain: chains, agents and retrieval."""

from __future__ import annotations

from importlib.util import find_spec

from blender_core.errors import MissingExtraError
from blender_core.lazy import lazy

if find_spec("langchain_core") is None:
    raise MissingExtraError("langchain_blender", "langchain")

# `BlendMiddleware` stands apart: a star import must not need ``langchain``.
__getattr__, __dir__, __all__ = lazy(__name__, __file__, apart=["BlendMiddleware"])
