"""What comes out: rankings, and blends with the verdict on how they came about.

Everything here is immutable and knows nothing of models.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from blender_core import checks
from blender_core.candidates import Candidate, name_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from blender_core.belief.calibrator import Calibrator
    from blender_core.belief.goal import Goal
    from blender_core.belief.inference import Inference

__all__ = ["Blend", "Ranking", "StopReason", "Verdict", "VerdictReason"]


_SHOWN = 60
"""Characters of a text in a ranking that is printed."""

StopReason = Literal[
    "done", "settled", "nothing left to ask", "max_passes", "max_tokens", "max_seconds"
]
"""Why a schedule asked no more: it has a fixed plan (``done``), the goal is reached with the
confidence that was wanted (``settled``), what is left would tell nothing (``nothing left to
ask``), or a budget is spent."""


@dataclass(frozen=True, eq=False)
class Ranking:
    """How the candidates of one task compare.

    What it says of probabilities comes from its `inference`, which is made when it is first asked.
    Without a calibrator a probability is **uncalibrated** (see `is_calibrated`).

    Attributes:
        candidates: the answers, in the order they came in.
        order: indices into `candidates`, best first; ties keep input order.
        ranks: one a candidate, 1 = best; ties share the best rank and the next ranks are skipped.
        scores: one a candidate, higher is better. The scale depends on the aggregation.
        matrix: float32[N, N], the logit of (row shown first, column shown second), > 0 where the
            row is better. NaN where the pair was not asked; 0 on the diagonal.
        passes: directional comparisons (or, for a pointwise ranker, answers) a model was run on.
        stopped_because: why no more was asked.
        goal: what was to be found: ``"best"``, ``"order"``, or which k texts are the best.
        calibrator: what turns margins into probabilities, if the ranker has one.
        left_out: candidates that a cheaper ranker kept from being compared (`ShortlistRanker`).
        score_parts: of what the scores are sums, where that is known: one number a candidate by
            what it comes from, ``text`` and ``members`` (`PriorRanker`).
        absolute: whether a score is the probability, 0 to 1, that the candidate is good by
            itself, whoever it stands beside (`PassageRanker`).
    """

    candidates: tuple[Candidate, ...]
    order: tuple[int, ...]
    ranks: tuple[int, ...]
    scores: tuple[float, ...]
    matrix: NDArray[np.float32] = field(repr=False)
    passes: int
    stopped_because: StopReason = "done"
    goal: Goal = "best"
    calibrator: Calibrator | None = field(default=None, repr=False)
    left_out: frozenset[int] = frozenset()
    score_parts: Mapping[str, tuple[float, ...]] = field(default_factory=dict, repr=False)
    absolute: bool = False

    def __str__(self) -> str:
        """One line a candidate, best first: rank, name, score, and how the text begins."""
        return "\n".join(
            f"{self.ranks[i]}. {name_of(self.candidates, i)} ({self.scores[i]:.3g}): "
            f"{' '.join(self.candidates[i].text.split())[:_SHOWN]}"
            for i in self.order
        )

    @property
    def best(self) -> Candidate:
        """The first candidate of `order`."""
        return self.candidates[self.order[0]]

    def top(self, k: int) -> tuple[Candidate, ...]:
        """The `k` best candidates, best first (all of them where there are fewer)."""
        return tuple(self.candidates[index] for index in self.order[: checks.positive("k", k)])

    @property
    def is_calibrated(self) -> bool:
        """Whether probabilities were fitted to labels."""
        return self.calibrator is not None

    @cached_property
    def inference(self) -> Inference:
        """What the matrix says of probabilities; computed when it is first asked."""
        from blender_core.belief.inference import Inference

        texts = [
            None if place in self.left_out else candidate.text
            for place, candidate in enumerate(self.candidates)
        ]
        return Inference(self.matrix, texts, self.calibrator)

    @property
    def utilities(self) -> tuple[float, ...]:
        """One a candidate: see `Inference.utilities`."""
        return self.inference.utilities

    def probability(self, i: int, j: int) -> float:
        """How probable it is that candidate i is better than j: see `Inference.probability`."""
        return self.inference.probability(i, j)

    @property
    def probability_best(self) -> tuple[float, ...]:
        """One a candidate: see `Inference.probability_best`."""
        return self.inference.probability_best

    @cached_property
    def confidence(self) -> float:
        """How probable it is that `order` is right as far as the `goal` goes.

        An integer goal counts different texts. Candidates that were left out are taken to be
        rightly so.
        """
        return self.inference.reached(self.goal, self.order)

    @property
    def position_bias(self) -> float:
        """What an answer gains by being shown first, in logits."""
        return self.inference.position_bias

    def position_bias_interval(self, mass: float = 0.95) -> tuple[float, float]:
        """The central interval that holds the position bias with this probability.

        Raises:
            InputError: the mass is not between 0 and 1.
        """
        return self.inference.position_bias_interval(mass)

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain JSON; None for NaN and infinity."""
        said: dict[str, Any] = {
            "candidates": [asdict(candidate) for candidate in self.candidates],
            "order": self.order,
            "ranks": self.ranks,
            "scores": self.scores,
            "matrix": self.matrix.tolist(),
            "passes": self.passes,
            "stopped_because": self.stopped_because,
            "goal": self.goal,
            "left_out": sorted(self.left_out),
            "score_parts": dict(self.score_parts),
            "absolute": self.absolute,
            "calibrated": self.is_calibrated,
            "probability_best": self.probability_best,
            "confidence": self.confidence,
            "position_bias": self.position_bias,
        }
        plain: dict[str, Any] = _plain(said)
        return plain


VerdictReason = Literal[
    "fused text won",
    "fused text kept without a check",
    "fused text lost",
    "fused text won too narrowly",
    "fused text could not be compared",
    "fused text is empty",
    "fused text answers nothing",
    "fusing failed",
    "no fuser",
    "one answer to fuse",
    "the best answers are the same",
    "not asked to fuse",
]


@dataclass(frozen=True, slots=True)
class Verdict:
    """Why a blend is what it is.

    Attributes:
        reason: what decided.
        fused_first: logit with the fused text shown first against the top answer; > 0 where the
            fused text is better. None where the two were not compared.
        fused_second: logit with the fused text shown second; < 0 where it is better.
        probability: how probable it is that the fused text is better; calibrated where the ranker
            is. None where the two were not compared.
        rejected: the fused text that lost, for inspection.
        error: what the fuser, or the ranker that was to compare, raised, as text.
    """

    reason: VerdictReason
    fused_first: float | None = None
    fused_second: float | None = None
    probability: float | None = None
    rejected: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Blend:
    """The one answer made of many.

    Attributes:
        text: the answer.
        fused: whether `text` was written by the fuser; otherwise it is the best candidate's.
        ranking: how the candidates compared.
        sources: names of the answers that `text` was made of, best first (an answer without a
            name is called by its place, ``answer 0``).
        verdict: why it was fused or not.
    """

    text: str
    fused: bool
    ranking: Ranking
    sources: tuple[str, ...]
    verdict: Verdict

    def _told_parts(self) -> dict[str, Any]:
        """The parts of the scores, by part and name, where they are known."""
        candidates, parts = self.ranking.candidates, self.ranking.score_parts
        named = {
            part: {name_of(candidates, i): number for i, number in enumerate(numbers)}
            for part, numbers in parts.items()
        }
        return {"score_parts": named} if named else {}

    def as_dict(self) -> dict[str, Any]:
        """All of it as plain JSON, the ranking too; None for NaN and infinity."""
        plain: dict[str, Any] = _plain(
            {
                "text": self.text,
                "fused": self.fused,
                "sources": self.sources,
                "verdict": asdict(self.verdict),
                "ranking": self.ranking.as_dict(),
            }
        )
        return plain

    def report(self) -> dict[str, Any]:
        """How it came about, in plain JSON: no text but a rejected one, None for NaN.

        What it says of answers it says by their names; see `as_dict` where two may have the same.
        """
        candidates, ranking = self.ranking.candidates, self.ranking
        return {
            "order": [name_of(candidates, place) for place in ranking.order],
            "scores": {name_of(candidates, i): score for i, score in enumerate(ranking.scores)},
            **self._told_parts(),
            "passes": ranking.passes,
            "stopped_because": ranking.stopped_because,
            "probability_best": {
                name_of(candidates, i): p for i, p in enumerate(ranking.probability_best)
            },
            "calibrated": ranking.is_calibrated,
            "fused": self.fused,
            "sources": list(self.sources),
            "verdict": {key: _plain(value) for key, value in asdict(self.verdict).items()},
        }


def _plain(value: Any) -> Any:
    """The value as JSON has it."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    return value
