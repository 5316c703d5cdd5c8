"""RankerWrapper: a ranker around another one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from blender_core.candidates import Task, checked_all
from blender_core.outcomes import Ranking
from blender_core.progress import bars_drawn
from blender_core.ranking.ranker import Duel, Ranker

if TYPE_CHECKING:
    from blender_core.belief.calibrator import Calibrator

__all__ = ["Method", "RankerWrapper"]

Method = Literal["rank_many", "rank_completely", "duel_many"]
"""What a ranker can be asked, by the name of its method; the async one has an ``a`` before it."""


class RankerWrapper(Ranker):
    """Puts every question to another ranker.

    A subclass changes how all questions are put, by `_ask` and `_aask`, or the answer to one of
    them, by its method.

    Args:
        ranker: the other one.
    """

    def __init__(self, ranker: Ranker) -> None:
        self._ranker = ranker

    @property
    def ranker(self) -> Ranker:
        """The other one."""
        return self._ranker

    @property
    def calibrator(self) -> Calibrator | None:  # type: ignore[override]  # as the other one has it
        """The other one's."""
        return self.ranker.calibrator

    @property
    def waits(self) -> bool:
        """Whether the other one does."""
        return self.ranker.waits

    def _ask(self, method: Method, items: list[Any]) -> list[Any]:
        """What the other ranker's method returns for these tasks or duels."""
        answers: list[Any] = getattr(self.ranker, method)(items)
        return answers

    async def _aask(self, method: Method, items: list[Any]) -> list[Any]:
        """Like `_ask`, by the async method of that name."""
        answers: list[Any] = await getattr(self.ranker, f"a{method}")(items)
        return answers

    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:
        """Rank many tasks."""
        with bars_drawn(show_progress):
            return self._ask("rank_many", list(checked_all(tasks)))

    async def arank_many(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Like `rank_many`, without blocking the event loop."""
        return await self._aask("rank_many", list(checked_all(tasks)))

    def rank_completely(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Complete rankings of many tasks."""
        return self._ask("rank_completely", list(checked_all(tasks)))

    async def arank_completely(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Like `rank_completely`, without blocking the event loop."""
        return await self._aask("rank_completely", list(checked_all(tasks)))

    def duel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        """Compare challengers with incumbents in both orders."""
        return self._ask("duel_many", list(duels))

    async def aduel_many(self, duels: Sequence[Duel]) -> list[tuple[float, float]]:
        """Like `duel_many`, without blocking the event loop."""
        return await self._aask("duel_many", list(duels))
