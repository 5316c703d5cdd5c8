"""Which LLMs and engines have an async way that is none: it would block the event loop."""

from __future__ import annotations

from typing import Any

from llama_index.core.llms import CustomLLM
from llama_index.core.llms.structured_llm import StructuredLLM
from llama_index.core.query_engine import CustomQueryEngine

__all__ = ["is_sync_only"]

_ASYNC_WAYS = (
    (CustomLLM, "achat"),
    (CustomLLM, "acomplete"),
    (CustomQueryEngine, "acustom_query"),
)
"""Methods of LlamaIndex's that call their sync counterpart where nobody has overridden them."""


def is_sync_only(member: Any) -> bool:
    """Whether an async call of this LLM or query engine runs in the loop's own thread."""
    if isinstance(member, StructuredLLM):
        return is_sync_only(member.llm)
    return any(
        isinstance(member, base)
        and getattr(type(member), name).__qualname__ == getattr(base, name).__qualname__
        for base, name in _ASYNC_WAYS
    )
