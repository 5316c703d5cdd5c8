"""Who won against whom, in comparisons of members' answers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import numpy as np

from blender_core.belief.goal import Floats
from blender_core.belief.strengths import Table
from blender_core.errors import InputError

__all__ = ["Outcome", "checked", "summed", "table_of"]


class Outcome(NamedTuple):
    """What became of comparisons of two members' answers.

    Attributes:
        a: a member's name.
        b: another one's.
        won: how many of them ``a`` won; a tie is half of one.
        kind: of question; None where nothing is said.
        of: how many there were; less than were made, where these say the same in part.
    """

    a: str
    b: str
    won: float
    kind: str | None = None
    of: float = 1.0


def checked(given: tuple[object, ...]) -> Outcome:
    """An outcome, if it is one.

    Raises:
        InputError: it is none.
    """
    match (*given, *(None, 1.0)[len(given) - 3 :]):
        case (
            str(a),
            str(b),
            int() | float() as won,
            None | str() as kind,
            int() | float() as of,
        ) if a != b and 0 <= won <= of and 0 < of < math.inf:
            return Outcome(a, b, float(won), kind or None, float(of))
    raise InputError(
        "an outcome is (a, b, won), two different members' names and what the first one got: 1, 0 "
        "or 0.5; behind them perhaps a kind of question, and of how many comparisons; "
        f"got {given!r:.80}"
    )


def summed(outcomes: Iterable[Outcome]) -> tuple[Outcome, ...]:
    """Of each pair and kind one outcome, in alphabetical order."""
    found: dict[tuple[str, str, str, str | None], tuple[list[float], list[float]]] = {}
    for a, b, won, kind, of in outcomes:
        first, second, points = (a, b, won) if a < b else (b, a, of - won)
        wins, games = found.setdefault((kind or "", first, second, kind), ([], []))
        wins.append(points)
        games.append(of)
    return tuple(
        Outcome(a, b, min(math.fsum(wins), math.fsum(games)), kind, math.fsum(games))
        for (_, a, b, kind), (wins, games) in sorted(found.items())
    )


def table_of(outcomes: Iterable[Outcome], numbers: Mapping[str, int]) -> Table:
    """The table of outcomes, given all members' numbers."""
    some = list(outcomes)
    members = sorted({numbers[name] for one in some for name in (one.a, one.b)})
    places = {number: place for place, number in enumerate(members)}
    points: Floats = np.zeros((len(members), len(members)))
    for a, b, won, _, of in some:
        first, second = places[numbers[a]], places[numbers[b]]
        points[first, second] += won
        points[second, first] += of - won
    return Table(np.array(members, dtype=np.intp), points)
