"""How probabilities hold, as a plot, and before and after a calibration as an HTML page."""

from __future__ import annotations

from collections.abc import Mapping

from blender_core.belief.calibrator import Calibrator
from blender_core.belief.reliability import Reliability
from blender_core.evaluation.page import page
from blender_core.evaluation.plots import Line, LinePlot

__all__ = ["calibration_page", "calibration_plot", "reliability_plot"]


def calibration_page(calibrator: Calibrator, ranker: str) -> str:
    """How probabilities held before and after, as a page.

    Args:
        calibrator: that was fitted.
        ranker: its name, any text.
    """
    rows = [
        [name, f"{one.ece:.3f}", f"{one.brier:.3f}"] for name, one in _measured(calibrator).items()
    ]
    plot = calibration_plot(calibrator)
    return page("calibration", calibrator=calibrator, ranker=ranker, rows=rows, plot=plot)


def calibration_plot(calibrator: Calibrator) -> LinePlot:
    """How probabilities held before and after."""
    return reliability_plot(_measured(calibrator))


def reliability_plot(measured: Mapping[str, Reliability]) -> LinePlot:
    """How often the answer ahead is right, against how probable that was said to be, by name."""
    lines = [
        Line(name, [one.told for one in found.bins], [one.happened for one in found.bins])
        for name, found in measured.items()
    ]
    honest = Line("perfectly honest", [0.5, 1.0], [0.5, 1.0], dashed=True)
    return LinePlot(
        "Reliability", "probability that was told", "share that was right", [*lines, honest]
    )


def _measured(calibrator: Calibrator) -> dict[str, Reliability]:
    named = {"before": calibrator.before, "after": calibrator.after}
    return {name: one for name, one in named.items() if one is not None}
