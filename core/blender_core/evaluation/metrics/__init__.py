"""Metrics of an answer by a reference answer.

A new one is a new file here and a line in `METRICS`. What it needs is imported when it is made.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from blender_core.errors import InputError

if TYPE_CHECKING:
    from blender_core.evaluation.metrics.metric import Metric
    from blender_core.evaluation.metrics.settings import ModelSettings

__all__ = ["METRICS", "MetricKind", "metric_kind"]


@dataclass(frozen=True, slots=True)
class MetricKind:
    """How a metric is made.

    Attributes:
        title: its name in a table.
        make: from the model's settings, or from nothing, to the metric.
        model: the model it takes unless told otherwise; None where it needs none.
    """

    title: str
    make: Callable[..., Metric]
    model: str | None = None


def _rouge(kind: str) -> Metric:
    from blender_core.evaluation.metrics.rouge import Rouge

    return Rouge(kind)


def _sacre(kind: str) -> Metric:
    from blender_core.evaluation.metrics.sacre import Sacre

    return Sacre(kind)


def _bert_score(settings: ModelSettings) -> Metric:
    from blender_core.evaluation.metrics.bert_score import BertScore

    return BertScore(settings)


def _bart_score(direction: Any, settings: ModelSettings) -> Metric:
    from blender_core.evaluation.metrics.bart_score import BartScore

    return BartScore(settings, direction)


def _bleurt(settings: ModelSettings) -> Metric:
    from blender_core.evaluation.metrics.bleurt import Bleurt

    return Bleurt(settings)


_BART = "facebook/bart-large-cnn"

METRICS: dict[str, MetricKind] = {
    "bertscore": MetricKind("BERTScore", _bert_score, "google-bert/bert-base-multilingual-cased"),
    "bartscore": MetricKind("BARTScore", partial(_bart_score, "recall"), _BART),
    "bartscore_precision": MetricKind("BARTScore p(c|r)", partial(_bart_score, "precision"), _BART),
    "bartscore_f": MetricKind("BARTScore F", partial(_bart_score, "f"), _BART),
    "bleurt": MetricKind("BLEURT", _bleurt, "Elron/bleurt-base-128"),
    "rouge1": MetricKind("ROUGE-1", partial(_rouge, "rouge1")),
    "rouge2": MetricKind("ROUGE-2", partial(_rouge, "rouge2")),
    "rougeL": MetricKind("ROUGE-L", partial(_rouge, "rougeL")),
    "bleu": MetricKind("BLEU", partial(_sacre, "bleu")),
    "chrf": MetricKind("chrF", partial(_sacre, "chrf")),
}
"""Higher is better in all. The models are those of LLM-Blender's tables."""


def metric_kind(name: str) -> MetricKind:
    """The metric of that name.

    Raises:
        InputError: there is none.
    """
    try:
        return METRICS[name]
    except KeyError:
        raise InputError(f"unknown metric {name!r}; known: {', '.join(METRICS)}") from None
