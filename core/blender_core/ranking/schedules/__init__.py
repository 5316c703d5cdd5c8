"""Which pairs are asked: one file a schedule, and a line in `SCHEDULES` that names it."""

from __future__ import annotations

from typing import get_args

from blender_core.errors import InputError
from blender_core.ranking.schedules.active import Active, active_for
from blender_core.ranking.schedules.bubble import Bubble
from blender_core.ranking.schedules.full import Full
from blender_core.ranking.schedules.knockout import Knockout
from blender_core.ranking.schedules.reference import Reference, ReferenceMode
from blender_core.ranking.schedules.schedule import Ending, Round, Rounds, Schedule

__all__ = [
    "SCHEDULES",
    "Active",
    "Bubble",
    "Ending",
    "Full",
    "Knockout",
    "Reference",
    "Round",
    "Rounds",
    "Schedule",
    "active_for",
    "schedule_named",
]

SCHEDULES: dict[str, Schedule] = {
    "full": Full(),
    "active": Active(),
    "bubble": Bubble(),
    "knockout": Knockout(),
    "reference": Reference(),
    **{f"reference-{mode}": Reference(mode) for mode in get_args(ReferenceMode)},
}


def schedule_named(schedule: str | Schedule) -> Schedule:
    """The schedule of that name with its defaults; a schedule is returned as it is.

    Raises:
        InputError: no schedule has that name.
    """
    if not isinstance(schedule, str):
        if isinstance(schedule, type) or not hasattr(schedule, "rounds"):
            raise InputError(f"a schedule is a name or an object with rounds(), got {schedule!r}")
        return schedule
    try:
        return SCHEDULES[schedule]
    except KeyError:
        raise InputError(f"unknown schedule {schedule!r}; known: {', '.join(SCHEDULES)}") from None
