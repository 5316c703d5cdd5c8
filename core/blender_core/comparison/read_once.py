"""What comparators have in common that read each answer once, however many pairs it is in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from blender_core.candidates import Pair
from blender_core.comparison.late.reading import Item
from blender_core.comparison.nonanswers import shown
from blender_core.errors import ModelOutputError
from blender_core.forking import Turn
from blender_core.models.devices import pick_batch_tokens, pick_device, pick_dtype

__all__ = ["ByWorth", "ReadOnceComparator", "items_of"]

_ITEMS_AT_ONCE = 256
"""Answers read before their pairs are compared: enough to fill batches of every length."""

_NOTHING = np.float32(-20.0)
"""What an answer is worth in which nothing is said."""

Known = TypeVar("Known")
"""What is kept of an answer from round to round."""


class ReadOnceComparator(ABC, Generic[Known]):
    """Compares pairs question by question, so that answers are read once, and remembers rounds.

    Args:
        device: where to compute; None takes an accelerator if there is one.
        dtype: precision of the encoder; None is float32 on a CPU.
        max_batch_tokens: tokens, padding included, of one forward pass; None takes what was
            measured to be fast on the device.
        remembered: how many answers are kept for the next round.
    """

    def __init__(
        self,
        *,
        device: str | torch.device | None,
        dtype: str | torch.dtype | None,
        max_batch_tokens: int | None,
        remembered: int,
    ) -> None:
        self.device = pick_device(device)
        self.dtype = pick_dtype(dtype, self.device)
        self.max_batch_tokens = pick_batch_tokens(max_batch_tokens, self.device)
        # Concurrent callers take turns: batches side by side only compete for cores and memory.
        self._turn = Turn()
        self._known: dict[Item, Known] = {}
        self._sessions = 0
        self._most = remembered

    @abstractmethod
    def _compare(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        """Logits of pairs that are read together; `_turn` is held."""

    def logits(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        """Compare, one logit a pair.

        Returns:
            float32[len(pairs)], > 0 where the first-shown answer is better; swapping the answers
            flips the sign. A pair's logit does not depend on the other pairs.

        Raises:
            ModelOutputError: the model answered with NaN or infinity.
        """
        result = np.empty(len(pairs), dtype=np.float32)
        for places, logits in self.iter_logits(pairs):
            result[places] = logits
        return result

    def iter_logits(
        self, pairs: Sequence[Pair]
    ) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float32]]]:
        """Like `logits`, part by part: yields places in `pairs` and their logits."""
        for places in _parts(pairs):
            with self._turn:
                logits = self._compare([pairs[place] for place in places])
            bad = np.flatnonzero(~np.isfinite(logits))
            if len(bad):
                question = pairs[places[int(bad[0])]].instruction
                raise ModelOutputError(
                    f"the model answered with NaN or infinity on {len(bad)} pairs, first on the "
                    f"question {question[:60]!r}. Its weights are broken, or {self.dtype} is too "
                    "narrow for it: try dtype='float32'"
                )
            yield np.array(places), logits

    @contextmanager
    def remembering(self) -> Iterator[None]:
        """While this lasts, the latest answers are not read again: see `RoundsComparator`."""
        with self._turn:
            self._sessions += 1
        try:
            yield
        finally:
            with self._turn:
                self._sessions -= 1
                if not self._sessions:
                    self._known.clear()

    def _kept(self, items: Sequence[Item], fresh: dict[Item, Known]) -> list[Known]:
        """What is known of these, in their order; while rounds are remembered, it stays known.

        Args:
            items: all of them known, or in `fresh`.
            fresh: what was read just now.
        """
        known = self._known | fresh
        result = [known[item] for item in items]
        if self._sessions:
            # The latest ones are the last ones.
            asked = set(items)
            latest = [*(item for item in known if item not in asked), *items]
            self._known = {item: known[item] for item in latest[-self._most :]}
        return result


class ByWorth(ReadOnceComparator[float]):
    """Compares two answers by what each is worth: N readings for all pairs of N answers.

    Swapping the answers flips the sign of a logit, and comparisons never go round in a circle. An
    answer in which nothing is said is worth less than any other.
    """

    @abstractmethod
    def _worth(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """What the models make of answers, whether anything is said in them or not."""

    def worth(self, items: Sequence[Item]) -> NDArray[np.float32]:
        """What answers are worth beside their questions.

        Args:
            items: questions with answers.

        Returns:
            float32[len(items)], in logits: the difference of two is that of their pair.
        """
        is_said = [bool(shown(answer)) for _, answer in items]
        return np.where(is_said, self._worth(items), _NOTHING)

    def _compare(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        sides = [items_of(pair) for pair in pairs]
        items = list(dict.fromkeys(item for side in sides for item in side))
        missing = [item for item in items if item not in self._known]
        fresh = dict(zip(missing, self.worth(missing).tolist(), strict=True)) if missing else {}
        worth = dict(zip(items, self._kept(items, fresh), strict=True))
        return np.array([worth[first] - worth[second] for first, second in sides], np.float32)


def items_of(pair: Pair) -> tuple[Item, Item]:
    """Both answers of a pair, each with its question."""
    return (pair.instruction, pair.first), (pair.instruction, pair.second)


def _parts(pairs: Sequence[Pair]) -> Iterator[list[int]]:
    """Places of pairs that are read together: all pairs of a question as far as possible."""
    by_question: dict[str, list[int]] = {}
    for place, pair in enumerate(pairs):
        by_question.setdefault(pair.instruction, []).append(place)
    part: list[int] = []
    items: set[Item] = set()
    for places in by_question.values():
        for place in places:
            part.append(place)
            items.update(items_of(pairs[place]))
            if len(items) >= 4 * _ITEMS_AT_ONCE:  # a question with very many answers
                yield part
                part, items = [], set()
        if len(items) >= _ITEMS_AT_ONCE:
            yield part
            part, items = [], set()
    if part:
        yield part
