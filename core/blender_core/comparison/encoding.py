"""A question and two answers as one row of token ids (LLM-Blender, section 3.1).

``[CLS] <|source|> question [SEP] [CLS] <|candidate1|> first [SEP] [CLS] <|candidate2|> ...``
with the tokenizer's own frame in place of [CLS] and [SEP]. The encoder's vectors at the three
markers are all the head sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, with_config

from blender_core.candidates import Pair
from blender_core.checks import positive
from blender_core.errors import InputError
from blender_core.models.tokenizer import TextTokenizer
from blender_core.validation import brief

__all__ = ["Limits", "Markers", "PairEncoder", "Row"]


@with_config(ConfigDict(extra="forbid"))  # for files that have them
@dataclass(frozen=True, slots=True)
class Markers:
    """Names of the tokens whose vectors stand for the question and the two answers.

    Raises:
        InputError: they are not four different names.
    """

    source: str = "<|source|>"
    first: str = "<|candidate1|>"
    second: str = "<|candidate2|>"
    candidate: str = "<|candidate|>"
    """In the original's vocabulary, never shown to the encoder."""

    def __post_init__(self) -> None:
        names = tuple(self)
        if len(set(names)) < len(names):
            raise InputError(f"markers must be four different tokens, got {brief(names)}")

    def __iter__(self) -> Iterator[str]:
        """In the order in which the original adds them to a vocabulary."""
        return iter((self.source, self.first, self.second, self.candidate))


@dataclass(frozen=True, slots=True)
class Limits:
    """How many tokens, marker and frame included, each part of a row may have.

    Args:
        source: tokens of the question; what is longer is cut on the right.
        candidate: tokens each answer has at least; half of what the question leaves over comes
            on top. No question, however long, takes this room away.

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
        return self.source + 2 * self.candidate

    def room(self, source_length: int) -> int:
        """Tokens each answer may have beside a question of this many tokens.

        >>> Limits(source=1224, candidate=412).room(24)
        1012
        """
        return self.candidate + (self.source - source_length) // 2


@dataclass(frozen=True, slots=True, eq=False)
class Row:
    """Token ids of the three parts of one comparison, each with its frame and marker.

    Parts that read the same are the same array, so `key` tells rows apart.

    Attributes:
        source: int64[length] of the question, and likewise
        first: of the answer shown first,
        second: of the answer shown second.
    """

    source: NDArray[np.int64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.source) + len(self.first) + len(self.second)

    @property
    def ids(self) -> NDArray[np.int64]:
        """The whole row as an encoder reads it."""
        return np.concatenate([self.source, self.first, self.second])

    @property
    def key(self) -> tuple[int, int, int]:
        """Equal for rows of one call that read the same."""
        return id(self.source), id(self.first), id(self.second)


class PairEncoder:
    """Encodes pairs; each text of a call is tokenized once, however many pairs it is in.

    Args:
        tokenizer: has the markers in its vocabulary.
        limits: of the three parts.
        markers: their names.

    Raises:
        InputError: a limit leaves no room for frame and marker.
        CheckpointError: the tokenizer lacks a marker.
    """

    def __init__(
        self, tokenizer: TextTokenizer, limits: Limits, markers: Markers | None = None
    ) -> None:
        self.tokenizer = tokenizer
        self.limits = limits
        self.markers = markers or Markers()
        self._before, self._after = tokenizer.frame(self.markers.source)
        self._source_id = tokenizer.id_of(self.markers.source)
        self._first_id = tokenizer.id_of(self.markers.first)
        self._second_id = tokenizer.id_of(self.markers.second)
        needed = len(self._before) + 1 + len(self._after)
        for name, limit in (("source", limits.source), ("candidate", limits.candidate)):
            if limit < needed:
                raise InputError(
                    f"{name}_max_length is {limit}, but marker and frame alone take {needed} tokens"
                )

    @property
    def marker_place(self) -> int:
        """Where the marker stands in each part of a row."""
        return len(self._before)

    def encode(self, pairs: Sequence[Pair]) -> list[Row]:
        """One row a pair, in the order of the pairs."""
        texts = list(
            dict.fromkeys(
                text for pair in pairs for text in (pair.instruction, pair.first, pair.second)
            )
        )
        parts = _Parts(
            dict(zip(texts, self.tokenizer.encode(texts), strict=True)), self._before, self._after
        )
        rows = []
        for pair in pairs:
            source = parts.of(self._source_id, pair.instruction, self.limits.source)
            room = self.limits.room(len(source))
            first = parts.of(self._first_id, pair.first, room)
            rows.append(Row(source, first, parts.of(self._second_id, pair.second, room)))
        return rows


class _Parts:
    """The parts of one call's rows; each is made once, and parts that read the same are one."""

    def __init__(self, ids: dict[str, list[int]], before: list[int], after: list[int]) -> None:
        self._ids = ids
        self._before = before
        self._after = after
        self._made: dict[tuple[int, str, int], NDArray[np.int64]] = {}
        self._by_content: dict[bytes, NDArray[np.int64]] = {}

    def of(self, marker: int, text: str, limit: int) -> NDArray[np.int64]:
        """Marker and text in their frame, at most `limit` tokens."""
        part = self._made.get((marker, text, limit))
        if part is None:
            room = limit - len(self._before) - 1 - len(self._after)
            ids = np.array([*self._before, marker, *self._ids[text][:room], *self._after])
            part = self._by_content.setdefault(ids.tobytes(), ids)
            self._made[marker, text, limit] = part
        return part
