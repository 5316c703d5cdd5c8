"""Which LLMs and engines have async methods that only call the sync ones: they would block."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from functools import lru_cache
from textwrap import dedent
from typing import Any

from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.indices.query.query_transform.base import BaseQueryTransform
from llama_index.core.llms import LLM
from llama_index.core.response_synthesizers import BaseSynthesizer

__all__ = ["is_sync_only"]

_ENTRIES: tuple[tuple[type, tuple[str, ...]], ...] = (
    (BaseQueryEngine, ("aquery",)),
    (LLM, ("achat", "acomplete")),
    (BaseSynthesizer, ("asynthesize",)),
    (BaseRetriever, ("aretrieve",)),
    (BaseQueryTransform, ()),
)
"""What an engine is made of, as far as it may ask an LLM, and the async ways into each."""

_PARTS = tuple(kind for kind, _ in _ENTRIES)
_WAITING = {"_query", "chat", "complete", "predict", "query", "structured_predict", "synthesize"}
"""Sync calls of LlamaIndex's that may wait for an LLM."""

_DEEPEST = 6


def is_sync_only(member: Any) -> bool:
    """Whether an async call of this LLM or query engine keeps the event loop from running.

    That is read from what the code of its async way does: it awaits nothing, or waits for a sync
    call of LlamaIndex's. An engine is also what its parts are.
    """
    kinds: list[Any] = [type(part) for part in _parts(member, set(), 0)]
    return any(map(_blocks, kinds))


def _parts(part: Any, seen: set[int], depth: int) -> Iterator[Any]:
    if id(part) in seen or depth > _DEEPEST:
        return
    seen.add(id(part))
    yield part
    private = getattr(part, "__pydantic_private__", None) or {}
    for held in [*getattr(part, "__dict__", {}).values(), *private.values()]:
        several = [*held.values()] if isinstance(held, dict) else held
        for one in several if isinstance(several, list | tuple) else [held]:
            if isinstance(one, _PARTS):
                yield from _parts(one, seen, depth + 1)


@lru_cache(maxsize=256)
def _blocks(kind: type) -> bool:
    waits_itself = issubclass(kind, BaseQueryEngine | LLM)
    entries = [name for base, names in _ENTRIES if issubclass(kind, base) for name in names]
    return any(
        (waits_itself and _awaits_nothing(code)) or not _WAITING.isdisjoint(_calls(code))
        for code in _reached(kind, entries, set())
    )


def _reached(kind: type, names: list[str], seen: set[str]) -> Iterator[ast.AST]:
    """The code of these methods, and of those of the same object that they call."""
    for name in names:
        if name in seen:
            continue
        seen.add(name)
        if (code := _code(getattr(kind, name, None))) is not None:
            yield code
            yield from _reached(kind, [*_calls(code, awaited=True, of_self=True)], seen)


def _code(method: Any) -> ast.AST | None:
    """What was written, without what decorates it; None where it is not known."""
    while (inner := _decorated(method)) is not None:
        method = inner
    if not inspect.isfunction(method):
        return None
    try:
        # Of its code, as LlamaIndex's decorators put a flag where Python looks for a function.
        return ast.parse(dedent(inspect.getsource(method.__code__))).body[0]
    except (OSError, SyntaxError):
        return None


def _decorated(method: Any) -> Any:
    """What a decorator was put around; None where there is none."""
    wrapped = getattr(method, "__wrapped__", None)
    if callable(wrapped):
        return wrapped
    # LlamaIndex's own decorators of LLMs say of what they decorate only that they call it f.
    code, closure = getattr(method, "__code__", None), getattr(method, "__closure__", None)
    if code is None or closure is None or "f" not in code.co_freevars:
        return None
    inner = closure[code.co_freevars.index("f")].cell_contents
    return inner if inspect.isfunction(inner) else None


def _awaits_nothing(code: ast.AST) -> bool:
    waiting = ast.Await | ast.AsyncFor | ast.AsyncWith | ast.Yield
    return isinstance(code, ast.AsyncFunctionDef) and not any(
        isinstance(node, waiting) for node in ast.walk(code)
    )


def _calls(code: ast.AST, *, awaited: bool = False, of_self: bool = False) -> Iterator[str]:
    """The names of the methods that are called."""
    waited_for = {id(node.value) for node in ast.walk(code) if isinstance(node, ast.Await)}
    for node in ast.walk(code):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = node.func.value
            if of_self and not (isinstance(owner, ast.Name) and owner.id == "self"):
                continue
            if awaited or id(node) not in waited_for:
                yield node.func.attr
