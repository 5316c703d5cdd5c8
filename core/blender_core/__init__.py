"""Compare the answers of many LLMs two by two, rank them, fuse the best."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from blender_core._version import __version__

if TYPE_CHECKING:
    from blender_core.candidates import Blend, Candidate, Pair, Ranking, Task, Verdict
    from blender_core.ranking.pair_ranker import PairRanker
    from blender_core.ranking.ranker import Ranker
    from blender_core.ranking.schedules import Bubble, Full, Knockout, Reference

_HOME = {
    "Blend": "candidates",
    "Bubble": "ranking.schedules",
    "Candidate": "candidates",
    "Full": "ranking.schedules",
    "Knockout": "ranking.schedules",
    "Pair": "candidates",
    "PairRanker": "ranking.pair_ranker",
    "Ranker": "ranking.ranker",
    "Ranking": "candidates",
    "Reference": "ranking.schedules",
    "Task": "candidates",
    "Verdict": "candidates",
}
"""Where each public name lives. Names are imported when first used: nothing heavy before."""

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
