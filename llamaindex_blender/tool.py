"""PickBestAnswer: a tool for agents that have several answers to a question."""

from __future__ import annotations

from llama_index.core.tools import FunctionTool, ToolMetadata

from blender_core.prompting.picking import PICK_DESCRIPTION, PICK_NAME, PickArguments
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.shipped import shared

__all__ = ["PickBestAnswer"]


class PickBestAnswer(FunctionTool):
    """A tool that picks the best of several answers, word for word.

    Args:
        ranker: orders the answers; None is the shipped `JointRanker()`.
    """

    def __init__(self, ranker: Ranker | None = None) -> None:
        chosen = shared(ranker)

        def pick(question: str, answers: list[str]) -> str:
            given = PickArguments(question=question, answers=answers)
            return chosen.rank(given.question, given.answers).best.text

        async def apick(question: str, answers: list[str]) -> str:
            given = PickArguments(question=question, answers=answers)
            return (await chosen.arank(given.question, given.answers)).best.text

        metadata = ToolMetadata(
            name=PICK_NAME, description=PICK_DESCRIPTION, fn_schema=PickArguments
        )
        super().__init__(fn=pick, async_fn=apick, metadata=metadata)
