"""The agreement of rankers with the judge, over all records and by group."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from blender_core.evaluation.agreement import agreement
from blender_core.evaluation.figures import NOTHING, Bootstrap, Figure, Ratio
from blender_core.evaluation.truth import Truth

__all__ = ["ALL", "MEAN_OF_GROUPS", "by_group"]

ALL = "all"
MEAN_OF_GROUPS = "mean of groups"
Numbers = NDArray[np.float64]


def by_group(
    sums: Mapping[str, Numbers],
    groups: Sequence[str | None],
    score_names: Sequence[str | None],
    models: Sequence[Sequence[str | None]],
    truth: Sequence[Truth],
    bootstrap: Bootstrap,
) -> dict[str, dict[str, dict[str, Figure]]]:
    """The figures of `agreement`, over all records and by group.

    Args:
        sums: by ranker, each record's contributions.
        groups: each record's group, None where it has none.
        score_names: the name of each record's judge's score: one group has figures by it where
            all its records have the same.
        models: each record's models, one an answer.
        truth: what each record knows.
        bootstrap: for the intervals.

    Returns:
        By group and ranker, the figures; beside the rankers, the judge's score of a random pick,
        of the best single model and of the best answer. With several groups also their means.
    """
    chosen: dict[str, list[int]] = {ALL: list(range(len(groups)))}
    for place, group in enumerate(groups):
        if group is not None:
            chosen.setdefault(group, []).append(place)
    result = {}
    for group, places in chosen.items():
        one_scale = len({score_names[place] for place in places} - {None}) == 1
        found = {}
        for name, rows in sums.items():
            figures = agreement(rows[places], bootstrap)
            found[name] = figures if one_scale else {**figures, "judge_score": NOTHING}
        if one_scale:
            for name, values in _yardsticks(
                [models[place] for place in places], [truth[place] for place in places]
            ):
                figure = bootstrap.figure(Ratio.mean(values))
                found[name] = {"judge_score": figure}
        result[group] = found
    if len(result) > 2:
        result[MEAN_OF_GROUPS] = _means([result[name] for name in result if name != ALL])
    return result


def _yardsticks(
    models: Sequence[Sequence[str | None]], truth: Sequence[Truth]
) -> list[tuple[str, Numbers]]:
    """The judge's score of a random pick, of the best single model's and of the best answer.

    The best single model is chosen afterwards, with the judge's help, among those that
    answered at least half of the records.
    """
    scores = [known.scores for known in truth]
    judged = [place for place, known in enumerate(scores) if not np.isnan(known).all()]

    def each(value: Callable[[Numbers], Any]) -> Numbers:
        result = np.full(len(scores), np.nan)
        for place in judged:
            result[place] = value(scores[place])
        return result

    by_model: dict[str, Numbers] = {}
    for line in judged:
        for name, score in zip(models[line], scores[line].tolist(), strict=True):
            if name is not None:
                by_model.setdefault(name, np.full(len(scores), np.nan))[line] = score
    means = {
        name: float(np.nanmean(values))
        for name, values in by_model.items()
        if 2 * (~np.isnan(values)).sum() >= len(judged)
    }
    rows = [("random pick", each(np.nanmean))]
    if len(means) > 1:
        best = max(means, key=lambda name: means[name])
        rows.append((f"best single model ({best})", by_model[best]))
    return [*rows, ("oracle pick", each(np.nanmax))]


def _means(
    groups: Sequence[Mapping[str, Mapping[str, Figure]]],
) -> dict[str, dict[str, Figure]]:
    """The mean of each figure over the groups that have it; judges' scales are not mixed."""
    names = dict.fromkeys(name for group in groups for name in group)
    result: dict[str, dict[str, Figure]] = {}
    for name in names:
        found: dict[str, list[Figure]] = {}
        for group in groups:
            for key, figure in group.get(name, {}).items():
                if figure.value is not None and key != "judge_score":
                    found.setdefault(key, []).append(figure)
        if found:
            result[name] = {
                key: Figure(
                    float(np.mean([one.value for one in some if one.value is not None])),
                    records=sum(one.records for one in some),
                )
                for key, some in found.items()
            }
    return result
