"""How probabilities hold, as a plot, and before and after a calibration as an HTML page."""

from __future__ import annotations

from collections.abc import Mapping

from blender_core.belief.calibrator import Calibrator
from blender_core.belief.reliability import Reliability
from blender_core.evaluation.line_plot import Line, line_plot
from blender_core.evaluation.page import page, table

__all__ = ["calibration_page", "reliability_plot"]


def calibration_page(calibrator: Calibrator, ranker: str) -> str:
    """How probabilities held before and after, as a page.

    Args:
        calibrator: that was fitted.
        ranker: its name, any text.
    """
    named = {"before": calibrator.before, "after": calibrator.after}
    measured = {name: one for name, one in named.items() if one is not None}
    rows = [
        [f"<td>{name}</td>", f"<td>{one.ece:.3f}</td>", f"<td>{one.brier:.3f}</td>"]
        for name, one in measured.items()
    ]
    return page(
        f"Calibration of {ranker}",
        [
            f"<p>Temperature {calibrator.temperature:.3f}. Pairs that nothing was fitted to.</p>",
            table(["", "ECE", "Brier score"], rows),
            reliability_plot(measured),
        ],
    )


def reliability_plot(measured: Mapping[str, Reliability]) -> str:
    """How often the answer ahead is right, against how probable that was said to be, by name."""
    lines = [
        Line(name, [one.told for one in found.bins], [one.happened for one in found.bins])
        for name, found in measured.items()
    ]
    honest = Line("perfectly honest", [0.5, 1.0], [0.5, 1.0], dashed=True)
    return line_plot(
        "Reliability", "probability that was told", "share that was right", [*lines, honest]
    )
