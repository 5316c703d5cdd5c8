"""Settings for all tests."""

from __future__ import annotations

from hypothesis import settings

# How long an example takes is no property of ours, and machines are busy.
settings.register_profile("any machine", deadline=None, derandomize=True)
settings.load_profile("any machine")
