"""Who stands for election, and who wins where equal answers are votes."""

from __future__ import annotations

import numpy as np
import pytest

from blender_core import Candidate, Ranking
from blender_core.election import Election


def election(**answers: str) -> Election[str]:
    """Of answers of which some call something (``!x``), and some are wrong (``?``)."""
    return Election.of(
        answers,
        unfit=lambda answer: "is wrong" if answer.startswith("?") else None,
        same=lambda answer: answer if answer.startswith("!") else None,
    )


def ranking(*order: int) -> Ranking:
    """The places, best first."""
    scores = tuple(-float(order.index(place)) for place in range(len(order)))
    candidates = tuple(Candidate(str(place)) for place in range(len(order)))
    matrix = np.subtract.outer(scores, scores).astype(np.float32)
    return Ranking(candidates, order, tuple(range(1, len(order) + 1)), scores, matrix, passes=0)


def test_what_is_wrong_is_set_aside_as_long_as_something_is_right():
    one = election(a="?", b="well", c="?", d="!x")
    assert [entrant.voters for entrant in one.standing] == [("b",), ("d",)]
    assert one.aside == {"a": "is wrong", "c": "is wrong"}
    none = election(a="?1", b="?2")
    assert [entrant.answer for entrant in none.standing] == ["?1", "?2"]
    assert none.aside == {}


@pytest.mark.parametrize(
    ("answers", "order", "winner"),
    [
        ({"a": "!x", "b": "!y", "c": "!y"}, (0, 1), "b"),  # most votes, whoever is ranked best
        ({"a": "!x", "b": "!y"}, (1, 0), "b"),  # as many votes: as ranked
        ({"a": "well", "b": "!x", "c": "!x"}, (0, 1), "b"),
        ({"a": "well", "b": "so", "c": "!x", "d": "!x"}, (1, 2, 0), "b"),
        ({"a": "well", "b": "so", "c": "!x", "d": "!x"}, (2, 1, 0), "c"),
        ({"a": "well", "b": "so", "c": "now", "d": "!x", "e": "!x"}, (3, 2, 1, 0), "c"),
        ({"a": "well", "b": "so", "c": "!x"}, (2, 1, 0), "c"),  # nobody agreed on a call
        ({"a": "same", "b": "same", "c": "so"}, (2, 1, 0), "c"),  # words are no votes
    ],
)
def test_the_winner_has_most_votes_and_is_ranked_best_of_those(answers, order, winner):
    assert election(**answers).order(ranking(*order))[0].voters[0] == winner


def test_those_who_gave_the_same_are_one_entrant():
    [entrant] = election(a="!x", b="!x").standing
    assert (entrant.voters, entrant.answer, entrant.counts) == (("a", "b"), "!x", True)
    # An answer's name is never taken for what it wants.
    assert len(election(**{"!x": "words", "b": "!x"}).standing) == 2
