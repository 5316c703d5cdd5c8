"""LLMFuser: an LLM that writes one answer from the best ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Any

from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.callbacks import CallbackManager
from llama_index.core.llms import LLM
from llama_index.core.prompts import BasePromptTemplate, ChatPromptTemplate

from blender_core.candidates import Answers, Task
from blender_core.errors import InputError
from blender_core.fusion.fuser import Fuser
from blender_core.prompting.fusion import FUSION_INSTRUCTIONS, fusion_blocks
from blender_core.thoughts import ThoughtFilter, behind_thoughts, without_thoughts
from blender_core.threads import in_own_thread, in_thread
from llamaindex_blender.handlers import hand_on
from llamaindex_blender.sync_only import is_sync_only

__all__ = ["FUSION_PROMPT", "LLMFuser", "check_variables"]

FUSION_PROMPT = ChatPromptTemplate(
    [
        ChatMessage(role=MessageRole.SYSTEM, content=FUSION_INSTRUCTIONS),
        ChatMessage(role=MessageRole.USER, content="{question}\n\n{answers}"),
    ]
)
"""The default prompt of `LLMFuser`."""


class LLMFuser(Fuser):
    """Fuses answers with any LLM.

    Every answer stands in a block of its own, whose tags no answer can forge (see `Fence`). What
    the LLM thinks before its answer (``<think>…</think>``) is no part of the fused text.

    Args:
        llm: writes.
        prompt: with the variables ``question`` and ``answers``, both of them blocks already, and
            ``token``, in which the blocks' tags end.
        callback_manager: its handlers see the calls, beside the LLM's own.

    Raises:
        InputError: `llm` is none, or the prompt lacks question or answers.
    """

    def __init__(
        self,
        llm: LLM,
        *,
        prompt: BasePromptTemplate | None = None,
        callback_manager: CallbackManager | None = None,
    ) -> None:
        if not isinstance(llm, LLM):
            raise InputError(f"'llm' must be an LLM, got {type(llm).__name__}")
        self.llm = llm
        self.callback_manager = callback_manager
        self.prompt = FUSION_PROMPT if prompt is None else prompt

    @property
    def prompt(self) -> BasePromptTemplate:
        """What is asked; checked where it is set."""
        return self._prompt

    @prompt.setter
    def prompt(self, prompt: BasePromptTemplate) -> None:
        check_variables(prompt, {"question", "answers"})
        self._prompt = prompt

    def fuse_many(self, tasks: Sequence[Task]) -> list[str]:
        """Fuse the candidates of each task, given best first."""
        hand_on(self.llm, self.callback_manager)
        return [
            without_thoughts(
                self.llm.predict(self.prompt, **fusion_blocks(task.source, task.candidates))
            )
            for task in tasks
        ]

    async def afuse_many(self, tasks: Sequence[Task]) -> list[str]:
        """Like `fuse_many`, without blocking the event loop."""
        if is_sync_only(self.llm):
            return await in_own_thread(self.fuse_many)(tasks)
        hand_on(self.llm, self.callback_manager)
        return [
            without_thoughts(
                await self.llm.apredict(self.prompt, **fusion_blocks(task.source, task.candidates))
            )
            for task in tasks
        ]

    def stream(self, instruction: str, candidates: Answers) -> Iterator[str]:
        """Yield the fused text as the LLM writes it."""
        hand_on(self.llm, self.callback_manager)
        task = Task(instruction, candidates)
        blocks = fusion_blocks(task.source, task.candidates)
        yield from behind_thoughts(self.llm.stream(self.prompt, **blocks))

    async def astream(self, instruction: str, candidates: Answers) -> AsyncIterator[str]:
        """Like `stream`, without blocking the event loop."""
        if is_sync_only(self.llm):
            async for piece in in_thread(lambda: self.stream(instruction, candidates)):
                yield piece
            return
        hand_on(self.llm, self.callback_manager)
        task = Task(instruction, candidates)
        blocks = fusion_blocks(task.source, task.candidates)
        stream: Any = await self.llm.astream(self.prompt, **blocks)
        filtered = ThoughtFilter()
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                if shown := filtered.take(piece):
                    yield shown
        if shown := filtered.rest():
            yield shown


def check_variables(prompt: BasePromptTemplate, needed: set[str]) -> None:
    """Check that a prompt shows what it is about.

    Raises:
        InputError: it is no prompt template, or lacks a needed variable.
    """
    if not isinstance(prompt, BasePromptTemplate):
        raise InputError(f"a prompt must be a prompt template, got {type(prompt).__name__}")
    renamed = prompt.template_var_mappings or {}
    if missing := {name for name in needed if renamed.get(name, name) not in prompt.template_vars}:
        raise InputError(f"the prompt has no variable {sorted(missing)}")
