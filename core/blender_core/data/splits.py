"""Train, dev and test of one set of records, no question in two of them, nor one much like it."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from blender_core.data.near_duplicates import THRESHOLD, groups, matches
from blender_core.data.records import Record
from blender_core.errors import InputError

__all__ = ["Overlap", "overlaps", "question", "split"]


def question(record: Record) -> str:
    """What two records are compared by: instruction and input."""
    return f"{record.instruction}\n{record.input}".strip()


def split(
    records: Sequence[Record],
    shares: Mapping[str, float],
    *,
    seed: int = 0,
    threshold: float = THRESHOLD,
) -> dict[str, list[Record]]:
    """Divide records by their questions.

    Questions that are near duplicates, also over others between them, stay together. Which part
    they go to depends on the seed and their text, not on the order of the records.

    Args:
        records: to divide.
        shares: of the records, by the part's name; what is left of 1 goes to ``train``.
        seed: another one, another division.
        threshold: see `near_duplicates`.

    Returns:
        The records of each part, ``train`` first, in their order. A part but ``train`` never has
        more than its share, but may have less where large groups do not fit.

    Raises:
        InputError: the shares are not usable, or the threshold.
        MissingExtraError: datasketch is not installed.
    """
    left = 1.0 - sum(shares.values())
    if "train" in shares or not left > 0 or not all(share > 0 for share in shares.values()):
        told = ", ".join(f"{name} {share:g}" for name, share in shares.items())
        raise InputError(f"shares must be above 0 and leave something for train, got {told}")
    texts = [question(record) for record in records]
    members: dict[int, list[int]] = defaultdict(list)
    for place, group in enumerate(groups(texts, threshold)):
        members[group].append(place)
    room = {name: round(share * len(records)) for name, share in shares.items()}
    part_of = ["train"] * len(records)
    for together in sorted(members.values(), key=lambda places: _lot(seed, places, texts)):
        for name, free in room.items():
            if len(together) <= free:
                room[name] -= len(together)
                for place in together:
                    part_of[place] = name
                break
    parts: dict[str, list[Record]] = {name: [] for name in ("train", *shares)}
    for record, name in zip(records, part_of, strict=True):
        parts[name].append(record)
    return parts


def _lot(seed: int, group: Sequence[int], texts: Sequence[str]) -> bytes:
    """A group's place in the draw."""
    text = f"{seed}\n{min(texts[place] for place in group)}"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


@dataclass(frozen=True, slots=True)
class Overlap:
    """A question of one part that is much like one of another.

    Attributes:
        parts: names of the two.
        records: the two records.
        similarity: from the threshold to 1, which is the same words.
    """

    parts: tuple[str, str]
    records: tuple[Record, Record]
    similarity: float


def overlaps(parts: Mapping[str, Sequence[Record]], threshold: float = THRESHOLD) -> list[Overlap]:
    """The near duplicates between any two parts, for each question of the later one the likest.

    Raises:
        InputError: the threshold is not usable.
        MissingExtraError: datasketch is not installed.
    """
    names = list(parts)
    texts = {name: [question(record) for record in records] for name, records in parts.items()}
    found: list[Overlap] = []
    for place, later in enumerate(names):
        for earlier in names[:place]:
            best: dict[int, Overlap] = {}
            for match in matches(texts[earlier], texts[later], threshold):
                known = best.get(match.second)
                if known is None or match.similarity > known.similarity:
                    both = parts[earlier][match.first], parts[later][match.second]
                    best[match.second] = Overlap((earlier, later), both, match.similarity)
            found += best.values()
    return found
