"""What a blend is to a cache: the same only where nothing that matters differs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from hashlib import sha256
from threading import Lock
from typing import Any
from uuid import uuid4
from weakref import finalize

from langchain_core.language_models import BaseLanguageModel
from langchain_core.load import dumpd
from langchain_core.runnables import RunnableWithFallbacks
from langchain_core.runnables.base import RunnableBindingBase

from blender_core._version import __version__
from langchain_blender.chat_fuser import ChatFuser
from langchain_blender.settings import BlendSettings, as_prior

__all__ = ["identity"]

_tokens: dict[int, str] = {}
"""For what cannot be described: a token for as long as the object lives, never given again. By the
object's `id`, as many are not hashable."""

_lock = Lock()

_SETTINGS = {
    *("top_k", "verify", "confidence", "timeout", "deadline", "fuser_timeout", "min_answers", "n"),
    "keep_thoughts",
}


def identity(blend: BlendSettings, schema: Any = None) -> dict[str, Any]:
    """What identifies a blend, and the schema of the objects wanted of it, for caches and traces.

    Models are described by their own parameters; a ranker, a fuser or a function, which may hold
    anything, counts as another one in another process. So no cache answers for another blend; one
    that outlives the process answers only for blends of chat models with the default ranker.
    """
    parts = {
        "members": {name: _described(member) for name, member in blend.everyone().items()},
        "ranker": "default" if blend.ranker is None else _token(blend.ranker),
        "fuser": _described(blend.fuser),
        "schema": _described(schema),
    }
    if (prior := as_prior(blend.members_prior)) is not None:
        parts["members_prior"] = prior.fingerprint
    described = json.dumps(parts, sort_keys=True, default=repr)
    return {
        "members": list(blend.everyone()),
        **blend.model_dump(include=_SETTINGS, warnings=False),
        "version": __version__,
        "fingerprint": sha256(described.encode()).hexdigest(),
    }


def _described(part: Any) -> Any:  # noqa: PLR0911 - a table
    match part:
        case None | str() | int() | float() | bool():
            return part
        case Mapping():
            return {str(key): _described(value) for key, value in part.items()}
        case list() | tuple():
            return [_described(value) for value in part]
        case BlendSettings():
            return identity(part)
        case BaseLanguageModel():
            return [type(part).__qualname__, _parameters(part)]
        case RunnableBindingBase():
            configurable = part.config.get("configurable")
            factories = [_token(factory) for factory in part.config_factories]
            bound = [_described(one) for one in (part.bound, part.kwargs, configurable)]
            return [type(part).__qualname__, *bound, *factories]
        case RunnableWithFallbacks():
            return [_described(part.runnable), *map(_described, part.fallbacks)]
        case ChatFuser() if type(part) is ChatFuser:
            return [_described(part.model), dumpd(part.prompt)]
    return _token(part)


def _parameters(model: BaseLanguageModel[Any]) -> Any:
    """All that LangChain's own caches know a model by, and its serialized form if it has one."""
    return [dict(model._identifying_params), dumpd(model) if model.is_lc_serializable() else None]  # noqa: SLF001 - the word that every integration implements


def _token(part: object) -> str:
    with _lock:
        if id(part) not in _tokens:
            token = uuid4().hex
            try:
                finalize(part, _tokens.pop, id(part), None)
            except TypeError:  # nobody would say when it is gone: a new token every time
                return token
            _tokens[id(part)] = token
        return _tokens[id(part)]
