"""The last stage of an evaluation: all tables of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.evaluation.agreement import SUMS, Scored, contributions
from blender_core.evaluation.blended import Blended
from blender_core.evaluation.columns import judge_columns, judged_texts
from blender_core.evaluation.groups import by_group
from blender_core.evaluation.items import Item
from blender_core.evaluation.judged import Judged
from blender_core.evaluation.measured import Measured
from blender_core.evaluation.ranked import Ranked
from blender_core.evaluation.ranks import Correlation, by_chance, correlation, ranks_of
from blender_core.evaluation.report import Report
from blender_core.evaluation.selections import MOST_MODELS, Selection, Table, with_rows
from blender_core.evaluation.standings import beats, rank_shares
from blender_core.evaluation.wanted import Evaluation

__all__ = ["tabulate"]

Numbers = NDArray[np.float64]
Rankings = Mapping[str, Sequence[Scored | None]]


def tabulate(
    items: Sequence[Item],
    wanted: Evaluation,
    ranked: Ranked,
    blended: Blended,
    judged: Judged,
    measured: Measured,
) -> Report:
    """The report, of what the other stages found."""
    answered = [item.record.models for item in items]
    shown = with_rows(answered)
    by_records = wanted.judge_ranker is None
    scores = [wanted.judge.score_of(item.record) if by_records else None for item in items]
    scales = sorted(score for score in set(scores) if score is not None)
    rankings = {
        name: [None if one is None else Scored.of(one) for one in found]
        for name, found in ranked.rankings.items()
    }
    unseen = _unseen(blended) if by_records else {}
    table = _table(answered, shown, scales, wanted.reference_models, judged, measured)
    rows = table.rows(
        [*_of_rankers(rankings, wanted), *_of_blends(items, blended, unseen)], wanted.bootstrap
    )
    models = [row.name for row in rows if row.kind == "model"]
    groups = [None if wanted.group is None else wanted.group(item.record) for item in items]
    sums = _sums(items, judged, rankings)
    return Report(
        settings=wanted.settings,
        records=len(items),
        with_reference=sum(item.reference is not None for item in items),
        ranked=sum(truth.ranked for truth in judged.truths),
        columns=[one.column for one in table.columns],
        rows=rows,
        correlations=_correlations(shown, judged, measured, rankings),
        agreement=by_group(sums, groups, scores, answered, judged.truths, wanted.bootstrap),
        models=models,
        beats=beats(models, shown, judged.truths),
        rank_shares=rank_shares(models, shown, judged.truths),
        notes=[
            *ranked.notes,
            *blended.notes,
            *judged.notes,
            *_on_models(answered),
            *_on_scales(scales),
            *measured.notes,
            *unseen.values(),
        ],
    )


def _table(
    answered: Sequence[Sequence[str | None]],
    shown: Sequence[Sequence[str | None]],
    scales: Sequence[str],
    references: Sequence[str],
    judged: Judged,
    measured: Measured,
) -> Table:
    one_scale = scales[0] if len(scales) == 1 else None
    by_judge = judge_columns(answered, judged.truths, references, one_scale)
    by_metric = [one.column.key for one in measured.columns]
    texts = {
        (name, key): values
        for name, told in judged.texts.items()
        for key, values in judged_texts(answered, told, references).items()
    }
    return Table(
        shown,
        [*by_judge, *measured.columns],
        ["gpt_rank", "judge_score", *by_metric],
        {**texts, **measured.texts},
    )


def _of_rankers(rankings: Rankings, wanted: Evaluation) -> list[Selection]:
    return [
        Selection(
            "baseline" if name in wanted.baselines else "ranker",
            name,
            [None if one is None else one.pick for one in found],
        )
        for name, found in rankings.items()
    ]


def _of_blends(
    items: Sequence[Item], blended: Blended, unseen: Mapping[str, str]
) -> list[Selection]:
    """Blends select what they did not fuse."""
    result = []
    for name, texts in blended.texts.items():
        shares: list[Numbers | None] = []
        for item, one in zip(items, texts, strict=True):
            selects = one is not None and not one.fused and name not in unseen
            shares.append(np.eye(len(item.texts))[one.pick] if one and selects else None)
        result.append(Selection("blend", name, shares))
    return result


def _unseen(blended: Blended) -> dict[str, str]:
    """By blend, what to say where it has texts that the judge has not seen."""
    notes = {}
    for name, texts in blended.texts.items():
        fused = sum(one is not None and one.fused for one in texts)
        if fused:
            notes[name] = (
                f"{name}: {fused} of {len(texts)} answers are fused texts, which the judge has "
                "not seen; so the blend has no figures by the judge."
            )
    return notes


def _sums(items: Sequence[Item], judged: Judged, rankings: Rankings) -> dict[str, Numbers]:
    """By ranker, what each record adds to the agreement with the judge."""
    return {
        name: np.stack(
            [
                np.zeros(SUMS) if one is None else contributions(item.texts, truth, one)
                for item, truth, one in zip(items, judged.truths, found, strict=True)
            ]
        )
        for name, found in rankings.items()
    }


def _correlations(
    models: Sequence[Sequence[str | None]], judged: Judged, measured: Measured, rankings: Rankings
) -> dict[str, Correlation]:
    """How far rankings by metrics and rankers agree with the judge's."""
    if not any(truth.ranked for truth in judged.truths):
        return {}
    wanted = [truth.ranks for truth in judged.truths]
    found = {"random": by_chance(wanted)}
    for one in measured.columns:
        by_metric = [ranks_of(values) for values in one.values]
        found[one.column.title] = correlation(models, by_metric, wanted)
    for name, of_ranker in rankings.items():
        ranks = [None if one is None else one.ranks for one in of_ranker]
        found[name] = correlation(models, ranks, wanted)
    return {name: one for name, one in found.items() if one.records}


def _on_models(answered: Sequence[Sequence[str | None]]) -> list[str]:
    count = len({name for names in answered for name in names if name is not None})
    if count <= MOST_MODELS:
        return []
    return [f"Of {count} models, the {MOST_MODELS} with the most answers have rows."]


def _on_scales(scales: Sequence[str]) -> list[str]:
    if len(scales) < 2:
        return []
    return [
        f"The judges' scores have different scales ({', '.join(scales)}): no mean over all of them."
    ]
