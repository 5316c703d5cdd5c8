"""A battery of common sense: good answers against spoilt ones, kind by kind.

In the manner of CheckList (Ribeiro et al., ACL 2020): each kind of spoiling asks for one thing that
everybody sees, such as that an answer is better than a refusal. All texts were written for it, and
none of them is for training.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from blender_core.lazy import lazy

if TYPE_CHECKING:
    from blender_core.evaluation.sense.kinds import KINDS, Kind
    from blender_core.evaluation.sense.result import Outcome, Sense, Share
    from blender_core.evaluation.sense.running import run_sense
    from blender_core.evaluation.sense.trials import Trial, battery

_HOME = {
    "KINDS": "kinds",
    "Kind": "kinds",
    "Outcome": "result",
    "Sense": "result",
    "Share": "result",
    "Trial": "trials",
    "battery": "trials",
    "run_sense": "running",
}

__all__ = ["KINDS", "Kind", "Outcome", "Sense", "Share", "Trial", "battery", "run_sense"]

__getattr__ = lazy(__name__, _HOME)
