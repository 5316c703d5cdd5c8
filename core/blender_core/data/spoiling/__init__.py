"""Making a good answer bad, in one known way: what a ranker has to learn is no answer."""

from __future__ import annotations

from blender_core.data.spoiling.case import Case, Spoiling
from blender_core.data.spoiling.registry import SPOILINGS, spoil
from blender_core.data.spoiling.requests import Requested, requested

__all__ = ["SPOILINGS", "Case", "Requested", "Spoiling", "requested", "spoil"]
