"""What is known of members whose answers were judged: how strong each of them is, how surely."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from hashlib import sha256
from os import PathLike
from pathlib import Path

from blender_core.belief.outcome import Outcome, checked, summed, table_of
from blender_core.belief.strengths import Strengths, Table, fitted
from blender_core.errors import InputError
from blender_core.writing import whole_file

__all__ = ["MemberPrior", "Standing"]

MOST_MEMBERS = 1000
"""Time grows with the third power of their number."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How strong a member is.

    Attributes:
        member: its name.
        strength: in logits, against the mean of all who are known.
        error: its standard error: two of them either way hold the truth with 95 %.
        comparisons: how many of it are known.
    """

    member: str
    strength: float
    error: float
    comparisons: float


@dataclass(frozen=True)
class MemberPrior:
    """How strong members are, by the comparisons that are known: Bradley and Terry's model.

    A member of strength s beats one of strength t with the probability ``sigmoid(s - t)``. Little
    known, a member stands near 0, the mean, where everybody stands of whom nothing is known; each
    comparison moves it. What was judged by kinds of question gives each kind strengths of its own,
    which stand near the overall ones in the same way. Only who won is kept, so it does not matter
    in what order, or in how many parts, it came to be known.

    Attributes:
        outcomes: of each pair and kind one.
        spread: standard deviation of members' strengths, in logits: how far apart they are before
            anything is known.
        kind_spread: likewise of the strengths in a kind around the overall ones.
        by: the field of records that says their kind, where they have kinds.
        weight: what a strength counts in a sum with a ranker's logits ...
        ranker_weight: ... and what these count. Fitted, the sum is a logit of the labels.
        beside: the ranker that the weights were fitted for; None where they were not fitted.

    Raises:
        InputError: an outcome or a number is not usable, or there are too many members.

    >>> prior = MemberPrior().updated([("a", "b", 1.0), ("a", "b", 1.0), ("b", "c", 0.5)])
    >>> prior.strength("a") > prior.strength("c") > prior.strength("b")
    True
    >>> prior.strength("somebody new")
    0.0
    """

    outcomes: tuple[Outcome, ...] = field(default=(), repr=False)
    spread: float = 1.0
    kind_spread: float = 0.5
    by: str | None = None
    weight: float = 1.0
    ranker_weight: float = 1.0
    beside: str | None = None

    def __post_init__(self) -> None:
        for name in ("spread", "kind_spread"):
            value = getattr(self, name)
            if not 0.0 < value < math.inf:
                raise InputError(f"{name!r} must be a positive number, got {value!r}")
        for name in ("weight", "ranker_weight"):
            value = getattr(self, name)
            if not 0.0 <= value < math.inf:
                raise InputError(f"{name!r} must be a number of 0 or more, got {value!r}")
        object.__setattr__(self, "outcomes", summed(map(checked, self.outcomes)))
        if len(self.members) > MOST_MEMBERS:
            raise InputError(
                f"there are {len(self.members)} members; at most {MOST_MEMBERS} can be told apart"
            )

    def updated(self, outcomes: Iterable[tuple[object, ...]]) -> MemberPrior:
        """The same after more comparisons, such as users' feedback; spreads and weights stay.

        Args:
            outcomes: each an `Outcome`, or a tuple of what it holds: (a, b, won) at least.

        Raises:
            InputError: an outcome is not usable.

        >>> MemberPrior().updated([("a", "b", 1.0)]).strength("a") > 0
        True
        """
        return replace(self, outcomes=(*self.outcomes, *outcomes))  # type: ignore[arg-type]

    def strength(self, member: str | None, kind: str | None = None) -> float:
        """How strong a member is, in logits; 0, the mean, for one of whom nothing is known.

        Args:
            member: its name.
            kind: of question. Where nothing is known of the member in it, or it is None: overall.
        """
        if member is None:
            return 0.0
        return self._by_kind.get(kind, {}).get(member, self._overall.get(member, 0.0))

    def standings(self, kind: str | None = None) -> list[Standing]:
        """All members of whom something is known (in that kind), the strongest first."""
        if kind is None:
            table = range(len(self.members))
            found, errors = self._strengths.overall, self._strengths.overall_errors
        else:
            place = list(self._tables[1]).index(kind) if kind in self._tables[1] else None
            if place is None:
                return []
            table = self._tables[1][kind].members.tolist()
            found = self._strengths.by_kind[place]
            errors = self._strengths.kind_errors[place]
        counts = dict.fromkeys(self.members, 0.0)
        for outcome in self.outcomes:
            if kind in (None, outcome.kind):
                counts[outcome.a] += outcome.of
                counts[outcome.b] += outcome.of
        names = [self.members[number] for number in table]
        each = [
            Standing(name, float(strength), float(error), counts[name])
            for name, strength, error in zip(names, found, errors, strict=True)
        ]
        return sorted(each, key=lambda one: -one.strength)

    @cached_property
    def members(self) -> tuple[str, ...]:
        """Everybody of whom something is known, in alphabetical order."""
        return tuple(sorted({name for one in self.outcomes for name in (one.a, one.b)}))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of question of which something is known, in alphabetical order."""
        return tuple(self._tables[1])

    def save(self, path: str | PathLike[str]) -> None:
        """Write a file of JSON.

        Raises:
            OSError: it cannot be written.
        """
        from blender_core.belief.member_file import text_of

        with whole_file(Path(path)) as file:
            file.write(text_of(self))

    @cached_property
    def fingerprint(self) -> str:
        """Short, and another one for a prior that says anything else."""
        from blender_core.belief.member_file import text_of

        return sha256(text_of(self)).hexdigest()[:12]

    @classmethod
    def load(cls, path: str | PathLike[str]) -> MemberPrior:
        """Read what `save` wrote.

        Raises:
            CheckpointError: there is no such file, or it is broken.
        """
        from blender_core.belief.member_file import read

        return read(Path(path))

    @classmethod
    def of(cls, given: MemberPrior | str | PathLike[str]) -> MemberPrior:
        """The prior itself, or the one in the file of that name.

        Raises:
            InputError: it is neither.
            CheckpointError: as of `load`.
        """
        if isinstance(given, MemberPrior):
            return given
        if isinstance(given, str | PathLike):
            return cls.load(given)
        raise InputError(
            f"what is known of members is a MemberPrior or the path of its file, "
            f"got {type(given).__name__}"
        )

    @cached_property
    def _tables(self) -> tuple[Table, Mapping[str, Table]]:
        """Of questions of no kind, and by kind."""
        numbers = {name: number for number, name in enumerate(self.members)}
        found: dict[str | None, list[Outcome]] = {None: []}
        for outcome in self.outcomes:
            found.setdefault(outcome.kind, []).append(outcome)
        tables = {kind: table_of(some, numbers) for kind, some in found.items()}
        plain = tables.pop(None)
        return plain, {kind: table for kind, table in tables.items() if kind is not None}

    @cached_property
    def _strengths(self) -> Strengths:
        plain, kinds = self._tables
        return fitted(len(self.members), plain, list(kinds.values()), self.spread, self.kind_spread)

    @cached_property
    def _overall(self) -> dict[str, float]:
        return dict(zip(self.members, self._strengths.overall.tolist(), strict=True))

    @cached_property
    def _by_kind(self) -> dict[str | None, dict[str, float]]:
        found: dict[str | None, dict[str, float]] = {}
        for (kind, table), own in zip(
            self._tables[1].items(), self._strengths.by_kind, strict=True
        ):
            names = [self.members[number] for number in table.members]
            found[kind] = dict(zip(names, own.tolist(), strict=True))
        return found
