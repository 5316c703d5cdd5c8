"""What members' records are worth: picks by a ranker, by records, by both, by the best member.

``python -m benchmarks.members FILE... [--ranker R] [--most 150] [--scores FILE]``, with files of
judged lists. Of each list set (by what stands before the first '-' of an id) a random half of the
questions is learnt from, or 20 or 50 of them, and picks are judged on the other half; so in 20
divisions. What the ranker says is kept in ``--scores``, where a run that was stopped goes on.

Points go from 0 to 100 over all scores of a set; the lead is that of its best member over the
second one. "best" picks the member with the best mean where things were learnt, of those that
answered.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from blender_core.belief.member_prior import MemberPrior
from blender_core.candidates import Task
from blender_core.cli.models import load_ranker
from blender_core.cli.options import DEFAULT_RANKER, Loading
from blender_core.data.files import read_records
from blender_core.data.records import Record
from blender_core.evaluation.member_fitting import fit_members
from blender_core.evaluation.truth import Truth, truth_of
from blender_core.outcomes import Ranking
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.prior_ranker import MemberRanker, PriorRanker
from blender_core.ranking.ranker import Ranker

SEEDS = 20
LEARNT_FROM = (20, 50, None)
"""Questions; None is the half."""

FEWEST = 20
"""Questions of a set, so that a half says something."""

AT_ONCE = 8


@dataclass(frozen=True)
class Question:
    """A question, its answers' scores from 0 to 100, and what the ranker says of them."""

    task: Task
    truth: Truth
    points: NDArray[np.float64]
    ranking: Ranking


class Stored(Ranker):
    """Says what is stored."""

    def __init__(self, questions: Iterable[Question]) -> None:
        self.known = {question.task: question.ranking for question in questions}

    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:
        del show_progress
        return [self.known[task] for task in tasks]


def main(
    files: list[Path],
    ranker: Annotated[str, typer.Option(help="As of 'blended-llm rank'.")] = DEFAULT_RANKER,
    most: Annotated[int, typer.Option(help="Questions of a set at most.")] = 150,
    by: Annotated[str | None, typer.Option(help="As of 'blended-llm fit-members'.")] = None,
    scores: Annotated[Path | None, typer.Option(help="Where the ranker's scores are kept.")] = None,
) -> None:
    """Measure, set by set."""
    sets = lists(files, most)
    known = ranked([one for some in sets.values() for one in some], ranker, scores)
    print(f"{'set':12}{'questions':>10}{'lead':>6}{'learnt':>8}  ", end="")
    print("  ranker members   best    both oracle   both - best   weights (ranker, members)")
    for name, records in sets.items():
        questions = as_questions(records, known, by)
        for count in LEARNT_FROM:
            if count is None or 2 * count < len(questions):
                show(name, questions, count, by)


def lists(files: Sequence[Path], most: int) -> dict[str, list[Record]]:
    """By set, records of three named and scored answers or more, the judged ones."""
    found: dict[str, list[Record]] = defaultdict(list)
    for file in files:
        for record in read_records(file):
            named = {model for model in record.models if model is not None}
            scored = record.scores and not any(np.isnan(truth_of(record).scores))
            if len(named) >= 3 and scored and record.label_kind != "model_level":
                found[str(record.id).partition("-")[0]].append(record)
    return {name: some[:most] for name, some in found.items() if len(some) >= FEWEST}


def ranked(
    records: Sequence[Record], ranker: str, file: Path | None
) -> Mapping[str, Sequence[float]]:
    """The ranker's utilities of each record's answers, by its id; what is in the file is taken."""
    known: dict[str, Sequence[float]] = {}
    if file is not None and file.exists():
        known = {one["id"]: one["u"] for one in map(json.loads, file.open())}
    todo = [record for record in records if str(record.id) not in known]
    chosen = load_ranker(ranker, Loading(quiet=True)) if todo else None
    for start in range(0, len(todo), AT_ONCE):
        part = todo[start : start + AT_ONCE]
        assert chosen is not None
        rankings = chosen.rank_completely([record.to_task() for record in part])
        new = {str(r.id): rank.utilities for r, rank in zip(part, rankings, strict=True)}
        known |= new
        if file is not None:
            with file.open("a") as stream:
                stream.writelines(json.dumps({"id": k, "u": u}) + "\n" for k, u in new.items())
    return known


def as_questions(
    records: Sequence[Record], known: Mapping[str, Sequence[float]], by: str | None
) -> list[Question]:
    truths = [truth_of(record) for record in records]
    everything = np.concatenate([truth.scores for truth in truths])
    low, high = everything.min(), everything.max()
    questions = []
    for record, truth in zip(records, truths, strict=True):
        task, column = record.to_task(by), np.array(known[str(record.id)])
        order, ranks = order_and_ranks(column.tolist())
        matrix = (column[:, None] - column[None, :]).astype(np.float32)
        ranking = Ranking(task.candidates, order, ranks, tuple(column), matrix, passes=0)
        points = 100.0 * (truth.scores - low) / max(high - low, 1e-9)
        questions.append(Question(task, truth, points, ranking))
    return questions


def show(name: str, questions: Sequence[Question], count: int | None, by: str | None) -> None:
    rows, weights = [], []
    gains: dict[int, list[float]] = defaultdict(list)
    for seed in range(SEEDS):
        order = np.random.default_rng(seed).permutation(len(questions))
        half = len(questions) // 2
        learnt = [questions[place] for place in order[:half]][:count]
        points, prior = measured(learnt, [questions[place] for place in order[half:]], by)
        rows.append(points.mean(axis=1))
        weights.append((prior.ranker_weight, prior.weight))
        for place, gain in zip(order[half:], points[3] - points[2], strict=True):
            gains[place].append(float(gain))
    # A question's gain is known in all divisions in which it was kept: questions are what varies.
    gain = np.array([np.mean(some) for some in gains.values()])
    first, second = sorted(means(questions).values(), reverse=True)[:2]
    print(
        f"{name:12}{len(questions):10}{first - second:6.1f}{count or 'half':>8}  "
        + " ".join(f"{value:7.1f}" for value in np.mean(rows, axis=0))
        + f"   {gain.mean():+5.1f} ± {gain.std(ddof=1) / len(gain) ** 0.5:.1f}   "
        + "{:.2f}, {:.2f}".format(*np.mean(weights, axis=0)),
        flush=True,
    )


def measured(
    learnt: Sequence[Question], kept: Sequence[Question], by: str | None
) -> tuple[NDArray[np.float64], MemberPrior]:
    """Points of the picks of ranker, members, best member, both and oracle; and the prior."""
    prior = fit_members(
        [one.task for one in learnt],
        [one.truth for one in learnt],
        [one.ranking for one in learnt],
        by=by,
    )
    tasks, stored = [one.task for one in kept], Stored(kept)
    ranker, members, both = (
        [ranking.order[0] for ranking in chosen.rank_many(tasks)]
        for chosen in (stored, MemberRanker(prior), PriorRanker(stored, prior))
    )
    best, nobody = means(learnt), float(np.mean([one.points.mean() for one in learnt]))
    single = [
        int(np.argmax([best.get(str(answer.source), nobody) for answer in task.candidates]))
        for task in tasks
    ]
    oracle = [int(one.points.argmax()) for one in kept]
    picks = (ranker, members, single, both, oracle)
    return np.array([[q.points[k] for q, k in zip(kept, p, strict=True)] for p in picks]), prior


def means(questions: Iterable[Question]) -> dict[str, float]:
    """Each member's mean points."""
    found: dict[str, list[Any]] = defaultdict(list)
    for one in questions:
        for answer, points in zip(one.task.candidates, one.points, strict=True):
            found[str(answer.source)].append(points)
    return {name: float(np.mean(some)) for name, some in found.items()}


if __name__ == "__main__":
    typer.run(main)
