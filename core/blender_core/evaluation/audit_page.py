"""An audit as an HTML page, and its figures in words."""

from __future__ import annotations

from blender_core.evaluation.audit import Audit
from blender_core.evaluation.calibration_page import reliability_plot
from blender_core.evaluation.line_plot import Line, line_plot
from blender_core.evaluation.page import page, table, text

__all__ = ["audit_page", "figures"]


def figures(audit: Audit) -> list[tuple[str, str]]:
    """What each figure is called, and what it says."""
    reliability = audit.reliability
    fitted = "" if audit.calibrated else ", uncalibrated"
    return [
        ("records", str(audit.records)),
        ("pairs asked in both orders", str(audit.pairs)),
        ("order flips: the winner depends on the order", _percent(audit.flips)),
        ("position bias, of mean |logit| (> 0: being first helps)", _number(audit.position_bias)),
        ("triples that go in a circle (by chance: 25 %)", _percent(audit.cycles)),
        ("the longer answer wins", _percent(audit.prefers_longer)),
        ("passes a pair", _number(audit.passes)),
        ("milliseconds a pair", _number(None if audit.seconds is None else 1000 * audit.seconds)),
        ("characters of a pair's answers", _number(audit.characters, 0)),
        ("right on labelled pairs", _percent(audit.accuracy)),
        ("... where the longer answer is better", _percent(audit.accuracy_longer)),
        ("... where the shorter answer is better", _percent(audit.accuracy_shorter)),
        (
            f"calibration error (ECE{fitted})",
            _number(None if reliability is None else reliability.ece),
        ),
        (f"Brier score{fitted}", _number(None if reliability is None else reliability.brier)),
    ]


def audit_page(audit: Audit, ranker: str) -> str:
    """The page.

    Args:
        audit: what was measured.
        ranker: its name, any text.
    """
    bins = audit.by_length
    ratios = [one.ratio for one in bins]
    rows = [[f"<td>{text(name)}</td>", f"<td>{text(value)}</td>"] for name, value in figures(audit)]
    return page(
        f"Audit of {ranker}",
        [
            table(["figure", "value"], rows),
            "<h2>By length</h2><p>Pairs by how many times as long the longer answer is.</p>",
            line_plot(
                "Length and order",
                "length of the longer answer over that of the shorter one",
                "share of pairs",
                [
                    Line("the longer answer wins", ratios, [one.prefers_longer for one in bins]),
                    Line("order flips", ratios, [one.flips for one in bins]),
                ],
            ),
            line_plot(
                "Position bias by length",
                "length of the longer answer over that of the shorter one",
                "position bias, of mean |logit|",
                [Line("position bias", ratios, [one.position_bias for one in bins])],
            ),
            _reliability(audit),
        ],
    )


def _reliability(audit: Audit) -> str:
    if audit.reliability is None:
        return ""
    words = "calibrated" if audit.calibrated else "uncalibrated: sigmoid of the margin"
    return (
        f"<h2>Reliability</h2><p>Labelled pairs in ten bins of about equal size, {words}.</p>"
        f"{reliability_plot({'told and right': audit.reliability})}"
    )


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
