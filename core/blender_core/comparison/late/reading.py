"""A question and one answer as one row of token ids, long ones cut in the middle."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config

from blender_core.checks import positive
from blender_core.errors import InputError
from blender_core.models.tokenizer import TextTokenizer, both_ends
from blender_core.validation import brief

__all__ = ["Item", "Reading", "ReadingEncoder", "ReadingLimits", "ReadingMarkers"]

Item = tuple[str, str]
"""A question and an answer to it."""


@with_config(ConfigDict(extra="forbid"))  # for files that have them
@dataclass(frozen=True, slots=True)
class ReadingMarkers:
    """Names of the tokens that open the question and the answer.

    Raises:
        InputError: they are the same.
    """

    source: str = "<|source|>"
    candidate: str = "<|candidate|>"

    def __post_init__(self) -> None:
        if self.source == self.candidate:
            raise InputError(
                f"markers must be two different tokens, got {brief(self.source)} twice"
            )


@dataclass(frozen=True, slots=True)
class ReadingLimits:
    """How many tokens, marker and frame included, are read.

    Args:
        source: of the question.
        candidate: of the answer at least; what the question leaves over comes on top.

    Raises:
        InputError: a limit is no positive whole number.
    """

    source: int
    candidate: int

    def __post_init__(self) -> None:
        positive("source_max_length", self.source)
        positive("candidate_max_length", self.candidate)

    @property
    def row(self) -> int:
        """Tokens of the longest possible row."""
        return self.source + self.candidate


@dataclass(frozen=True, slots=True, eq=False)
class Reading:
    """Token ids of a question and an answer, each with its frame and marker.

    Attributes:
        ids: int64[length].
        source_length: how many of them are the question's.
    """

    ids: NDArray[np.int64]
    source_length: int

    def __len__(self) -> int:
        return len(self.ids)


class ReadingEncoder:
    """Encodes questions with answers: ``[CLS] <|source|> … [SEP] [CLS] <|candidate|> … [SEP]``.

    Where a text is too long, its beginning and its end are kept: answers are judged by how they
    begin and by what they come to.

    Args:
        tokenizer: has the markers in its vocabulary.
        limits: of both parts.
        markers: their names.

    Raises:
        InputError: a limit leaves no room for frame and marker.
        CheckpointError: the tokenizer lacks a marker.
    """

    def __init__(
        self,
        tokenizer: TextTokenizer,
        limits: ReadingLimits,
        markers: ReadingMarkers | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.limits = limits
        self.markers = markers or ReadingMarkers()
        before, self._after = tokenizer.frame(self.markers.source)
        self.marker_place = len(before)
        """Where the marker stands in each part."""
        self._source = [*before, tokenizer.id_of(self.markers.source)]
        self._candidate = [*before, tokenizer.id_of(self.markers.candidate)]
        self._taken = len(self._source) + len(self._after)
        for name, limit in (("source", limits.source), ("candidate", limits.candidate)):
            if limit < self._taken:
                raise InputError(
                    f"{name}_max_length is {limit}, but marker and frame alone take "
                    f"{self._taken} tokens"
                )

    def __call__(self, items: Sequence[Item]) -> list[Reading]:
        """One reading an item; each text is tokenized once."""
        texts = list(dict.fromkeys(text for item in items for text in item))
        ids = dict(zip(texts, self.tokenizer.encode(texts), strict=True))
        readings = []
        for question, answer in items:
            source = self._part(self._source, ids[question], self.limits.source)
            room = self.limits.row - len(source)
            candidate = self._part(self._candidate, ids[answer], room)
            readings.append(Reading(np.array(source + candidate), len(source)))
        return readings

    def _part(self, opening: list[int], ids: list[int], limit: int) -> list[int]:
        return [*opening, *both_ends(ids, limit - self._taken), *self._after]
