"""An audit as an HTML page, its figures in words, and its plots."""

from __future__ import annotations

from blender_core.evaluation.audit import Audit
from blender_core.evaluation.calibration_page import reliability_plot
from blender_core.evaluation.page import page
from blender_core.evaluation.plots import Line, LinePlot, Plot

__all__ = ["audit_page", "figures", "plots"]


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
    return page("audit", audit=audit, ranker=ranker, figures=figures(audit), plots=plots(audit))


def plots(audit: Audit) -> list[Plot]:
    """Length and order, position bias, and reliability where there are labels."""
    bins = audit.by_length
    ratios = [one.ratio for one in bins]
    longer = "length of the longer answer over that of the shorter one"
    wins = Line("the longer answer wins", ratios, [one.prefers_longer for one in bins])
    flips = Line("order flips", ratios, [one.flips for one in bins])
    bias = Line("position bias", ratios, [one.position_bias for one in bins])
    return [
        LinePlot("Length and order", longer, "share of pairs", [wins, flips]),
        LinePlot("Position bias by length", longer, "position bias, of mean |logit|", [bias]),
        *(
            []
            if audit.reliability is None
            else [reliability_plot({"told and right": audit.reliability})]
        ),
    ]


def _percent(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f} %"


def _number(value: float | None, digits: int = 3) -> str:
    return "–" if value is None else f"{value:.{digits}f}"
