"""Handlers of LlamaIndex's callbacks see the calls of members, fusers and judges, each once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from llama_index.core import Settings
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import LLM
from llama_index.core.llms.structured_llm import StructuredLLM

__all__ = ["hand_on", "watched_by"]

_watching: ContextVar[tuple[Any, ...]] = ContextVar("_watching", default=())


@contextmanager
def watched_by(manager: CallbackManager) -> Iterator[None]:
    """Have this manager's handlers see all calls of LLMs that are made within."""
    token = _watching.set((*_watching.get(), *manager.handlers))
    try:
        yield
    finally:
        _watching.reset(token)


def hand_on(llm: LLM, manager: CallbackManager | None = None) -> None:
    """Let an LLM call its handlers and, none of them twice, those of who asks it and of `Settings`.

    That is set on the LLM, as LlamaIndex's own parts do it.
    """
    if isinstance(llm, StructuredLLM):
        hand_on(llm.llm, manager)
        return
    present = llm.callback_manager
    own = present.own if isinstance(present, _HandedOn) else present.handlers
    asking = () if manager is None else manager.handlers
    wanted: list[Any] = []
    for handler in (*own, *asking, *_watching.get(), *Settings.callback_manager.handlers):
        if all(handler is not other for other in wanted):
            wanted.append(handler)
    if [*map(id, wanted)] != [*map(id, present.handlers)]:
        llm.callback_manager = _HandedOn(wanted, own)


class _HandedOn(CallbackManager):
    """Handlers of which some were handed on."""

    def __init__(self, handlers: list[Any], own: list[Any]) -> None:
        super().__init__([])
        self.handlers = handlers
        self.own = own
