"""Fit what tells that a text answers nothing, and export it to where the package has it.

``python -m recipes.nonanswers DATA...`` with files of records, such as those that
``recipes/pairranker_mini.py`` learns from. It prints what the model is worth on wordings and real
answers that it was not fitted to, then fits it to all of them.
"""

from __future__ import annotations

import gzip
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.sparse import csr_matrix, hstack, vstack

from blender_core.comparison.nonanswers import BUCKETS, figures, runs, shown
from recipes.nonanswer_texts import (
    Real,
    Text,
    hand_written,
    nonanswers,
    real_answers,
    snippets,
)

SHIPPED = Path(__file__).parents[1] / "core/blender_core/comparison/nonanswers.npz"
SEED = 1
REGULARIZATION = 3e-6
"""Of the mean loss, times the squares of the weights."""

FALSE_ALARMS = 0.0035
"""Share of the real answers held out that may be called none; by eye, half of these are none."""

REFUSING = frozenset({"justeval", "hhharm", "halluqa"})
"""Sources with many real refusals: no examples of answers before they are sorted."""

CLEAN = {True: -0.5, False: 1.5}
"""Below this logit of the first model, a real answer of these sources, or of others, is one for the
second. Above it, of the others, are hardly any."""

HARDEST = 16_000
"""So many of these, those nearest to the limit, are all learnt from; of the others, a sample."""

SURE = 3.0
"""From this logit on, a short text of these sources is taken for a refusal; 120 were read."""


class Model(NamedTuple):
    """What is fitted: a weight a bucket, a weight a figure, and a bias."""

    hashes: NDArray[np.float64]
    figures: NDArray[np.float64]
    bias: float

    def logits(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """As `nonanswer_logits` has them, before rounding."""
        weights = np.concatenate([self.hashes, self.figures])
        return np.asarray(matrix(texts) @ weights) + self.bias


def matrix(texts: Sequence[str]) -> csr_matrix:
    """What of the texts counts: a row a text, a column a bucket or a figure."""
    said = [shown(text) for text in texts]
    found = runs(said)
    shape = (len(texts), BUCKETS)
    counted = csr_matrix((found.value, (found.text, found.bucket)), shape=shape, dtype=np.float32)
    return hstack([counted, csr_matrix(figures(said))], format="csr")


def fit(texts: Sequence[Text]) -> Model:
    """Logistic regression. In each language both kinds weigh the same."""
    chunks = [
        matrix([one.text for one in texts[at : at + 4096]]) for at in range(0, len(texts), 4096)
    ]
    rows = vstack(chunks, format="csr")
    rows.sum_duplicates()
    signs = np.array([1.0 if one.is_nonanswer else -1.0 for one in texts])
    sums: dict[tuple[str, bool], float] = defaultdict(float)
    for one in texts:
        sums[one.language, one.is_nonanswer] += one.weight
    shares = Counter(one.language for one in texts)
    weights = np.array(
        [one.weight * shares[one.language] / sums[one.language, one.is_nonanswer] for one in texts]
    )
    weights /= weights.sum()
    columns = rows.T.tocsr()

    def loss(point: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        margins = signs * (rows @ point[:-1] + point[-1])
        slopes = -weights * signs / (1.0 + np.exp(np.minimum(margins, 60.0)))
        penalty = point[:BUCKETS] * REGULARIZATION
        gradient = np.concatenate([columns @ slopes, [slopes.sum()]])
        gradient[:BUCKETS] += 2 * penalty
        value = weights @ np.logaddexp(0.0, -margins) + penalty @ point[:BUCKETS]
        return float(value), gradient

    found = minimize(
        loss, np.zeros(rows.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 150}
    )
    return Model(found.x[:BUCKETS], found.x[BUCKETS:-1], float(found.x[-1]))


def main(
    data: Annotated[list[Path], typer.Argument(help="Files of records, as JSON lines.")],
) -> None:
    """Fit the model, say how good it is, and export it."""
    answers = list(real_answers(_lines(data)))
    learnt = [answer for answer in answers if not answer.is_held_out]
    held_out = [answer for answer in answers if answer.is_held_out]
    typer.echo(f"{len(learnt)} real answers, {len(held_out)} held out")
    reported = _fitted(learnt, held_out=False)
    _report(reported, held_out)
    model = _fitted(learnt, held_out=None)
    model = _with_threshold(model, held_out)
    _export(model)


def _lines(data: Sequence[Path]) -> Iterator[str]:
    for file in data:
        with gzip.open(file, "rt", encoding="utf-8") as lines:
            yield from lines


def _fitted(learnt: Sequence[Real], held_out: bool | None) -> Model:
    """Twice: what the first one takes for no answers, the second one does not learn as answers."""
    chance = random.Random(SEED)
    doubtful = [answer for answer in learnt if answer.source in REFUSING]
    clean = [answer for answer in learnt if answer.source not in REFUSING]
    first = fit(list(_texts(clean, 1_000, held_out, chance)))
    logits = first.logits([answer.text for answer in doubtful])
    refusals = [
        Text(answer.text, True, answer.language, "mined")
        for answer, logit in zip(doubtful, logits, strict=True)
        if logit > SURE and len(answer.text) < 400
    ]
    logits = first.logits([answer.text for answer in learnt])
    order = np.argsort(-logits)
    clean = [
        learnt[place] for place in order if logits[place] < CLEAN[learnt[place].source in REFUSING]
    ]
    typer.echo(f"{len(refusals)} refusals mined, {len(learnt) - len(clean)} answers set aside")
    hardest = [_answer(answer) for answer in clean[:HARDEST]]
    return fit([*_texts(clean, 3_000, held_out, chance), *refusals, *hardest])


def _answer(answer: Real) -> Text:
    return Text(answer.text, False, answer.language, answer.source)


def _texts(
    clean: Sequence[Real], count: int, held_out: bool | None, chance: random.Random
) -> Iterator[Text]:
    questions: dict[str, list[str]] = defaultdict(list)
    for answer in clean:
        questions[answer.language].append(answer.question)
    yield from nonanswers(questions, count, held_out, chance)
    yield from snippets(clean, count, chance)
    yield from hand_written(clean, count, chance)
    yield from map(_answer, chance.sample(clean, 4 * count))
    for answer in chance.sample(clean, count):
        yield Text(answer.question[:300], False, answer.language, "question")


def _report(model: Model, held_out: Sequence[Real]) -> None:
    """What it finds of wordings that it does not know, and what of real answers."""
    model = _with_threshold(model, held_out)
    chance = random.Random(SEED + 1)
    questions: dict[str, list[str]] = defaultdict(list)
    for answer in held_out:
        questions[answer.language].append(answer.question)
    unknown = list(nonanswers(questions, 1_000, True, chance))
    found = model.logits([one.text for one in unknown]) > 0.0
    for name in ("language", "source"):
        typer.echo(f"recall on wordings held out, by {name}:")
        groups: dict[str, list[bool]] = defaultdict(list)
        for one, is_found in zip(unknown, found, strict=True):
            groups[getattr(one, name)].append(bool(is_found))
        for group, values in sorted(groups.items()):
            typer.echo(f"  {group:18} {np.mean(values):.3f} of {len(values)}")


def _with_threshold(model: Model, held_out: Sequence[Real]) -> Model:
    """Moved so that 0 is exceeded by few of the real answers held out."""
    clean = [answer for answer in held_out if answer.source not in REFUSING]
    logits = model.logits([answer.text for answer in clean])
    threshold = float(np.quantile(logits, 1.0 - FALSE_ALARMS))
    typer.echo(f"threshold {threshold:.2f} on {len(clean)} real answers held out")
    return model._replace(bias=model.bias - threshold)


def _export(model: Model) -> None:
    scale = float(np.abs(model.hashes).max()) / 127
    rounded = np.round(model.hashes / scale).astype(np.int8)
    np.savez(
        SHIPPED,
        hashes=rounded,
        scale=np.array([scale], np.float32),
        figures=model.figures.astype(np.float32),
        bias=np.array([model.bias], np.float32),
    )
    typer.echo(f"exported to {SHIPPED}: {SHIPPED.stat().st_size} bytes")


if __name__ == "__main__":
    typer.run(main)
