"""Which texts are nearly the same: MinHash finds them, the shared words decide.

Two texts are near duplicates if the sets of their runs of three words (letter case and
punctuation aside) have a Jaccard similarity of at least the threshold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from blender_core.errors import InputError, MissingExtraError

__all__ = ["THRESHOLD", "Match", "groups", "matches"]

THRESHOLD = 0.7
"""From here on two questions are counted as the same."""

_RUN = 3
_PERMUTATIONS = 128
_WORD = re.compile(r"\w+")
_MISSES_COUNT = (0.1, 0.9)
"""What wrong candidates and misses cost; wrong candidates are sorted out by their words."""


@dataclass(frozen=True, slots=True)
class Match:
    """Two near duplicates.

    Attributes:
        first: index of a text.
        second: index of the other one.
        similarity: Jaccard similarity of their words' runs, 1 for the same words.
    """

    first: int
    second: int
    similarity: float


def groups(texts: Sequence[str], threshold: float = THRESHOLD) -> list[int]:
    """A number for each text, the same for near duplicates and near duplicates of these.

    Raises:
        InputError: the threshold is not in (0, 1].
        MissingExtraError: datasketch is not installed.
    """
    index = _Index(threshold)
    parents = list(range(len(texts)))

    def root(place: int) -> int:
        while parents[place] != place:
            parents[place] = parents[parents[place]]
            place = parents[place]
        return place

    for place, text in enumerate(texts):
        sketch = _Sketch.of(text)
        for match in index.like(sketch):
            one, other = root(match.first), root(place)
            parents[max(one, other)] = min(one, other)
        index.add(sketch)
    return [root(place) for place in range(len(texts))]


def matches(
    first: Sequence[str], second: Sequence[str], threshold: float = THRESHOLD
) -> Iterator[Match]:
    """The near duplicates between two lists of texts, in the order of the second.

    Raises:
        InputError: the threshold is not in (0, 1].
        MissingExtraError: datasketch is not installed.
    """
    index = _Index(threshold)
    for text in first:
        index.add(_Sketch.of(text))
    for place, text in enumerate(second):
        for match in index.like(_Sketch.of(text)):
            yield Match(match.first, place, match.similarity)


class _Index:
    """Texts that can be asked for by what is like them; one of each kind is kept."""

    def __init__(self, threshold: float) -> None:
        if not 0.0 < threshold <= 1.0:
            raise InputError(f"the threshold must be above 0 and at most 1, got {threshold!r}")
        try:
            from datasketch import MinHashLSH
        except ImportError:
            raise MissingExtraError("finding near duplicates", "train") from None
        self._threshold = threshold
        # at exactly 1 the library's own choice of bands would be lost
        kept = min(threshold, 0.95)
        self._index = MinHashLSH(threshold=kept, num_perm=_PERMUTATIONS, weights=_MISSES_COUNT)
        self._places: dict[frozenset[str], int] = {}
        self._runs: dict[int, frozenset[str]] = {}
        self._count = 0

    def add(self, sketch: _Sketch) -> None:
        """Take a text; its index is how many there were before."""
        if sketch.runs not in self._places:
            self._places[sketch.runs] = self._count
            self._runs[self._count] = sketch.runs
            self._index.insert(self._count, sketch.signature, check_duplication=False)
        self._count += 1

    def like(self, sketch: _Sketch) -> Iterator[Match]:
        """The texts like this one, the first of each kind, in their order."""
        same = self._places.get(sketch.runs)
        found = set() if same is None else {same}
        found.update(self._index.query(sketch.signature))
        for place in sorted(found):
            known = self._runs[place]
            similarity = len(known & sketch.runs) / len(known | sketch.runs)
            if similarity >= self._threshold:
                yield Match(place, self._count, similarity)


@dataclass(frozen=True, slots=True)
class _Sketch:
    """What of a text is compared: its runs of words (or, of one without words, the text)."""

    runs: frozenset[str]
    signature: Any

    @classmethod
    def of(cls, text: str) -> _Sketch:
        from datasketch import MinHash

        words = _WORD.findall(text.casefold()) or [text.strip()]
        last = max(len(words) - _RUN, 0)
        runs = frozenset(" ".join(words[start : start + _RUN]) for start in range(last + 1))
        signature = MinHash(num_perm=_PERMUTATIONS)
        signature.update_batch([run.encode("utf-8", "surrogatepass") for run in runs])
        return cls(runs, signature)
