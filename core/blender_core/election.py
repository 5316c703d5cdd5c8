"""Which answers stand for election, and who wins, where equal answers are votes.

Of texts a ranker says which is best. Of answers that are to be carried out, such as calls of
tools, some cannot be, and several may be exactly the same.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from blender_core.outcomes import Ranking

__all__ = ["Election", "Entrant"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entrant(Generic[T]):
    """An answer, and who gave it.

    Attributes:
        voters: names; more than one where several gave the same.
        answer: the first one's.
        counts: whether equal answers were looked for: it is more than words.
    """

    voters: tuple[str, ...]
    answer: T
    counts: bool


@dataclass(frozen=True, slots=True)
class Election(Generic[T]):
    """The answers to choose from.

    Attributes:
        standing: who stands for election, at least one.
        aside: the others, by name, with what is wrong with each.
    """

    standing: tuple[Entrant[T], ...]
    aside: Mapping[str, str]

    @classmethod
    def of(
        cls,
        answers: Mapping[str, T],
        *,
        unfit: Callable[[T], str | None],
        same: Callable[[T], Hashable | None],
    ) -> Election[T]:
        """Let answers stand for election.

        Args:
            answers: one or more, by name.
            unfit: what is wrong with an answer, None where nothing is. Unfit ones are set aside,
                as long as one is fit.
            same: what is equal for answers that are one entrant with several voters; None for an
                answer in words, which stands alone.

        >>> said = {"a": "call x", "b": "call y", "c": "call y", "d": "call"}
        >>> election = Election.of(
        ...     said, unfit=lambda s: None if s[5:] else "calls nothing", same=lambda s: s
        ... )
        >>> [entrant.voters for entrant in election.standing], election.aside
        ([('a',), ('b', 'c')], {'d': 'calls nothing'})
        """
        aside = {name: why for name, answer in answers.items() if (why := unfit(answer))}
        if len(aside) == len(answers):
            aside = {}
        groups: dict[tuple[bool, Hashable], list[str]] = {}
        for name, answer in answers.items():
            if name not in aside:
                key = same(answer)
                groups.setdefault((False, name) if key is None else (True, key), []).append(name)
        standing = tuple(
            Entrant(tuple(names), answers[names[0]], counts)
            for (counts, _), names in groups.items()
        )
        return cls(standing, aside)

    def order(self, ranking: Ranking) -> list[Entrant[T]]:
        """Who stands, best first: by votes and, of those with as many, as the ranking says.

        Where several agreed on what to do, all who answered in words instead are votes for each
        of their answers, as they agree on that.

        Args:
            ranking: of those who stand, in the same order.
        """
        agreed = any(len(entrant.voters) > 1 for entrant in self.standing)
        in_words = sum(not entrant.counts for entrant in self.standing)

        def votes(place: int) -> int:
            entrant = self.standing[place]
            return len(entrant.voters) if entrant.counts or not agreed else in_words

        places = sorted(ranking.order, key=votes, reverse=True)  # stable
        return [self.standing[place] for place in places]
