"""What the results look like on a terminal. Every text of a record goes in as plain text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from blender_core.candidates import Candidate, Task, name_of
from blender_core.cli.messages import one_line, visible
from blender_core.outcomes import Blend, Ranking

__all__ = [
    "blend_view",
    "comparison_view",
    "fused_view",
    "passes_of",
    "plain",
    "ranking_view",
    "report_view",
    "short",
]

_TITLE_WIDTH = 100


def plain(text: str, style: str = "") -> Text:
    """The text, harmless, in one style."""
    return Text(visible(text), style=style)


def short(text: str, width: int) -> Text:
    """The beginning of the text, harmless, on one line."""
    return Text(shorten(one_line(text), width, placeholder=" …"))


def passes_of(ranking: Ranking) -> str:
    """How often a model was asked, in words."""
    if not ranking.passes:
        return "no model was asked"
    return f"{ranking.passes} passes of the model"


def heading(title: str, task: Task) -> Text:
    """Which record, and its question."""
    return Text.assemble(
        plain(f"{one_line(title)}  ", "bold"), short(task.source or "(no question)", _TITLE_WIDTH)
    )


def ranking_view(title: str, task: Task, ranking: Ranking) -> RenderableType:
    """The answers, best first."""
    caption = f"{passes_of(ranking)} · {_sure_of(ranking)}"
    table = Table(caption=caption, caption_justify="left", expand=True)
    table.add_column("rank", justify="right")
    table.add_column("model", overflow="fold")
    table.add_column("score", justify="right")
    for part in ranking.score_parts:
        table.add_column(part, justify="right")
    table.add_column("P(best)", justify="right")
    table.add_column("answer", ratio=1, no_wrap=True, overflow="ellipsis")
    for index in ranking.order:
        table.add_row(
            str(ranking.ranks[index]),
            plain(one_line(name_of(task.candidates, index))),
            f"{ranking.scores[index]:.4g}",
            *(f"{part[index]:.4g}" for part in ranking.score_parts.values()),
            f"{ranking.probability_best[index]:.0%}",
            plain(one_line(task.candidates[index].text)),
        )
    return Group(heading(title, task), table)


def _sure_of(ranking: Ranking) -> str:
    """How probable it is that the order is right as far as the goal goes, in words."""
    goals = {"best": "the best", "order": "the order"}
    goal = goals.get(str(ranking.goal), f"the {ranking.goal} best")
    fitted = "" if ranking.is_calibrated else ", uncalibrated"
    return f"sure of {goal}: {ranking.confidence:.0%}{fitted}"


def comparison_view(title: str, task: Task, told: Mapping[str, Any]) -> RenderableType:
    """Which of two answers is better, of what ``compare`` tells."""
    better = told["better"]
    lines = [
        Text.assemble(
            "* " if letter == better else "  ",
            f"{letter}  ",
            plain(f"{one_line(answer.source)}  " if answer.source else ""),
            plain(one_line(answer.text)),
            no_wrap=True,
            overflow="ellipsis",
        )
        for letter, answer in zip("ab", task.candidates, strict=True)
    ]
    verdict = "neither is better" if better == "tie" else f"{better} is better"
    fitted = "" if told["calibrated"] else " (uncalibrated)"
    said = f"{verdict} · logit {told['logit']:+.4g}"
    said += f" · P(a is better) {told['probability']:.1%}{fitted}"
    return Group(heading(title, task), *lines, Text(said, style="dim"))


def blend_view(title: str, task: Task, blend: Blend) -> RenderableType:
    """The answer, and how it came about."""
    origin = "fused from" if blend.fused else "the answer of"
    said = f"{origin} {', '.join(blend.sources)} · {blend.verdict.reason}"
    if blend.verdict.error:
        said += f" ({blend.verdict.error})"
    said += f" · {passes_of(blend.ranking)}"
    return _text_view(title, task, blend.text, said)


def fused_view(title: str, task: Task, text: str) -> RenderableType:
    """The fused text, and of what."""
    names = _names(task.candidates)
    return _text_view(title, task, text, f"fused from {', '.join(names)}")


def report_view(report: Mapping[str, Any]) -> RenderableType:
    """Who was asked, how their answers compare, who failed, and what became of it all."""
    table = Table(show_edge=False)
    table.add_column("rank", justify="right")
    table.add_column("member", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("seconds", justify="right")
    seconds = report["seconds"]["members"]
    for rank, name in enumerate(report["order"], start=1):
        score = f"{report['scores'][name]:.4g}"
        table.add_row(str(rank), plain(one_line(name)), score, f"{seconds[name]:.2f}")
    for name in report["failures"]:
        table.add_row("-", plain(one_line(name)), "failed", f"{seconds[name]:.2f}")
    failures = [
        plain(one_line(f"{name}: {error}"), "red") for name, error in report["failures"].items()
    ]
    verdict = report["verdict"]
    origin = "fused from" if report["fused"] else "the answer of"
    said = f"{origin} {', '.join(report['sources'])} · {verdict['reason']}"
    if verdict["error"]:
        said += f" ({verdict['error']})"
    steps = [
        f"{step} {took:.2f} s" for step, took in report["seconds"].items() if step != "members"
    ]
    said += f" · {report['passes']} passes · {', '.join(steps)}"
    return Group(table, *failures, plain(one_line(said), "dim"))


def _text_view(title: str, task: Task, text: str, said: str) -> RenderableType:
    return Group(
        heading(title, task),
        Padding(plain(text), (0, 2)),
        plain(one_line(said), "dim"),
    )


def _names(candidates: Sequence[Candidate]) -> list[str]:
    return [name_of(candidates, index) for index in range(len(candidates))]
