"""What a fuser is: it writes one answer from several."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Iterator, Sequence

from blender_core.candidates import Answers, Task
from blender_core.conversations import Asked
from blender_core.errors import ModelOutputError
from blender_core.threads import in_own_thread, in_thread

__all__ = ["Fuser", "texts_of"]


class Fuser(ABC):
    """Writes one answer from the best ones. A new kind implements `fuse_many`."""

    @abstractmethod
    def fuse_many(self, tasks: Sequence[Task]) -> list[str]:
        """Fuse the candidates of each task, given best first, into one text a task."""

    async def afuse_many(self, tasks: Sequence[Task]) -> list[str]:
        """Like `fuse_many`, without blocking the event loop."""
        return await in_own_thread(self.fuse_many)(tasks)

    def fuse(self, instruction: Asked, candidates: Answers) -> str:
        """Fuse answers to one question, given best first."""
        return self.fuse_many([Task(instruction, candidates)])[0]

    async def afuse(self, instruction: Asked, candidates: Answers) -> str:
        """Like `fuse`, without blocking the event loop."""
        return (await self.afuse_many([Task(instruction, candidates)]))[0]

    def stream(self, instruction: str, candidates: Answers) -> Iterator[str]:
        """Yield the fused text piece by piece; a fuser that cannot stream yields it whole."""
        yield self.fuse(instruction, candidates)

    async def astream(self, instruction: str, candidates: Answers) -> AsyncIterator[str]:
        """Like `stream`, without blocking the event loop."""
        async for piece in in_thread(lambda: self.stream(instruction, candidates)):
            yield piece


def texts_of(fused: object, count: int) -> list[str]:
    """What a fuser wrote, if it is one text a task.

    Raises:
        ModelOutputError: it is something else.
    """
    if isinstance(fused, list) and [type(text) for text in fused] == [str] * count:
        return fused
    raise ModelOutputError(f"the fuser was to write {count} texts and gave {fused!r:.80}")
