"""What an active schedule may still ask: open pairs, within a budget."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_core.outcomes import StopReason
from blender_core.ranking.schedules.schedule import Round

__all__ = ["Limits", "OpenPairs"]

_TRIES = 3
"""Comparisons of a candidate that may fail before it is left as unknown as it is."""

_TOKEN = 4
"""Characters."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be asked of one task; None is no limit."""

    passes: int | None = None
    tokens: int | None = None
    seconds: float | None = None


class OpenPairs:
    """The ordered pairs of one task that may still be asked. Its time begins when it is made.

    Args:
        lengths: characters of the candidates' texts.
        limits: how much may be asked.

    Attributes:
        are_open: bool[N, N].
        asked: how many pairs were asked.
        unseen: bool[N], whether a candidate was never compared with success.
        given_up: bool[N], whether that is for good.
        spent: which limit ended the asking, once one has.
    """

    def __init__(self, lengths: Sequence[int], limits: Limits) -> None:
        count = len(lengths)
        self._lengths = lengths
        self._passes, self._tokens, seconds = (
            np.inf if limit is None else limit
            for limit in (limits.passes, limits.tokens, limits.seconds)
        )
        self._ends = time.monotonic() + seconds
        self._asked = np.zeros((count, count), dtype=bool)
        self.are_open = ~np.eye(count, dtype=bool)
        self.unseen = np.ones(count, dtype=bool)
        self.given_up = np.zeros(count, dtype=bool)
        self.spent: StopReason = "nothing left to ask"

    @property
    def asked(self) -> int:
        """How many pairs were asked."""
        return int(self._asked.sum())

    def take(self, wanted: Round) -> Round:
        """As many of the wanted pairs as there is a budget for; they are open no more."""
        taken: Round = []
        if wanted and time.monotonic() >= self._ends:
            self.spent = "max_seconds"
            return taken
        for first, second in wanted:
            tokens = (self._lengths[first] + self._lengths[second]) / _TOKEN
            if not self._passes:
                self.spent = "max_passes"
                break
            if tokens > self._tokens:
                self.spent = "max_tokens"
                break
            self._passes -= 1
            self._tokens -= tokens
            self._asked[first, second] = True
            self.are_open[first, second] = False
            taken.append((first, second))
        return taken

    def learn(self, matrix: NDArray[np.float32], *, mirrored: bool) -> None:
        """Close what need not be asked any more.

        Args:
            matrix: of what was answered so far, NaN elsewhere.
            mirrored: whether the other order of what was answered tells nothing.
        """
        answered = ~np.isnan(matrix)
        if mirrored:
            self.are_open &= ~answered.T
        # Whoever was never compared is in doubt, however unlikely it is to be any good; but not
        # for ever, where comparing it fails.
        np.fill_diagonal(answered, val=False)
        self.unseen = _degrees(answered) == 0
        self.given_up = self.unseen & (_degrees(self._asked) >= _TRIES)
        self.are_open[self.given_up] = self.are_open[:, self.given_up] = False


def _degrees(pairs: NDArray[np.bool_]) -> NDArray[np.intp]:
    """How many of these ordered pairs each candidate is in."""
    degrees: NDArray[np.intp] = pairs.sum(axis=0) + pairs.sum(axis=1)
    return degrees
