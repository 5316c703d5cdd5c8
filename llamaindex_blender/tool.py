"""PickBestAnswer: a tool for agents that have several answers to a question."""

from __future__ import annotations

from llama_index.core.bridge.pydantic import BaseModel, Field
from llama_index.core.tools import FunctionTool, ToolMetadata

from blender_core.ranking.joining import shared
from blender_core.ranking.ranker import Ranker

__all__ = ["PickBestAnswer"]


class _Arguments(BaseModel):
    """A question, and the answers to choose from."""

    question: str = Field(description="The question that the answers are about.")
    answers: list[str] = Field(min_length=1, description="Two or more answers to choose from.")


class PickBestAnswer(FunctionTool):
    """A tool that picks the best of several answers, word for word.

    Args:
        ranker: orders the answers; None is the shipped `JointRanker()`.
    """

    def __init__(self, ranker: Ranker | None = None) -> None:
        chosen = shared(ranker)

        def pick(question: str, answers: list[str]) -> str:
            given = _Arguments(question=question, answers=answers)
            return chosen.rank(given.question, given.answers).best.text

        async def apick(question: str, answers: list[str]) -> str:
            given = _Arguments(question=question, answers=answers)
            return (await chosen.arank(given.question, given.answers)).best.text

        metadata = ToolMetadata(
            name="pick_best_answer",
            description="Compare several answers to a question two by two and return the best "
            "one, word for word.",
            fn_schema=_Arguments,
        )
        super().__init__(fn=pick, async_fn=apick, metadata=metadata)
