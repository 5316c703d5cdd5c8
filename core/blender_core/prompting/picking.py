"""What an agent is told of the tool that picks the best of several answers."""

from __future__ import annotations

import json
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, Field

__all__ = ["PICK_DESCRIPTION", "PICK_NAME", "PickArguments"]

_TEXT = ("answer", "text", "content", "response", "value", "output")
"""Under which words an answer's text stands, where an answer is an object."""


def _listed(given: Any) -> Any:
    """The answers as a list of texts, as far as they can be read as one."""
    if isinstance(given, str):
        try:
            read = json.loads(given)
        except ValueError:
            return [given]
        return _listed(read) if isinstance(read, list | dict) else [given]
    if isinstance(given, dict):
        if any(isinstance(given.get(word), str) for word in _TEXT):
            return [_text(given)]
        if len(given) == 1 and isinstance(next(iter(given.values())), list):
            return _listed(next(iter(given.values())))  # {"answers": [...]}
        return [_text(one) for one in given.values()]
    return [_text(one) for one in given] if isinstance(given, list | tuple) else given


def _text(answer: Any) -> Any:
    if isinstance(answer, dict):
        found = next((answer[word] for word in _TEXT if isinstance(answer.get(word), str)), None)
        return json.dumps(answer, ensure_ascii=False) if found is None else found
    if isinstance(answer, bool | int | float):
        return json.dumps(answer)
    return answer


PICK_NAME = "pick_best_answer"

PICK_DESCRIPTION = (
    "Compare several answers to a question two by two and return the best one, word for word."
)


class PickArguments(BaseModel):
    """A question, and the answers to choose from.

    Models write the list of answers in many ways: as text that is JSON, as one answer, as objects
    with a text in them, or by number or name. All of these are read.

    >>> PickArguments(question="2 + 2?", answers='["4", "5"]').answers
    ['4', '5']
    >>> PickArguments(question="2 + 2?", answers={"1": "4", "2": {"text": "5"}}).answers
    ['4', '5']
    """

    question: str = Field(description="The question that the answers are about.")
    answers: Annotated[list[str], BeforeValidator(_listed)] = Field(
        min_length=1, description="Two or more answers to choose from."
    )
