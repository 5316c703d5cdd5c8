"""Fit the weights of `PassageRanker`, and measure it: ``python -m recipes.passage_ranker DATA``.

DATA has ``train_permissive.jsonl.gz``, to fit on, and ``dev_eval.jsonl.gz``, to measure on. Read
are the questions of FineGrainedRLHF with their Wikipedia passages, two sentences at a time. Which
of these is right is told by the answers: the one that has most of their words that the question
does not have. As Wikipedia has few codes and names of products, ``passages.json``, questions to
handbooks written for this, weighs as much in the fit.
"""

from __future__ import annotations

import gzip
import json
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.optimize import minimize

from blender_core.belief.calibrator import Calibrator
from blender_core.candidates import Task
from blender_core.ranking.passage_ranker import PassageRanker, named_share
from blender_core.ranking.similarity.tokens import tokens

_QUESTION = re.compile(r"Question: (.*?)\n\nPassages:\n(.*)\Z", re.DOTALL)
_ARTICLE = re.compile(r"(?m)^(.+?): \1 *\n\n")
_SENTENCE = re.compile(r"(?<=[.!?])\s+")
_OTHERS = 9
PARTS = ("train_permissive", "dev_eval")
HANDBOOKS = Path(__file__).with_name("passages.json")

Figures = NDArray[np.float64]


@dataclass(frozen=True)
class Asked:
    """A question, its passages, and which of them is right."""

    question: str
    passages: list[str]
    right: int


def main(data: Annotated[Path, typer.Argument(help="The folder of the records.")]) -> None:
    """Print the weights, and how often the right passage comes first."""
    ranker = PassageRanker()
    written = _tasks(_handbooks(), ranker)["mixed"]
    parts = {part: _tasks(list(_asked(data / f"{part}.jsonl.gz")), ranker) for part in PARTS}
    mixed = ranker.figures(parts[PARTS[0]]["mixed"])
    fitted = _fit([mixed, ranker.figures(written)])
    typer.echo(f"weights and bias: {fitted.round(2)}, of Wikipedia alone: {_fit([mixed]).round(2)}")
    typer.echo(f"temperature: {_temperature(mixed, fitted):.2f}")
    _measure("handbooks, fitted on", written, ranker, fitted)
    for part, kinds in parts.items():
        for kind, tasks in kinds.items():
            _measure(f"{part}, {kind}", tasks, ranker, fitted)


def _measure(name: str, tasks: list[Task], ranker: PassageRanker, fitted: Figures) -> None:
    figures = ranker.figures(tasks)
    cosines = [one[:, 0] for one in figures]
    words = [c + 0.2 * _all_words(task) for c, task in zip(cosines, tasks, strict=True)]
    typer.echo(
        f"{name}: right passage first of {len(tasks)}: cosine {_first(cosines):.3f}, "
        f"with names {_first([one @ fitted[:2] for one in figures]):.3f}, "
        f"with all words {_first(words):.3f}; {_reliability(figures, fitted)}"
    )


def _handbooks() -> list[Asked]:
    read = json.loads(HANDBOOKS.read_text(encoding="utf-8"))
    passages = read["passages"]
    return [
        Asked(one["question"], passages[start : start + 5], one["gold"] - start)
        for one in read["questions"]
        for start in [one["gold"] // 5 * 5]
    ]


def _asked(file: Path) -> Iterator[Asked]:
    seen = set()
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for record in map(json.loads, lines):
            found = _QUESTION.search(record["instruction"])
            if not record["id"].startswith("fgrlhf") or not found or found[1] in seen:
                continue
            seen.add(found[1])
            passages = [part for text in _ARTICLE.split(found[2])[2::2] for part in _parts(text)]
            known = set(tokens(found[1]))
            said = Counter(
                word
                for answer in record["candidates"]
                for word in set(tokens(answer["text"])) - known
                if len(word) > 3
            )
            worth = [
                sum(said[word] for word in set(tokens(p))) / (5 + len(tokens(p))) ** 0.5
                for p in passages
            ]
            if len(passages) > 1 and max(worth) > 0:
                yield Asked(found[1], passages, int(np.argmax(worth)))


def _parts(text: str) -> list[str]:
    sentences = [one for one in _SENTENCE.split(text.strip()) if len(one) > 15]
    return [" ".join(sentences[i : i + 2]) for i in range(0, len(sentences), 2)]


def _tasks(asked: list[Asked], ranker: PassageRanker) -> dict[str, list[Task]]:
    """Tasks whose first passage is the right one.

    Beside it are others of the same article, those of other articles that are closest to the
    question, or some of both.
    """
    everything = [(place, text) for place, one in enumerate(asked) for text in one.passages]
    owners = np.array([place for place, _ in everything])
    vectors = _unit(ranker.encoder.encode([text for _, text in everything]))
    questions = _unit(ranker.encoder.encode([one.question for one in asked]))
    rng = np.random.default_rng(0)
    kinds: dict[str, list[Task]] = {"mixed": [], "same article": [], "other articles": []}
    for place, one in enumerate(asked):
        close = np.argsort(-(vectors @ questions[place]), kind="stable")
        others = [everything[i][1] for i in close[:200] if owners[i] != place]
        own = [text for i, text in enumerate(one.passages) if i != one.right]
        some = rng.permutation(len(own))[: _OTHERS // 2]
        for kind, beside in (
            ("mixed", [*(own[i] for i in some), *others[: _OTHERS - len(some)]]),
            ("same article", own[:_OTHERS]),
            ("other articles", others[:_OTHERS]),
        ):
            kinds[kind].append(Task(one.question, [one.passages[one.right], *beside]))
    return kinds


def _fit(sources: list[list[Figures]]) -> Figures:
    """Logistic regression; sources, and in each right passages and others, weigh the same."""
    of_each = [_rows(figures) for figures in sources]
    rows, right, weights = (np.concatenate(columns) for columns in zip(*of_each, strict=True))

    def loss(w: Figures) -> float:
        logits = rows @ w[:2] + w[2]
        return float(weights @ np.logaddexp(0.0, np.where(right, -logits, logits)))

    found: Figures = minimize(loss, np.zeros(3)).x
    return found


def _rows(figures: list[Figures]) -> tuple[Figures, NDArray[np.bool_], Figures]:
    right = np.concatenate([np.arange(len(one)) == 0 for one in figures])
    weights = np.where(right, 0.5 / right.sum(), 0.5 / (~right).sum())
    return np.concatenate(figures), right, weights


def _temperature(figures: list[Figures], fitted: Figures) -> float:
    margins = [(one[0] - one[1:]) @ fitted[:2] for one in figures]
    groups = [place for place, one in enumerate(margins) for _ in one]
    ahead = np.concatenate(margins)
    turned = np.arange(len(ahead)) % 2 == 0
    return Calibrator.fit(np.where(turned, -ahead, ahead), ~turned, groups=groups).temperature


def _reliability(figures: list[Figures], fitted: Figures) -> str:
    rows, right, weights = _rows(figures)
    chances = 1.0 / (1.0 + np.exp(-(rows @ fitted[:2] + fitted[2])))
    bins = np.minimum((chances * 5).astype(int), 4)
    told = (
        f"{chances[bins == b].mean():.2f}: "
        f"{weights[(bins == b) & right].sum() / weights[bins == b].sum():.2f}"
        for b in np.unique(bins)
    )
    return "relevant where said to be with " + ", ".join(told)


def _first(scores: list[Figures]) -> float:
    return float(np.mean([one[0] > one[1:].max() for one in scores]))


def _all_words(task: Task) -> Figures:
    texts = [each.text for each in task.candidates]
    share = named_share(task.source, texts, lambda words: [len(word) > 3 for word in words])
    return np.zeros(len(texts)) if share is None else share


def _unit(vectors: NDArray[Any]) -> NDArray[Any]:
    unit: NDArray[Any] = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return unit


if __name__ == "__main__":
    typer.run(main)
