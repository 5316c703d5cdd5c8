"""PickBestAnswer: an agent hands over a question and several answers, and gets the best one."""

from __future__ import annotations

from typing import Any, Literal

from langchain_core.tools import BaseTool
from langchain_core.tools.base import ArgsSchema
from pydantic import BaseModel, ConfigDict, Field

from blender_core.candidates import Ranking
from blender_core.ranking.joining import shared
from blender_core.ranking.ranker import Ranker

__all__ = ["PickBestAnswer"]


class _Arguments(BaseModel):
    question: str = Field(description="The question that the answers are about.")
    answers: list[str] = Field(min_length=1, description="Two or more answers to choose from.")


class PickBestAnswer(BaseTool):
    """A tool that picks the best of several answers, with the full ranking as its artifact.

    Args:
        ranker: orders the answers; None is the shipped `JointRanker()`.

    >>> from blender_core import ConsensusRanker
    >>> tool = PickBestAnswer(ranker=ConsensusRanker())
    >>> tool.invoke({"question": "2 + 2?", "answers": ["5", "It is 4", "4, it is"]})
    'It is 4'
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    name: str = "pick_best_answer"
    description: str = (
        "Compare several answers to a question two by two and return the best one, word for word."
    )
    args_schema: ArgsSchema | None = _Arguments
    response_format: Literal["content", "content_and_artifact"] = "content_and_artifact"
    ranker: Ranker | None = Field(default=None, exclude=True)

    def _run(self, question: str, answers: list[str], **_: Any) -> tuple[str, dict[str, Any]]:
        return _result(shared(self.ranker).rank(question, answers))

    async def _arun(
        self, question: str, answers: list[str], **_: Any
    ) -> tuple[str, dict[str, Any]]:
        return _result(await shared(self.ranker).arank(question, answers))


def _result(ranking: Ranking) -> tuple[str, dict[str, Any]]:
    """The best answer and, in plain JSON, how all compare: by their places in the list given."""
    return ranking.best.text, {
        "order": list(ranking.order),
        "ranks": list(ranking.ranks),
        "scores": list(ranking.scores),
        "passes": ranking.passes,
        "answers": [candidate.text for candidate in ranking.candidates],
    }
