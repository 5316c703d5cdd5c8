"""Columns of the table of selections that a judge's verdicts give."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_core.evaluation.report import Column
from blender_core.evaluation.truth import Truth

__all__ = ["FIRST", "Filled", "judge_columns", "judged_texts"]

FIRST = "first"
"""The key of the one column that is about models alone."""

Numbers = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Filled:
    """A column and what stands in it: for each record float64[N], NaN where it is not known."""

    column: Column
    values: Sequence[Numbers]


def judge_columns(
    models: Sequence[Sequence[str | None]],
    truths: Sequence[Truth],
    references: Sequence[str],
    score: str | None,
) -> list[Filled]:
    """The columns.

    GPT-Rank is the mean rank of the pick, ``top3`` the share of picks with rank 3 or better,
    ``first`` a model's share of the first places (those who share one have equal parts in it).

    A reference model has two columns, as there are two published definitions. ``at_least`` is
    the share of picks that the judge did not call worse than that model's answer (table 2 of
    the paper). ``points`` counts 1 for a win, a half for a tie and 0 where both are bad (the
    authors' later correction). An answer against itself is a tie that is not bad.

    Args:
        models: each record's models, one an answer.
        truths: what is known of each record's answers.
        references: names of models.
        score: the name of the judge's score, None where there is none for all records.
    """
    none = "no record has comparisons or scores by a judge"
    note = None if any(truth.ranked for truth in truths) else none
    columns = [
        Filled(
            Column("gpt_rank", "GPT-Rank", lower_is_better=True, note=note),
            [truth.ranks for truth in truths],
        ),
        Filled(
            Column("top3", "top 3", share=True, note=note),
            [_known(truth.ranks <= 3, truth.ranks) for truth in truths],
        ),
        Filled(
            Column(FIRST, "first places", share=True, note=note),
            [
                _known((truth.ranks == 1) / max(1, (truth.ranks == 1).sum()), truth.ranks)
                for truth in truths
            ],
        ),
    ]
    if score is not None:
        columns.append(Filled(Column("judge_score", score), [truth.scores for truth in truths]))
    for reference in references:
        pairs = [_against(reference, *both) for both in zip(models, truths, strict=True)]
        known = any(not np.isnan(at_least).all() for at_least, _ in pairs)
        missing = None if known else f"no record has one answer of {reference!r} that is judged"
        for place, (key, title) in enumerate((("at_least", "≥"), ("points", "points vs"))):
            column = Column(f"{key}:{reference}", f"{title} {reference}", share=True, note=missing)
            columns.append(Filled(column, [pair[place] for pair in pairs]))
    return columns


def judged_texts(
    models: Sequence[Sequence[str | None]],
    told: Sequence[tuple[Truth, int] | None],
    references: Sequence[str],
) -> dict[str, list[float]]:
    """What a judge says of texts of which some are none of the answers, by columns' keys.

    Args:
        models: each record's models, one an answer.
        told: for each record, what the judge knows and the text's place in it; the answers have
            the places that they have in the record.
        references: names of models.
    """
    ranks = [np.nan if one is None else float(one[0].ranks[one[1]]) for one in told]
    texts = {
        "gpt_rank": ranks,
        "top3": [np.nan if np.isnan(rank) else float(rank <= 3) for rank in ranks],
    }
    for reference in references:
        pairs = [
            (np.nan, np.nan)
            if one is None
            else tuple(float(part[one[1]]) for part in _against(reference, names, one[0]))
            for names, one in zip(models, told, strict=True)
        ]
        texts[f"at_least:{reference}"], texts[f"points:{reference}"] = map(
            list, zip(*pairs, strict=True)
        )
    return texts


def _known(values: NDArray[np.generic], ranks: Numbers) -> Numbers:
    return np.where(np.isnan(ranks), np.nan, values)


def _against(reference: str, models: Sequence[str | None], truth: Truth) -> tuple[Numbers, Numbers]:
    """Both definitions of "not worse than the reference", float64[N], NaN where unknown."""
    places = [place for place, name in enumerate(models) if name == reference]
    if len(places) != 1:
        nothing = np.full(len(truth.ranks), np.nan)
        return nothing, nothing
    outcome = truth.outcome[:, places[0]]
    tie = np.where(truth.same_bad[:, places[0]], 0.0, 0.5)
    unknown = np.isnan(outcome)
    at_least = np.where(unknown, np.nan, outcome >= 0)
    points = np.where(unknown, np.nan, np.where(outcome == 0, tie, outcome > 0))
    return at_least, points
