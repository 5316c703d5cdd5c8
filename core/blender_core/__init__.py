"""Compare the answers of many LLMs two by two, rank them, fuse the best."""

from __future__ import annotations

from blender_core.lazy import lazy

__getattr__, __dir__, __all__ = lazy(__name__, __file__)
