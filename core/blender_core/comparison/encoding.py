"""A question and two answers as one row of token ids (LLM-Blender, section 3.1).

``[CLS] <|source|> question [SEP] [CLS] <|candidate1|> first [SEP] [CLS] <|candidate2|> ...``
with the tokenizer's own frame in place of [CLS] and [SEP]. The encoder's vectors at the three
markers are all the head sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from blender_core.candidates import Pair
from blender_core.comparison.tokenizer import TextTokenizer
from blender_core.errors import InputError

__all__ = ["Limits", "Markers", "PairEncoder", "Row"]


@dataclass(frozen=True, slots=True)
class Markers:
    """Names of the tokens whose vectors stand for the question and the two answers."""

    source: str = "<|source|>"
    first: str = "<|candidate1|>"
    second: str = "<|candidate2|>"
    candidate: str = "<|candidate|>"
    """In the original's vocabulary, never shown to the encoder."""

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
    """

    source: int
    candidate: int

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


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids of the three parts of one comparison, each with its frame and marker."""

    source: list[int]
    first: list[int]
    second: list[int]

    def __len__(self) -> int:
        return len(self.source) + len(self.first) + len(self.second)

    @property
    def ids(self) -> list[int]:
        """The whole row as an encoder reads it."""
        return self.source + self.first + self.second


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
        ids = dict(zip(texts, self.tokenizer.encode(texts), strict=True))
        return [self._row(ids[p.instruction], ids[p.first], ids[p.second]) for p in pairs]

    def _row(self, source: list[int], first: list[int], second: list[int]) -> Row:
        question = self._part(self._source_id, source, self.limits.source)
        room = self.limits.room(len(question))
        return Row(
            question,
            self._part(self._first_id, first, room),
            self._part(self._second_id, second, room),
        )

    def _part(self, marker: int, text: list[int], limit: int) -> list[int]:
        room = limit - len(self._before) - 1 - len(self._after)
        return [*self._before, marker, *text[:room], *self._after]
