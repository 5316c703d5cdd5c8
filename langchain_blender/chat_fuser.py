"""ChatFuser: a chat model that writes one answer from the best ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Any, cast

from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    message_chunk_to_message,
)
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.prompts.base import BasePromptTemplate

from blender_core.candidates import Answers, Task
from blender_core.fusion.fuser import Fuser
from blender_core.prompting.fusion import FUSION_INSTRUCTIONS, fusion_blocks
from blender_core.thoughts import ThoughtFilter, without_thoughts
from blender_core.threads import in_own_thread, in_thread
from langchain_blender.asked import asked_now, shown_to
from langchain_blender.control_flow import passing
from langchain_blender.members import Member, as_answer, named_members
from langchain_blender.messages import as_chunk
from langchain_blender.prompts import check_variables
from langchain_blender.sync_only import is_sync_only

__all__ = ["FUSION_PROMPT", "ChatFuser"]

FUSION_PROMPT = ChatPromptTemplate(
    [("system", FUSION_INSTRUCTIONS), ("human", "{question}\n\n{answers}")]
)
"""The default prompt of `ChatFuser`."""


class ChatFuser(Fuser):
    """Fuses answers with any chat model.

    Every answer stands in a block of its own, whose tags no answer can forge (see `Fence`). In a
    blend the model gets the images and files of the question, too, and what the call wants of the
    answer's form (``stop``, ``max_tokens``, ``response_format``). What it thinks is left out.

    Args:
        model: a chat model or another runnable from messages to an `AIMessage` or str; or a
            string such as ``"openai:gpt-4o"``.
        prompt: a prompt template with the variables ``question`` and ``answers``, both of them
            blocks already, and ``token``, in which the blocks' tags end.

    Raises:
        InputError: the prompt asks for other variables, or lacks question or answers.

    >>> from langchain_core.language_models import FakeListChatModel
    >>> ChatFuser(FakeListChatModel(responses=["4."])).fuse("2 + 2?", ["4", "four"])
    '4.'
    """

    def __init__(
        self, model: Member | str, *, prompt: BasePromptTemplate[Any] | None = None
    ) -> None:
        self.model = next(iter(named_members([model]).values()))
        self.prompt = FUSION_PROMPT if prompt is None else prompt
        check_variables(self.prompt, needed={"question", "answers"}, offered={"token"})

    def fuse_many(self, tasks: Sequence[Task]) -> list[str]:
        """Fuse the candidates of each task, given best first; the tasks at the same time."""
        with passing():
            written = [*self._batch(tasks)]
        return [
            _text_of(message, task.source) for message, task in zip(written, tasks, strict=True)
        ]

    async def afuse_many(self, tasks: Sequence[Task]) -> list[str]:
        """Like `fuse_many`, without blocking the event loop."""
        if is_sync_only(self.model):
            return await in_own_thread(self.fuse_many)(tasks)
        prompts = [self._prompt(task.source, task.candidates) for task in tasks]
        with passing():
            options = _options(tasks)
            written = [as_answer(each) for each in await self.model.abatch(prompts, **options)]
        return [
            _text_of(message, task.source) for message, task in zip(written, tasks, strict=True)
        ]

    def stream(self, instruction: str, candidates: Answers) -> Iterator[str]:
        """Yield the fused text as the model writes it, but not what it thinks."""
        options = dict(asked_now(instruction).form.options)
        written = _Written(instruction)
        with passing():
            for chunk in self.model.stream(self._prompt(instruction, candidates), **options):
                if text := written.take(chunk):
                    yield text
        if text := written.end():
            yield text

    async def astream(self, instruction: str, candidates: Answers) -> AsyncIterator[str]:
        """Like `stream`, without blocking the event loop."""
        if is_sync_only(self.model):
            async for piece in in_thread(lambda: self.stream(instruction, candidates)):
                yield piece
            return
        options = dict(asked_now(instruction).form.options)
        written = _Written(instruction)
        with passing():
            stream: Any = self.model.astream(self._prompt(instruction, candidates), **options)
            async with aclosing(stream) as chunks:
                async for chunk in chunks:
                    if text := written.take(chunk):
                        yield text
        if text := written.end():
            yield text

    def _batch(self, tasks: Sequence[Task]) -> list[AIMessage]:
        prompts = [self._prompt(task.source, task.candidates) for task in tasks]
        return [as_answer(each) for each in self.model.batch(prompts, **_options(tasks))]

    def _prompt(self, question: str, candidates: Answers) -> list[BaseMessage]:
        blocks = fusion_blocks(question, Task(question, candidates).candidates)
        wanted = {name: blocks[name] for name in self.prompt.input_variables}
        return shown_to(self.model, self.prompt.format_prompt(**wanted).to_messages(), question)


def _options(tasks: Sequence[Task]) -> dict[str, Any]:
    """What the call wants of the form, where these tasks are the call's question."""
    return dict(asked_now(tasks[0].source).form.options) if len(tasks) == 1 else {}


def _text_of(message: AIMessage, question: str) -> str:
    """The text of what a model wrote.

    Raises:
        ValueError: it called a tool instead.
    """
    if not message.text.strip():
        for call in (*message.tool_calls, *message.invalid_tool_calls):
            raise ValueError(f"called {call['name']!r} instead of writing a text")
    asked_now(question).written.append(message)
    return without_thoughts(str(message.text))


class _Written:
    """What a model writes in a stream, as text without thoughts and as one message."""

    def __init__(self, question: str) -> None:
        self._question = question
        self._filter = ThoughtFilter()
        self._whole: AIMessageChunk | None = None

    def take(self, chunk: object) -> str:
        """The text of a chunk that is to be shown."""
        if isinstance(chunk, AIMessage):
            part = chunk if isinstance(chunk, AIMessageChunk) else as_chunk(chunk)
            self._whole = part if self._whole is None else self._whole + part
        return self._filter.take(
            chunk if isinstance(chunk, str) else str(getattr(chunk, "text", ""))
        )

    def end(self) -> str:
        """What of the text is left to be shown."""
        if self._whole is not None:
            message = message_chunk_to_message(self._whole)
            asked_now(self._question).written.append(cast("AIMessage", message))
        return self._filter.rest()
