"""BlendMiddleware: an agent's model calls, answered by a blend."""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import Any

from blender_core.errors import MissingExtraError
from langchain_blender.chat_model import BlendedChatModel

if find_spec("langchain") is None:
    raise MissingExtraError("BlendMiddleware", "agents")

from langchain.agents.middleware import AgentMiddleware, ModelRequest, ModelResponse

__all__ = ["BlendMiddleware"]


_REMEMBERED = 64
"""Calls at which a blend failed last: by the state of the agent, and in place of which model."""


class BlendMiddleware(AgentMiddleware[Any, Any, Any]):
    """Has the model calls of ``create_agent`` answered by a blend; needs ``langchain``.

    The agent's tools, system prompt and response format reach every member; an object that the
    agent wants is asked for by a tool call, as the members may not share a provider's own way.

    Args:
        **settings: those of `BlendedChatModel`: ``members``, ``ranker``, ``fuser``, ...

    Raises:
        ValidationError: as `BlendedChatModel`.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.model = BlendedChatModel(**settings)
        self._failed: deque[tuple[Any, Any]] = deque(maxlen=_REMEMBERED)

    def wrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], ModelResponse[Any]],
    ) -> ModelResponse[Any]:
        """Hand the request on, with the blend as its model.

        Where the blend has failed at a call, and it is asked again for the same call with another
        model, that is what a fallback around it wants: the request goes on as it is.
        """
        if self._is_fallback(request):
            return handler(request)
        try:
            return handler(request.override(model=self.model))
        except Exception:
            self._failed.append((request.state, request.model))
            raise

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        """Like `wrap_model_call`."""
        if self._is_fallback(request):
            return await handler(request)
        try:
            return await handler(request.override(model=self.model))
        except Exception:
            self._failed.append((request.state, request.model))
            raise

    def _is_fallback(self, request: ModelRequest[Any]) -> bool:
        return any(
            state is request.state and model is not request.model
            for state, model in list(self._failed)
        )
