"""What an agent is told of the tool that picks the best of several answers."""

from __future__ import annotations

from pydantic import BaseModel, Field

__all__ = ["PICK_DESCRIPTION", "PICK_NAME", "PickArguments"]

PICK_NAME = "pick_best_answer"

PICK_DESCRIPTION = (
    "Compare several answers to a question two by two and return the best one, word for word."
)


class PickArguments(BaseModel):
    """A question, and the answers to choose from."""

    question: str = Field(description="The question that the answers are about.")
    answers: list[str] = Field(min_length=1, description="Two or more answers to choose from.")
