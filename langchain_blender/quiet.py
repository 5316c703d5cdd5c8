"""Whoever watches a blend for tokens sees those of the answer, not those of members and fuser."""

from __future__ import annotations

from typing import Any

from langchain_core.callbacks import AsyncCallbackHandler
from langchain_core.callbacks.base import BaseCallbackHandler, BaseCallbackManager, Callbacks
from langchain_core.tracers._streaming import _StreamingCallbackHandler, _V2StreamingCallbackHandler

__all__ = ["without_tokens"]


def without_tokens(callbacks: Callbacks) -> Callbacks:
    """The callbacks, of which those that make models stream are told everything but tokens.

    A model that has such a handler streams even where it is invoked, and each of its tokens would
    be an event like those of the answer.
    """
    if not isinstance(callbacks, BaseCallbackManager):
        return None if callbacks is None else [_quiet(handler) for handler in callbacks]
    manager = callbacks.copy()
    inherited = [_quiet(handler) for handler in callbacks.inheritable_handlers]
    others = [h for h in callbacks.handlers if h not in callbacks.inheritable_handlers]
    manager.set_handlers(inherited, inherit=True)
    for handler in map(_quiet, others):
        manager.add_handler(handler, inherit=False)
    return manager


def _quiet(handler: BaseCallbackHandler) -> BaseCallbackHandler:
    watches = isinstance(handler, _StreamingCallbackHandler | _V2StreamingCallbackHandler)
    return _QuietHandler(handler) if watches else handler


class _QuietHandler(AsyncCallbackHandler):
    """Another handler, but for tokens."""

    def __init__(self, handler: BaseCallbackHandler) -> None:
        self._handler = handler

    def __getattribute__(self, name: str) -> Any:
        if name.startswith("__") or name == "on_llm_new_token":
            return object.__getattribute__(self, name)
        if name.startswith("tap_output"):  # by these LangChain knows who wants tokens
            raise AttributeError(name)
        return getattr(object.__getattribute__(self, "_handler"), name)

    def on_llm_new_token(self, *_: Any, **__: Any) -> None:  # type: ignore[override]
        """Not told."""
