"""``blended-llm demo``: real questions, real answers of real models, ranked before your eyes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from blender_core.cli import options
from blender_core.cli.options import DEFAULT_RANKER, Loading

if TYPE_CHECKING:
    from rich.console import Console

    from blender_core.cli.records import Answered
    from blender_core.outcomes import Ranking

__all__ = ["demo"]

_ANSWER_WIDTH = 150


@dataclass(frozen=True, slots=True)
class Judged:
    """What a judge says of the picked answer: its score, the mean of all and the best."""

    judge: str
    pick: float
    mean: float
    best: float


def demo(
    ranker: options.Ranker = DEFAULT_RANKER,
    device: options.Device = None,
    dtype: options.Dtype = None,
    base_model: options.BaseModel = None,
    local_files_only: options.LocalFilesOnly = False,
) -> None:
    """Rank the answers of real models to five questions, with all the steps shown."""
    from time import perf_counter

    from rich.console import Console

    from blender_core.cli.models import load_ranker

    console = Console(markup=False, highlight=False, emoji=False)
    chosen = load_ranker(ranker, Loading(device, dtype, base_model, None, local_files_only))
    records = _records()
    console.print(_introduction(ranker, len(records)))
    spent, passes, verdicts = 0.0, 0, []
    for number, (record, source) in enumerate(records, 1):
        begin = perf_counter()
        ranking = chosen.rank_many([record.to_task()])[0]
        seconds = perf_counter() - begin
        verdict = _judged(record, ranking)
        console.rule(f"{number} of {len(records)}")
        _show(console, record, source, ranking, seconds, verdict)
        spent += seconds
        passes += ranking.passes
        verdicts.append(verdict)
    console.rule()
    known = [verdict for verdict in verdicts if verdict is not None]
    above = sum(verdict.pick > verdict.mean for verdict in known)
    best = sum(verdict.pick == verdict.best for verdict in known)
    console.print(
        f"{len(records)} questions, {passes} passes of a model, {spent:.2f} s. By the judges' "
        f"scores, which the ranker never saw, the pick is above the average answer on {above} of "
        f"{len(known)} and among the best on {best}.\n\n"
        "Next:\n"
        "  your own answers   blended-llm rank --instruction '…' --candidate '…' --candidate '…'\n"
        "  many of them       blended-llm rank records.jsonl --output ranked.jsonl\n"
        "  another ranker     blended-llm demo --ranker llm-blender/PairRM-hf   (a download)\n"
        "  everything else    blended-llm --help",
        soft_wrap=True,
    )


def _records() -> list[tuple[Answered, str]]:
    """The records of the demo, each with where it comes from."""
    from importlib.resources import files

    from blender_core.cli.records import read_record
    from blender_core.json_values import parsed

    content = files("blender_core.cli").joinpath("demo.jsonl").read_bytes()
    values = [parsed(line) for line in content.splitlines()]
    return [(read_record(value), f"{value['source']}, {value['licence']}") for value in values]


def _introduction(ranker: str, count: int) -> str:
    from blender_core.cli.models import is_consensus

    if is_consensus(ranker):
        return (
            f"{count} questions, ranked by consensus (no model: the answer that agrees most with "
            "the others is first)."
        )
    if ranker == DEFAULT_RANKER:
        return (
            f"{count} questions, ranked by pairranker-mini, the model in this package, and by what "
            "the answers agree on."
        )
    return f"{count} questions, ranked by {ranker!r}."


def _judged(record: Answered, ranking: Ranking) -> Judged | None:
    """The verdict of the judge whose scores the record has, if it has any for all answers."""
    name = next(iter(record.candidates[0].scores or {}), None)
    if name is None:
        return None
    scores = [(answer.scores or {}).get(name) for answer in record.candidates]
    known = [score for score in scores if score is not None]
    if len(known) < len(scores):
        return None
    return Judged(name, known[ranking.order[0]], sum(known) / len(known), max(known))


def _show(
    console: Console,
    record: Answered,
    source: str,
    ranking: Ranking,
    seconds: float,
    verdict: Judged | None,
) -> None:
    from blender_core.candidates import name_of
    from blender_core.cli.heat_map import LETTERS, heat_map
    from blender_core.cli.views import passes_of, plain

    console.print(plain(record.instruction, "bold"))
    console.print(plain(source, "dim"))
    console.print()
    console.print(_answers(record, ranking, verdict))
    console.print("\nRow against column, > 0 where the row's answer is better:")
    console.print(heat_map(ranking.matrix))
    names = [f"{LETTERS[i]} {name_of(ranking.candidates, i)}" for i in ranking.order]
    console.print(plain("\nOrder: " + "  >  ".join(names)))
    if verdict is not None:
        console.print(
            f"Judge ({verdict.judge}): the pick has {verdict.pick:g}, the average answer "
            f"{verdict.mean:.1f}, the best {verdict.best:g}."
        )
    console.print(f"{passes_of(ranking)}, {1000 * seconds:.0f} ms\n", style="dim")


def _answers(record: Answered, ranking: Ranking, verdict: Judged | None) -> Any:
    from rich.table import Table
    from rich.text import Text

    from blender_core.cli.heat_map import LETTERS
    from blender_core.cli.messages import one_line
    from blender_core.cli.views import plain, short

    table = Table(expand=True)
    for title in ("", "rank", "score", "judge"):
        table.add_column(title, justify="right")
    table.add_column("answer", ratio=1)
    for i, answer in enumerate(record.candidates):
        judged = "" if verdict is None else f"{(answer.scores or {})[verdict.judge]:g}"
        table.add_row(
            LETTERS[i],
            str(ranking.ranks[i]),
            f"{ranking.scores[i]:.3g}",
            judged,
            Text.assemble(
                plain(one_line(answer.model or ""), "bold"),
                "\n",
                short(answer.text, _ANSWER_WIDTH),
            ),
            style="green" if i == ranking.order[0] else None,
        )
    return table
