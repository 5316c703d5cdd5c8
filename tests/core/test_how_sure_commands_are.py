"""What ``rank`` and ``compare`` print of probabilities."""

from __future__ import annotations

import json
import math

import pytest
from golden_data import CHECKPOINTS
from typer.testing import CliRunner

from blender_core import PairRanker
from blender_core.cli import app

UNCALIBRATED = str(CHECKPOINTS / "tiny-PairRM-hf")
QUESTION = "Name a prime."
TEXTS = ["7 is a prime number.", "8", "I do not know."]


def printed(command: str, ranker: str, texts: list[str]) -> dict:
    candidates = [part for text in texts for part in ("--candidate", text)]
    arguments = [command, "--ranker", ranker, "--instruction", QUESTION, *candidates]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


def test_a_calibrated_ranker_says_what_its_calibrator_says():
    told = printed("compare", "mini", TEXTS[:2])
    ranking = PairRanker().rank(QUESTION, TEXTS[:2])
    assert told["calibrated"] is True
    assert told["probability"] == pytest.approx(ranking.probability(0, 1))
    sigmoid = 1.0 / (1.0 + math.exp(-told["logit"]))
    assert told["probability"] != pytest.approx(sigmoid, abs=0.02)


def test_an_uncalibrated_one_says_that_it_is():
    assert printed("compare", UNCALIBRATED, TEXTS[:2])["calibrated"] is False
    assert printed("rank", UNCALIBRATED, TEXTS)["calibrated"] is False


def test_a_ranking_is_printed_with_how_sure_it_is():
    told = printed("rank", "mini", TEXTS)
    ranking = PairRanker().rank(QUESTION, TEXTS)
    assert told["calibrated"] is True
    assert told["confidence"] == pytest.approx(ranking.confidence)
    assert told["probability_best"] == pytest.approx(ranking.probability_best)
    assert told["position_bias"] == pytest.approx(ranking.position_bias, abs=1e-4)
    assert told["stopped_because"] == "done"
