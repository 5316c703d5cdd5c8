"""What an evaluation is asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from blender_core.data.records import Record
from blender_core.errors import InputError
from blender_core.evaluation.figures import Bootstrap
from blender_core.evaluation.metrics import METRICS, metric_kind
from blender_core.evaluation.metrics.settings import ModelSettings
from blender_core.evaluation.store import key_of, state_of
from blender_core.evaluation.truth import TruthOptions

if TYPE_CHECKING:
    from blender_core.belief.member_prior import MemberPrior
    from blender_core.evaluation.metrics.metric import Metric
    from blender_core.fusion.fuser import Fuser
    from blender_core.ranking.ranker import Ranker

__all__ = ["STORED", "Blending", "Evaluation", "MetricWanted"]

STORED = "stored:"
"""Before the name of a metric that the data itself has, with each answer."""


@dataclass(frozen=True, slots=True)
class MetricWanted:
    """A metric that was asked for.

    Attributes:
        name: one of `METRICS`, or `STORED` and the name of a score that answers have.
        settings: of its model; None takes the metric's own model.
    """

    name: str
    settings: ModelSettings | None = None

    def __post_init__(self) -> None:
        if self.name.startswith(STORED):
            return
        kind = metric_kind(self.name)
        if kind.model is None and self.settings is not None:
            raise InputError(f"the metric {self.name!r} has no model to choose")

    @property
    def title(self) -> str:
        """What it is called in a table."""
        if self.name.startswith(STORED):
            return self.name.removeprefix(STORED)
        title = METRICS[self.name].title
        return title if self._is_usual else f"{title} ({Path(self._model).name})"

    @property
    def key(self) -> str:
        """What its column is called in files."""
        return self.name if self._is_usual else f"{self.name}={self._model}"

    @property
    def stored_as(self) -> str:
        """The same only for the same numbers."""
        if self.settings is None:
            return self.name
        return key_of(self.name, self._model, self.settings.layer, state_of(self._model))

    @property
    def _model(self) -> str:
        return "" if self.settings is None else self.settings.model

    @property
    def _is_usual(self) -> bool:
        return self.settings is None or self._model == METRICS[self.name].model

    def make(self) -> Metric:
        """The metric itself; what it needs is loaded."""
        kind = METRICS[self.name]
        if kind.model is None:
            return kind.make()
        return kind.make(self.settings or ModelSettings(kind.model))


@dataclass(frozen=True, slots=True)
class Blending:
    """A blend that is to be evaluated.

    Attributes:
        ranker: its name among the rankers.
        fuser: writes an answer from the best ones.
        top_k: how many these are.
        verify: whether a fused text must beat the best answer.
    """

    ranker: str
    fuser: Fuser
    top_k: int = 3
    verify: bool = True


@dataclass(slots=True)
class Evaluation:
    """What is wanted.

    Attributes:
        rankers: by the name of their row.
        blends: likewise.
        keys: by these names, what tells different settings apart in a store; the name itself
            where there is none.
        baselines: the names in `rankers` that are rules of thumb.
        prior: what is known of those who wrote the answers, where a ranker uses it.
        metrics: what candidates are scored by.
        reference_models: models that picks are compared with.
        judge: who is believed.
        judge_ranker: name and ranker that is believed instead: it compares all answers, and the
            texts of the blends, which nobody else has seen.
        group: from a record to the name of its group; None makes no groups.
        bootstrap: for the intervals.
        settings: what the report says it was asked for.
    """

    rankers: Mapping[str, Ranker] = field(default_factory=dict)
    blends: Mapping[str, Blending] = field(default_factory=dict)
    keys: Mapping[str, str] = field(default_factory=dict)
    baselines: frozenset[str] = frozenset()
    prior: MemberPrior | None = None
    metrics: Sequence[MetricWanted] = ()
    reference_models: Sequence[str] = ()
    judge: TruthOptions = field(default_factory=TruthOptions)
    judge_ranker: tuple[str, Ranker] | None = None
    group: Callable[[Record], str] | None = None
    bootstrap: Bootstrap = field(default_factory=Bootstrap)
    settings: Mapping[str, Any] = field(default_factory=dict)

    def stored_as(self, name: str) -> str:
        """The same only for the same ranker or blend with the same settings."""
        return self.keys.get(name, name)
