"""What a command's results look like as lines of JSON, and so which lines ``--resume`` takes."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, InstanceOf, Strict, StrictBool, StrictInt

from blender_core.outcomes import StopReason, VerdictReason

__all__ = ["Blended", "Compared", "Fused", "Ranked", "Row"]

Text = InstanceOf[str]
"""A str, lone surrogates included, which a plain str field may refuse."""

Number = Annotated[float, Strict()] | None
"""Null stands for NaN."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Row(_Strict):
    """A result.

    Attributes:
        line: of the input, counted from 1.
        task: short, and another one for another question, other answers or other settings.
        id: of the record, if it has one.
    """

    BEGINNING: ClassVar = b'{"line": '

    line: StrictInt
    task: Text
    id: Text | StrictInt | None = None

    def as_value(self) -> dict[str, Any]:
        """As JSON takes it; what was not given is left out."""
        return self.model_dump(exclude_unset=True)


class _Best(_Strict):
    model: Text | None
    text: Text


class Ranked(Row):
    """Of ``rank``: a ranking; see `blender_core.outcomes.Ranking`.

    Attributes:
        instruction: the question, where results carry what they are about.
        input: what it works on.
        candidates: the answers.
    """

    instruction: Text | None = None
    input: Text = ""
    candidates: list[_Best] = []

    order: list[StrictInt]
    ranks: list[StrictInt]
    scores: list[Number]
    best: _Best
    passes: StrictInt
    stopped_because: StopReason
    probability_best: list[Number]
    confidence: Number
    calibrated: StrictBool
    position_bias: Number
    score_parts: dict[Text, list[Number]] = {}
    matrix: list[list[Number]] = []


class _Verdict(_Strict):
    reason: VerdictReason
    fused_first: Number
    fused_second: Number
    probability: Number
    rejected: Text | None
    error: Text | None


class Blended(Ranked):
    """Of ``blend``: what came out, and the ranking behind it."""

    text: Text
    fused: StrictBool
    sources: list[Text]
    verdict: _Verdict


class Compared(Row):
    """Of ``compare``: which of two answers is better."""

    logit: Number
    probability: Number
    calibrated: StrictBool
    better: Literal["a", "b", "tie"]
    best: _Best | None
    passes: StrictInt


class Fused(Row):
    """Of ``fuse``: the text, and of whose answers it was written."""

    text: Text
    sources: list[Text]
