"""From records to the pairs that are learnt from, and what to do about longer answers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from blender_core.candidates import Pair
from blender_core.data.records import Record
from blender_core.data.stats import LONGER
from blender_core.errors import InputError
from blender_core.training.config import RankerConfig
from blender_core.training.sampling import draw_pairs

__all__ = [
    "JudgedPair",
    "check_scores",
    "debiased",
    "judged_pairs",
    "longer",
    "longer_wins",
    "preferences_of",
    "quality",
]


@dataclass(frozen=True, slots=True)
class JudgedPair:
    """Two answers and what is known of them.

    Attributes:
        pair: question and answers, in the order in which they are shown.
        preference: how sure it is that the first is better, 0 to 1; 0.5 is a tie.
        targets: of the first and of the second answer, one number a task.
        indices: of the two in their record.
        record: index of the record.
        weight: how much the pair counts.
        source: where the record is from.
    """

    pair: Pair
    preference: float
    targets: tuple[tuple[float, ...], tuple[float, ...]]
    indices: tuple[int, int]
    record: int
    weight: float = 1.0
    source: str | None = None

    @property
    def swapped(self) -> JudgedPair:
        """The same with the second answer shown first."""
        return replace(
            self,
            pair=Pair(self.pair.instruction, self.pair.second, self.pair.first),
            preference=1.0 - self.preference,
            targets=self.targets[::-1],
            indices=self.indices[::-1],
        )


def preferences_of(record: Record, config: RankerConfig) -> NDArray[np.float32]:
    """What a record says of its pairs, float32[N, N]; see `Record.preferences`."""
    if config.tasks:
        total = np.sum([record.score(name) for name in config.tasks], axis=0)
        matrix: NDArray[np.float64] = 0.5 + 0.5 * np.sign(total[:, None] - total[None, :])
        return matrix.astype(np.float32)
    names = None if config.scores is None else list(config.scores)
    scales = {name: scale for name, scale in (config.scores or {}).items() if scale is not None}
    return record.preferences(names, scales)


def quality(preferences: NDArray[np.float32]) -> NDArray[np.float64]:
    """How good each answer is: its mean preference over the answers it was compared with.

    Returns:
        float64[N], NaN for an answer that was compared with no other.
    """
    others = np.array(preferences, dtype=np.float64)
    np.fill_diagonal(others, np.nan)
    known = ~np.isnan(others)
    total = np.where(known, others, 0.0).sum(axis=1)
    return np.where(known.any(axis=1), total / np.maximum(known.sum(axis=1), 1), np.nan)


def check_scores(records: Sequence[Record], names: Iterable[str]) -> None:
    """Raise an `InputError` for a score that no record has."""
    known = {name for record in records for name in record.scores}
    known |= {name for record in records for one in record.candidates for name in one.scores or ()}
    for name in names:
        if name not in known:
            listed = ", ".join(map(repr, sorted(known))) or "none"
            raise InputError(f"no record has a score {name!r}; known: {listed}")


def judged_pairs(
    records: Sequence[Record], config: RankerConfig, generator: torch.Generator
) -> list[JudgedPair]:
    """The pairs of all records of which it is known who is better, each in a random order.

    Of answers of one record with the same text only the first counts. Ties are kept where the
    loss learns from them.

    Args:
        records: with judgements or scores.
        config: says which pairs, and what the targets are.
        generator: source of chance.
    """
    keep_ties = config.loss in ("soft", "MSE")
    result: list[JudgedPair] = []
    for place, record in enumerate(records):
        weight = config.label_weights.get(record.label_kind or "", 1.0)
        weight *= config.source_weights.get(record.source or "", 1.0)
        if weight == 0.0:
            continue
        preferences = preferences_of(record, config)
        tasks = np.array([record.score(name) for name in config.tasks]).T
        first_of = {answer.text: k for k, answer in reversed(list(enumerate(record.candidates)))}
        scores = tasks.sum(axis=1) if config.tasks else quality(preferences)
        usable = [k for k in sorted(first_of.values()) if not np.isnan(scores[k])]
        drawn = draw_pairs(
            config.sampling,
            scores[usable],
            generator,
            num_pos=config.num_pos,
            num_neg=config.num_neg,
            ratio=config.ratio,
        )
        pairs = [(usable[a], usable[b]) for a, b in drawn]
        known = [
            (a, b)
            for a, b in pairs
            if a != b
            and not np.isnan(preferences[a, b])
            and (keep_ties or preferences[a, b] != 0.5)
        ]
        if config.max_pairs_per_record is not None:
            chosen = torch.randperm(len(known), generator=generator)[: config.max_pairs_per_record]
            known = [known[k] for k in chosen.tolist()]
        question = record.to_task().source
        texts = [answer.text for answer in record.candidates]
        for a, b in known:
            preference = float(preferences[a, b])
            targets = (
                (tuple(map(float, tasks[a])), tuple(map(float, tasks[b])))
                if config.tasks
                else _targets(preference, config)
            )
            pair = Pair(question, texts[a], texts[b])
            result.append(
                JudgedPair(pair, preference, targets, (a, b), place, weight, record.source)
            )
    return result


def _targets(preference: float, config: RankerConfig) -> tuple[tuple[float], tuple[float]]:
    if config.loss == "open_instruct_BCE":
        preference = float(preference > 0.5)
    return (preference,), (1.0 - preference,)


def longer(pair: Pair) -> int:
    """1 where the first answer is longer by more than 5 %, -1 where the second is, else 0."""
    first, second = len(pair.first), len(pair.second)
    return int(first > LONGER * second) - int(second > LONGER * first)


def longer_wins(pairs: Sequence[JudgedPair]) -> float | None:
    """Share of the verdicts that go to the longer answer, by weight and clearness.

    None where no verdict is about answers of different lengths.
    """
    favours = _favours_longer(pairs)
    total = float(np.abs(favours).sum())
    return float(favours.clip(min=0.0).sum()) / total if total else None


def debiased(
    pairs: Sequence[JudgedPair], config: RankerConfig, generator: torch.Generator
) -> list[JudgedPair]:
    """The pairs, with the longer answer winning half of the time.

    Args:
        pairs: with preferences.
        config: whose `length_debiasing` says how: ``weights`` makes the verdicts for the longer
            and for the shorter answer weigh the same in sum; ``sampling`` leaves out pairs of the
            larger group by chance; ``none`` leaves all as it is. With `debias_by_source`, pairs
            of each source by themselves.
        generator: source of chance.

    Raises:
        InputError: one of the two never wins.
    """
    method = config.length_debiasing
    if method == "none":
        return list(pairs)
    if not config.debias_by_source:
        return _debiased(pairs, method, generator)
    by_source: dict[str | None, list[JudgedPair]] = {}
    for pair in pairs:
        by_source.setdefault(pair.source, []).append(pair)
    return [pair for some in by_source.values() for pair in _debiased(some, method, generator)]


def _debiased(
    pairs: Sequence[JudgedPair], method: str, generator: torch.Generator
) -> list[JudgedPair]:
    if not pairs:
        raise InputError("no record has a judgement, a comparison or a score to learn from")
    favours = _favours_longer(pairs)
    for_longer, for_shorter = favours.clip(min=0.0).sum(), -favours.clip(max=0.0).sum()
    if min(for_longer, for_shorter) <= 0.0:
        rare = "shorter" if for_longer > 0.0 else "longer"
        raise InputError(
            f"length_debiasing: the {rare} answer is better in none of the {len(pairs)} pairs; "
            "use length_debiasing: none or other data"
        )
    if method == "weights":
        half = (for_longer + for_shorter) / 2.0
        factors = np.where(favours > 0, half / for_longer, half / for_shorter)
        factors[favours == 0] = 1.0
        return [
            replace(pair, weight=pair.weight * float(factor))
            for pair, factor in zip(pairs, factors, strict=True)
        ]
    larger = np.flatnonzero(favours > 0 if for_longer > for_shorter else favours < 0)
    excess = abs(float(for_longer - for_shorter))
    dropped: set[int] = set()
    for place in larger[torch.randperm(len(larger), generator=generator).numpy()].tolist():
        # Half a pair more or less: what is left over is smaller than what this pair would take.
        if excess < abs(favours[place]) / 2.0:
            break
        excess -= abs(float(favours[place]))
        dropped.add(place)
    return [pair for place, pair in enumerate(pairs) if place not in dropped]


def _favours_longer(pairs: Sequence[JudgedPair]) -> NDArray[np.float64]:
    """Weight times clearness of each verdict, > 0 where it is for the longer answer."""
    return np.array(
        [pair.weight * longer(pair.pair) * (2.0 * pair.preference - 1.0) for pair in pairs]
    )
