"""Question and answer as token ids: what all formats have in common.

User text goes through `TextTokenizer`, so nothing in it can act as a special token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from tokenizers import Tokenizer

from blender_core.errors import InputError
from blender_core.models.tokenizer import TextTokenizer

__all__ = ["Frame", "PairRows", "Row", "check_room", "share"]


@dataclass(frozen=True, slots=True)
class Row:
    """Token ids of one sequence and, for encoders that know two kinds of segment, their types."""

    ids: list[int]
    types: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)


def share(room: int, question: int, answer: int) -> tuple[int, int]:
    """Tokens of question and answer that are kept, both cut on the right.

    The answer has at least half of the room, more where the question leaves it: no question,
    however long, pushes the answer out.

    >>> share(10, question=4, answer=4)
    (4, 4)
    >>> share(10, question=99, answer=4)
    (6, 4)
    >>> share(10, question=99, answer=99)
    (5, 5)
    """
    if question + answer <= room:
        return question, answer
    answer = min(answer, max(room - question, room - room // 2))
    return room - answer, answer


def check_room(max_length: int, taken: int) -> None:
    """Check that a row has tokens left for text.

    Raises:
        InputError: the format's own tokens take all of them.
    """
    if max_length - taken < 2:
        raise InputError(
            f"max_length is {max_length}, but the format's own tokens take {taken}: "
            "nothing is left for question and answer"
        )


@dataclass(frozen=True, slots=True)
class Frame:
    """What a tokenizer puts before, between and after texts: token ids and segment types.

    Attributes:
        parts: the ids, one list more than there are texts.
        part_types: a segment type for each of them.
        text_types: the segment type of each text.
    """

    parts: list[list[int]]
    part_types: list[list[int]]
    text_types: list[int]

    @classmethod
    def of(cls, tokenizer: Tokenizer, texts: int) -> Frame:
        """The frame of one text, or of two."""
        encoding = tokenizer.encode("a", "a" if texts == 2 else None)
        frame = cls([[] for _ in range(texts + 1)], [[] for _ in range(texts + 1)], [0] * texts)
        part = 0
        for token, kind, sequence in zip(
            encoding.ids, encoding.type_ids, encoding.sequence_ids, strict=True
        ):
            if sequence is None:
                frame.parts[part].append(token)
                frame.part_types[part].append(kind)
            else:
                frame.text_types[sequence] = kind
                part = sequence + 1
        return frame

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def row(self, *texts: list[int]) -> Row:
        """The texts' ids in the frame."""
        ids, types = list(self.parts[0]), list(self.part_types[0])
        for place, text in enumerate(texts):
            ids += [*text, *self.parts[place + 1]]
            types += [self.text_types[place]] * len(text) + self.part_types[place + 1]
        return Row(ids, types)


class PairRows:
    """Question and answer as the tokenizer's own pair of sequences.

    Args:
        tokenizer: of the checkpoint.
        max_length: tokens of a row; see `share` for what is cut.

    Raises:
        InputError: `max_length` leaves no room for text.
    """

    def __init__(self, tokenizer: TextTokenizer, max_length: int) -> None:
        self._tokenizer = tokenizer
        self._frame = Frame.of(tokenizer.full, texts=2)
        self._room = max_length - len(self._frame)
        check_room(max_length, len(self._frame))

    def __call__(self, items: Sequence[tuple[str, str]]) -> list[Row]:
        """One row an item."""
        texts = list(dict.fromkeys(text for item in items for text in item))
        ids = dict(zip(texts, self._tokenizer.encode(texts), strict=True))
        rows = []
        for question, answer in items:
            kept = share(self._room, len(ids[question]), len(ids[answer]))
            rows.append(self._frame.row(ids[question][: kept[0]], ids[answer][: kept[1]]))
        return rows
