"""PickBestAnswer: an agent hands over a question and several answers, and gets the best one."""

from __future__ import annotations

from typing import Any, Literal

from langchain_core.tools import BaseTool
from langchain_core.tools.base import ArgsSchema
from pydantic import ConfigDict, Field

from blender_core.outcomes import Ranking
from blender_core.prompting.picking import PICK_DESCRIPTION, PICK_NAME, PickArguments
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.shipped import shared

__all__ = ["PickBestAnswer"]


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

    name: str = PICK_NAME
    description: str = PICK_DESCRIPTION
    args_schema: ArgsSchema | None = PickArguments
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
