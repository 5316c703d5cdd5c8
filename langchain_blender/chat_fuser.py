"""ChatFuser: a chat model that writes one answer from the best ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from typing import Any

from langchain_core.messages import BaseMessage
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.prompts.base import BasePromptTemplate

from blender_core.candidates import Answers, Task
from blender_core.fusion.fuser import Fuser
from blender_core.prompting.fusion import FUSION_INSTRUCTIONS, fusion_blocks
from langchain_blender.members import Member, as_answer, named_members
from langchain_blender.prompts import check_variables

__all__ = ["FUSION_PROMPT", "ChatFuser"]

FUSION_PROMPT = ChatPromptTemplate(
    [("system", FUSION_INSTRUCTIONS), ("human", "{question}\n\n{answers}")]
)
"""The default prompt of `ChatFuser`."""


class ChatFuser(Fuser):
    """Fuses answers with any chat model.

    Every answer stands in a block of its own, whose tags no answer can forge (see `Fence`).

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
        answers = self.model.batch([self._prompt(task.source, task.candidates) for task in tasks])
        return [str(as_answer(answer).text) for answer in answers]

    async def afuse_many(self, tasks: Sequence[Task]) -> list[str]:
        """Like `fuse_many`, without blocking the event loop."""
        prompts = [self._prompt(task.source, task.candidates) for task in tasks]
        return [str(as_answer(answer).text) for answer in await self.model.abatch(prompts)]

    def stream(self, instruction: str, candidates: Answers) -> Iterator[str]:
        """Yield the fused text as the model writes it."""
        for chunk in self.model.stream(self._prompt(instruction, candidates)):
            if text := _text(chunk):
                yield text

    async def astream(self, instruction: str, candidates: Answers) -> AsyncIterator[str]:
        """Like `stream`, without blocking the event loop."""
        stream: Any = self.model.astream(self._prompt(instruction, candidates))
        async with aclosing(stream) as chunks:
            async for chunk in chunks:
                if text := _text(chunk):
                    yield text

    def _prompt(self, question: str, candidates: Answers) -> list[BaseMessage]:
        blocks = fusion_blocks(question, Task(question, candidates).candidates)
        wanted = {name: blocks[name] for name in self.prompt.input_variables}
        return self.prompt.format_prompt(**wanted).to_messages()


def _text(chunk: object) -> str:
    return chunk if isinstance(chunk, str) else str(getattr(chunk, "text", ""))
