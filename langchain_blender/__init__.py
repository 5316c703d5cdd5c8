"""Any set of chat models as one, in LangChain: chains, agents and retrieval."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING

from blender_core.errors import MissingExtraError
from blender_core.lazy import lazy

if find_spec("langchain_core") is None:
    raise MissingExtraError("langchain_blender", "langchain")

if TYPE_CHECKING:
    from langchain_blender.blend import Blend
    from langchain_blender.chat_comparator import ChatComparator
    from langchain_blender.chat_fuser import ChatFuser
    from langchain_blender.chat_model import BlendedChatModel
    from langchain_blender.compressor import PairRankerCompressor
    from langchain_blender.llm import BlendedLLM
    from langchain_blender.middleware import BlendMiddleware as BlendMiddleware
    from langchain_blender.tool import PickBestAnswer

_HOME = {
    "Blend": "blend",
    "BlendMiddleware": "middleware",
    "BlendedChatModel": "chat_model",
    "BlendedLLM": "llm",
    "ChatComparator": "chat_comparator",
    "ChatFuser": "chat_fuser",
    "PairRankerCompressor": "compressor",
    "PickBestAnswer": "tool",
}
"""Where each public name lives. `BlendMiddleware` needs ``langchain``, the others only its core."""

# `BlendMiddleware` is not among them: a star import must not need ``langchain``.
__all__ = [
    "Blend",
    "BlendedChatModel",
    "BlendedLLM",
    "ChatComparator",
    "ChatFuser",
    "PairRankerCompressor",
    "PickBestAnswer",
]


__getattr__ = lazy(__name__, _HOME)


def __dir__() -> list[str]:
    return sorted(_HOME)
