"""Probabilities that hold: margins of a ranker, fitted to what labels say.

A ranker's margin orders well and says little of how often it is right. On labelled pairs a
calibrator learns how often that is: by one number, the temperature, and optionally by an
isotonic regression on top of it. On pairs kept apart it measures how well the probabilities hold,
and how unsure one must be to say nothing (split conformal prediction).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from os import PathLike
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from blender_core import checks
from blender_core.belief.goal import Floats, Goal, Order, reached
from blender_core.belief.posterior import Posterior
from blender_core.belief.reliability import Reliability
from blender_core.errors import CheckpointError, InputError
from blender_core.validation import reason, sentences
from blender_core.writing import whole_file

__all__ = ["CALIBRATION_FILE", "CalibratedBelief", "Calibrator"]

CALIBRATION_FILE = "calibration.json"

_LEAST_GROUPS = 20
_MOST_ERRORS = 10_000
_TEMPERATURES = (1e-3, 1e4)
"""Between which one is looked for, in root mean squares of the margins."""

_LEAST_SHARE = 1e-12
_SAMPLES = 2000


@dataclass(frozen=True)
class Calibrator:
    """From the margin of two answers to the probability that the first is better.

    Attributes:
        temperature: the probability is ``sigmoid(margin / temperature)``.
        steps: where there is an isotonic regression too: pairs of such a probability (of the
            answer ahead, 0.5 to 1, rising) and what it is corrected to; linear between them.
        errors: ascending; of pairs that nothing was fitted to, 1 - the probability that was given
            to the answer which the label prefers.
        before: how probabilities held with a temperature of 1, on those pairs.
        after: how they hold with this calibrator, on those pairs.
    """

    temperature: float
    steps: tuple[tuple[float, float], ...] = ()
    errors: tuple[float, ...] = field(default=(), repr=False)
    before: Reliability | None = field(default=None, repr=False)
    after: Reliability | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if not 0.0 < self.temperature < np.inf:
            raise InputError(f"'temperature' must be a positive number, got {self.temperature!r}")
        known, corrected = zip(*self.steps, strict=True) if self.steps else ((), ())
        for name, shares in (("steps", known), ("steps", corrected), ("errors", self.errors)):
            if list(shares) != sorted(shares) or not all(0.0 <= share <= 1.0 for share in shares):
                raise InputError(f"{name!r} must hold probabilities in ascending order")
        if any(share < 0.5 for share in (*known, *corrected)):
            raise InputError("'steps' must hold probabilities of 0.5 and more")

    @classmethod
    def fit(
        cls,
        margins: ArrayLike,
        wins: ArrayLike,
        *,
        groups: Sequence[object] | None = None,
        isotonic: bool = False,
        seed: int = 0,
    ) -> Calibrator:
        """Fit to labelled pairs: to half of them; the other half measures.

        Args:
            margins: float[n], the logit by which a pair's first answer is ahead: a difference
                of `Ranking.utilities`.
            wins: n numbers: 1 or True where the label prefers the first answer, 0 or False where
                it prefers the second. A pair without a preference is to be left out.
            groups: n labels of what belongs together (the question): a group is never divided,
                and gives the conformal part one pair, as pairs of one group are not exchangeable.
            isotonic: whether to correct the temperature's probabilities by an isotonic
                regression. It needs more pairs (about a thousand) to be worth it.
            seed: of the division.

        Raises:
            InputError: the lengths differ, a margin is not finite, a win is neither 0 nor 1, or
                there are too few pairs or groups.

        >>> rng = np.random.default_rng(0)
        >>> margins = rng.normal(0, 4, 4000)
        >>> wins = rng.random(4000) < 1 / (1 + np.exp(-margins / 2))
        >>> round(Calibrator.fit(margins, wins).temperature, 1)
        2.0
        """
        ahead, right, group = _checked(margins, wins, groups)
        rng = np.random.default_rng(seed)
        numbers = rng.permutation(int(group.max()) + 1)
        is_fitted = np.isin(group, numbers[: len(numbers) // 2])
        fitted = cls(_temperature(ahead[is_fitted], right[is_fitted]))
        if isotonic:
            sure = fitted.probability(ahead[is_fitted])
            fitted = cls(fitted.temperature, _steps(sure, right[is_fitted]))
        kept = np.flatnonzero(~is_fitted)
        held, truth = fitted.probability(ahead[kept]), right[kept]
        # One pair a group, drawn by chance: of these, the next one is no different.
        mixed = rng.permutation(len(kept))
        _, one = np.unique(group[kept][mixed], return_index=True)
        drawn = mixed[rng.permutation(one)[:_MOST_ERRORS]]
        errors = np.where(truth, 1.0 - held, held)[drawn]
        return cls(
            fitted.temperature,
            fitted.steps,
            tuple(np.sort(errors).tolist()),
            Reliability.of(cls(1.0).probability(ahead[kept]), truth),
            Reliability.of(held, truth),
        )

    def probability(self, margin: ArrayLike) -> NDArray[np.float64]:
        """How probable it is that the answer that is ahead by this margin (logits) is better.

        >>> float(Calibrator(2.0).probability(0.0))
        0.5
        """
        from scipy.special import expit

        lead = np.asarray(margin, dtype=np.float64) / self.temperature
        sure = expit(np.abs(lead))
        if self.steps:
            known, corrected = zip(*self.steps, strict=True)
            sure = np.interp(sure, known, corrected)
        return np.where(lead < 0, 1.0 - sure, np.where(lead == 0, 0.5, sure))

    def abstain_below(self, coverage: float = 0.9) -> float:
        """How sure one must be to decide a pair: say nothing where the probability is below this.

        Split conformal prediction (Vovk et al. 2005; Angelopoulos and Bates 2023): of pairs that
        are exchangeable with those it was fitted on (one pair by chance of a group by chance, if
        there were groups), at most the share 1 - `coverage` is decided and decided wrongly, on
        average; all others are decided rightly or not at all.

        Args:
            coverage: from above 0 to below 1.

        Returns:
            A probability from 0.5 to 1, or infinity: never decide, as there are too few labelled
            pairs to promise this.

        Raises:
            InputError: the coverage is no such share, or the calibrator has no labelled pairs.
        """
        checks.probability("coverage", coverage)
        if not self.errors:
            raise InputError("this calibrator was not fitted to pairs: it can promise no coverage")
        place = int(np.ceil(round((len(self.errors) + 1) * coverage, 9)))
        if place > len(self.errors):
            return float("inf")
        # Deciding where p > the quantile leaves the other answer outside of the conformal set.
        return max(0.5, float(np.nextafter(self.errors[place - 1], 2.0)))

    def belief(self, posterior: Posterior) -> CalibratedBelief:
        """What the labels would say of candidates of which the ranker says this."""
        return CalibratedBelief(self, posterior)

    def save(self, folder: str | PathLike[str]) -> None:
        """Write ``calibration.json`` into a ranker's folder."""
        text = json.dumps(asdict(self), indent=1, allow_nan=False)
        with whole_file(Path(folder) / CALIBRATION_FILE) as file:
            file.write(f"{text}\n".encode())

    @classmethod
    def load(cls, folder: str | PathLike[str]) -> Calibrator | None:
        """Read what `save` wrote; None where the folder has no ``calibration.json``.

        Raises:
            CheckpointError: the file is broken.
        """
        from pydantic import TypeAdapter, ValidationError

        path = Path(folder) / CALIBRATION_FILE
        try:
            return TypeAdapter(cls).validate_json(path.read_bytes(), strict=True)
        except FileNotFoundError:
            return None
        except (OSError, ValidationError) as error:
            why = sentences(error) if isinstance(error, ValidationError) else reason(error)
            raise CheckpointError(
                f"{path}: no calibration: {why}. Calibrate again, or remove the file to do without"
            ) from error


@dataclass(frozen=True, eq=False)
class CalibratedBelief:
    """A posterior's estimates, seen through a calibrator: a Plackett-Luce model of the labels."""

    calibrator: Calibrator
    posterior: Posterior

    def better(self, i: int, j: int) -> float:
        """How probable it is that candidate i is better than j."""
        estimates, linked = self.posterior.estimates, self.posterior.linked
        if linked[i] != linked[j]:
            return 0.5
        return float(self.calibrator.probability(estimates[i] - estimates[j]))

    @cached_property
    def best(self) -> Floats:
        """float64[N]: how probable it is that each candidate is the best."""
        shares = np.exp(self._worths - self._worths.max())
        best: Floats = shares / shares.sum()
        return best

    def reached(self, goal: Goal, order: Order) -> float:
        """See `Belief.reached`; exact for the best one, else by draws."""
        if goal in ("best", 1):
            return float(self.best[order[0]])
        gumbel = np.random.default_rng(0).gumbel(size=(_SAMPLES, len(self._worths)))
        return reached(self._worths + gumbel, goal, order)

    @cached_property
    def _worths(self) -> Floats:
        """float64[N]: of whoever is ahead 0, of others the logit of being better than that one."""
        estimates, linked = self.posterior.estimates, self.posterior.linked
        ahead = int(estimates.argmax())
        behind = np.where(linked == linked[ahead], estimates - estimates[ahead], 0.0)
        if not self.calibrator.steps:
            plain: Floats = behind / self.calibrator.temperature
            return plain
        shares = np.maximum(self.calibrator.probability(behind), _LEAST_SHARE)
        worths: Floats = np.log(shares / (1.0 - shares))
        return worths


def _checked(
    margins: ArrayLike, wins: ArrayLike, groups: Sequence[object] | None
) -> tuple[Floats, NDArray[np.bool_], NDArray[np.intp]]:
    ahead = np.asarray(margins, dtype=np.float64)
    right = np.asarray(wins)
    labels = range(len(ahead)) if groups is None else groups
    if ahead.ndim != 1 or right.shape != ahead.shape or len(labels) != len(ahead):
        raise InputError(
            f"margins, wins and groups must be as many: {ahead.shape}, {right.shape}, {len(labels)}"
        )
    if not np.isfinite(ahead).all():
        raise InputError("a margin is NaN or infinite; leave such pairs out")
    if not np.isin(right, (0, 1)).all():
        raise InputError("a win is 1 or 0; leave out pairs whose label has no preference")
    numbers: dict[object, int] = {}
    group = np.array([numbers.setdefault(label, len(numbers)) for label in labels], dtype=np.intp)
    if len(numbers) < _LEAST_GROUPS:
        raise InputError(
            f"{len(ahead)} labelled pairs of {len(numbers)} groups are too few to calibrate on: "
            f"at least {_LEAST_GROUPS} groups are needed"
        )
    return ahead, right.astype(bool), group


def _temperature(ahead: Floats, right: NDArray[np.bool_]) -> float:
    """The temperature under which the labels are most likely."""
    from scipy.optimize import minimize_scalar

    unit = float(np.sqrt(np.mean(ahead**2))) or 1.0
    lead = np.where(right, ahead, -ahead) / unit
    found = minimize_scalar(
        lambda log: float(np.logaddexp(0.0, -lead / np.exp(log)).sum()),
        bounds=tuple(np.log(_TEMPERATURES)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return unit * float(np.exp(found.x))


def _steps(sure: Floats, right: NDArray[np.bool_]) -> tuple[tuple[float, float], ...]:
    """An isotonic regression of how often the answer ahead is right on how probable that was.

    It begins at one half: a tie stays one.
    """
    from scipy.optimize import isotonic_regression

    decided = sure != 0.5
    leading = np.maximum(sure, 1.0 - sure)[decided]
    hit = np.where(sure > 0.5, right, ~right)[decided].astype(np.float64)
    # Equal probabilities are one observation, whatever order they come in.
    known, group, sizes = np.unique(leading, return_inverse=True, return_counts=True)
    share = np.bincount(group, hit) / np.maximum(sizes, 1)
    fitted = np.maximum(isotonic_regression(share, weights=sizes).x, 0.5) if len(known) else share
    known, fitted = np.append(0.5, known), np.append(0.5, fitted)
    # Of each level, its ends: linear between levels, level within.
    edge = np.flatnonzero(np.diff(fitted) > 0)
    places = np.unique(np.concatenate([[0], edge, edge + 1, [len(known) - 1]]))
    return tuple(zip(known[places].tolist(), fitted[places].tolist(), strict=True))
