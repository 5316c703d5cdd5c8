"""Test doubles for code that uses this package: deterministic, instant, no model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.candidates import Pair, Task
from blender_core.fusion.fuser import Fuser

__all__ = ["ScriptedComparator", "ScriptedFuser"]


class ScriptedComparator:
    """A comparator that prefers answers by a script, and remembers what it was asked.

    Args:
        utilities: how good each text is; the logit is the difference of two. Or a function from
            a `Pair` to its logit.
        position_bias: added to every logit, in favour of the answer shown first.

    Attributes:
        calls: the pairs of every call, in order.

    >>> ScriptedComparator({"good": 1.0, "bad": 0.0}).logits([Pair("q", "bad", "good")]).tolist()
    [-1.0]
    """

    def __init__(
        self,
        utilities: Mapping[str, float] | Callable[[Pair], float],
        position_bias: float = 0.0,
    ) -> None:
        self._utilities = utilities
        self._position_bias = position_bias
        self.calls: list[list[Pair]] = []

    def logits(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        """The scripted logits, float32[len(pairs)]."""
        self.calls.append(list(pairs))
        return np.array([self._logit(pair) + self._position_bias for pair in pairs], np.float32)

    def _logit(self, pair: Pair) -> float:
        if callable(self._utilities):
            return self._utilities(pair)
        return self._utilities[pair.first] - self._utilities[pair.second]


class ScriptedFuser(Fuser):
    """A fuser that writes what a script says, and remembers what it was asked.

    Args:
        write: from a task (its candidates are the answers to fuse, best first) to the fused
            text; or the text itself.

    Attributes:
        tasks: every task fused, in order.
    """

    def __init__(self, write: str | Callable[[Task], str]) -> None:
        self._write = write
        self.tasks: list[Task] = []

    def fuse_many(self, tasks: Sequence[Task]) -> list[str]:
        """The scripted texts."""
        self.tasks.extend(tasks)
        return [self._write if isinstance(self._write, str) else self._write(t) for t in tasks]
