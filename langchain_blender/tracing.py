"""Every step of a blend is a child run of it: the members, ranking, fusing, verifying.

A child belongs to a parent by the callbacks in its config. A runnable is handed those; a chat
model or an LLM has to make them from its own run (`below`).
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from itertools import chain
from typing import Any, TypeVar
from uuid import UUID

from langchain_core.callbacks import AsyncCallbackManager, CallbackManager
from langchain_core.callbacks.base import BaseCallbackHandler, BaseCallbackManager, Callbacks
from langchain_core.callbacks.manager import AsyncRunManager, RunManager
from langchain_core.messages import AIMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import LLMResult
from langchain_core.runnables import RunnableConfig, RunnableGenerator, RunnableLambda
from langchain_core.runnables.config import ensure_config, var_child_runnable_config

from langchain_blender.asked import Asked, current
from langchain_blender.messages import total_usage
from langchain_blender.quiet import without_tokens

__all__ = ["Steps", "below", "inherited"]

T = TypeVar("T")

HIDDEN = "nostream"
"""The tag by which LangGraph keeps a model's tokens out of its `messages` stream: only those of
the blend itself are the answer's."""


def below(
    manager: CallbackManager | AsyncCallbackManager | RunManager | AsyncRunManager, run_id: UUID
) -> RunnableConfig:
    """The config of children of a language model's run.

    Args:
        manager: the run's, or the one that it is about to be started with.
        run_id: the run's.
    """
    in_loop = isinstance(manager, AsyncCallbackManager | AsyncRunManager)
    kind = AsyncCallbackManager if in_loop else CallbackManager
    children: BaseCallbackManager = kind(handlers=[], parent_run_id=run_id)
    children.set_handlers(manager.inheritable_handlers)
    children.add_tags(manager.inheritable_tags)
    children.add_metadata(manager.inheritable_metadata)
    return {"callbacks": children}


def inherited(config: RunnableConfig | None) -> RunnableConfig:
    """What children of a language model are run with of its config, callbacks aside.

    In a chain they find it in the context; a model that is called directly has to hand it on. Tags
    and metadata are in the callbacks.
    """
    config = ensure_config(config)
    children = RunnableConfig()
    if "configurable" in config:
        children["configurable"] = config["configurable"]
    if "max_concurrency" in config:
        children["max_concurrency"] = config["max_concurrency"]
    return children


class Steps:
    """The steps of one blend.

    Args:
        config: what the blend's children are run with.
        asked: the question, for the models inside the steps.

    Attributes:
        seconds: how long each step took, members aside.
    """

    def __init__(self, config: RunnableConfig, asked: Asked | None = None) -> None:
        self._config = ensure_config(config)
        self._config.pop("run_name", None)  # not the children's
        self._config["callbacks"] = without_tokens(self._config.get("callbacks"))
        self._asked = asked
        self._tags = self._config.get("tags", [])
        self._used: dict[str, _Usage] = {}
        self.seconds: dict[str, float] = {}

    @property
    def usage_by_step(self) -> dict[str, UsageMetadata]:
        """What the chat models inside each step used, as far as they tell."""
        sums = {name: total_usage(used.found) for name, used in self._used.items()}
        return {name: usage for name, usage in sums.items() if usage is not None}

    @property
    def max_concurrency(self) -> int | None:
        """How many calls of a model may run at the same time."""
        return self._config.get("max_concurrency")

    def member_config(self, name: str) -> RunnableConfig:
        """What the member of that name is run with."""
        return {
            **self._config,
            "run_name": name,
            "tags": [*self._tags, HIDDEN],
            "metadata": {**self._config.get("metadata", {}), "blend_member": name},
        }

    def surround(self) -> None:
        """Make the children's config the one around all that follows in this context.

        To be called where a member's call begins, which has a context of its own: bindings prefer
        the config around them to the one they are given.
        """
        var_child_runnable_config.set(self._config)

    def run(self, name: str, inputs: Any, work: Callable[[], T], told: Callable[[T], Any]) -> T:
        """Do the work as a child run.

        Args:
            name: of the step.
            inputs: what a trace shows as its input.
            work: does it.
            told: from the result to what a trace shows as output.
        """
        results: list[T] = []

        def step(_: Any) -> Any:
            current.set(self._asked)  # in the context that a runnable has to itself
            results.append(work())
            return told(results[0])

        with self._timed(name):
            RunnableLambda(step, name=name).invoke(inputs, self._step_config(name))
        return results[0]

    async def arun(
        self, name: str, inputs: Any, work: Callable[[], Awaitable[T]], told: Callable[[T], Any]
    ) -> T:
        """Like `run`."""
        results: list[T] = []

        async def step(_: Any) -> Any:
            current.set(self._asked)
            results.append(await work())
            return told(results[0])

        with self._timed(name):
            await RunnableLambda(step, name=name).ainvoke(inputs, self._step_config(name))
        return results[0]

    def stream(self, name: str, inputs: Any, work: Callable[[], Iterator[str]]) -> Iterator[str]:
        """Yield the pieces of a text, written in a child run."""

        def written(_: Any) -> Iterator[str]:
            current.set(self._asked)
            yield from work()

        with self._timed(name):
            yield from RunnableGenerator(written, name=name).stream(inputs, self._step_config(name))

    async def astream(
        self, name: str, inputs: Any, work: Callable[[], AsyncIterator[str]]
    ) -> AsyncIterator[str]:
        """Like `stream`."""

        async def written(_: Any) -> AsyncIterator[str]:
            current.set(self._asked)
            pieces: Any = work()
            async with aclosing(pieces):
                async for piece in pieces:
                    yield piece

        with self._timed(name):
            step: Any = RunnableGenerator(written, name=name).astream(
                inputs, self._step_config(name)
            )
            async with aclosing(step) as pieces:
                async for piece in pieces:
                    yield piece

    def _step_config(self, name: str) -> RunnableConfig:
        return {
            **self._config,
            "tags": [*self._tags, HIDDEN],
            "callbacks": _with_handler(
                self._config.get("callbacks"), self._used.setdefault(name, _Usage())
            ),
        }

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        start = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - start


class _Usage(BaseCallbackHandler):
    """Collects what chat models used; LangChain's own leaves out those that tell no name.

    Attributes:
        found: of each answer. A blend's is left out: its members' are there.
    """

    def __init__(self) -> None:
        self.found: list[UsageMetadata | None] = []

    def on_llm_end(self, response: LLMResult, **_: Any) -> None:
        """Note an answer's usage."""
        for generation in chain.from_iterable(response.generations):
            message = getattr(generation, "message", None)
            if isinstance(message, AIMessage) and "blend" not in message.response_metadata:
                self.found.append(message.usage_metadata)


def _with_handler(callbacks: Callbacks, handler: BaseCallbackHandler) -> Callbacks:
    """The callbacks and one more; LangChain's own merging would add those of the surroundings."""
    if isinstance(callbacks, BaseCallbackManager):
        manager = callbacks.copy()
        manager.add_handler(handler, inherit=True)
        return manager
    return [*(callbacks or []), handler]
