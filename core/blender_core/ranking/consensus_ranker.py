"""ConsensusRanker: the answer that agrees most with the others (minimum Bayes risk)."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from blender_core.candidates import Task, checked
from blender_core.errors import InputError, ModelOutputError, message_of
from blender_core.outcomes import Ranking
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.ranker import Duel, Ranker
from blender_core.ranking.similarity import Similarity, similarity_named

__all__ = ["ConsensusRanker"]


class ConsensusRanker(Ranker):
    """Ranks an answer by its mean similarity to the other answers. Needs no model.

    The answers are taken as samples of what the members believe; the one that agrees most with
    all of them risks least (minimum Bayes risk decoding, Kumar and Byrne 2004). The question is
    not read. Two identical answers are two votes for each other; a blank answer (empty or only
    white space) agrees with nothing, not even with another blank one.

    A score is that mean, and the matrix holds differences of scores. A single answer has nobody
    to agree with and scores 0; of two answers neither is better than the other, so `compare`
    gives 0 unless the similarity itself is lopsided.

    Args:
        similarity: ``"jaccard"``, ``"result"``, ``"words"``, ``"rouge_l"``, ``"bleu"`` (needs the
            extra ``eval``) or ``"chrf"``, all 0 to 1; or a function from N texts to a float matrix
            [N, N], such as `EmbeddingSimilarity`. It is given different, non-blank texts only.

    Raises:
        InputError: no similarity has that name.

    >>> ConsensusRanker().rank("2 + 2?", ["It is 5.", "It is 4.", "I think it is 4."]).best.text
    'It is 4.'
    """

    def __init__(self, similarity: str | Similarity = "jaccard") -> None:
        self.similarity = similarity_named(similarity)

    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:
        """Rank many tasks, each by itself.

        Args:
            tasks: each may have its own number of candidates.
            show_progress: whether to draw a bar on stderr.

        Raises:
            InputError: a task is none, or the similarity gave no square matrix.
            ModelOutputError: the similarity gave NaN or infinity.
        """
        from tqdm import tqdm

        checked_tasks = [checked(task) for task in tasks]
        bar = tqdm(checked_tasks, unit="task", disable=not show_progress, leave=False)
        return [self._rank(task) for task in bar]

    def _rank(self, task: Task) -> Ranking:
        scores = self._scores([candidate.text for candidate in task.candidates])
        order, ranks = order_and_ranks(scores)
        column = np.array(scores)
        matrix = (column[:, None] - column[None, :]).astype(np.float32)
        matrix.setflags(write=False)
        return Ranking(task.candidates, order, ranks, tuple(scores), matrix, passes=0)

    def _scores(self, texts: list[str]) -> list[float]:
        """Mean similarity to the others; sums are correctly rounded, so equal answers tie."""
        if len(texts) == 1:
            return [0.0]
        unique = list(dict.fromkeys(text for text in texts if text.strip()))
        if not unique:
            return [0.0] * len(texts)
        similarities = _square(self.similarity(unique), len(unique))
        place = {text: index for index, text in enumerate(unique)}
        voters = [place[text] for text in texts if text in place]
        scores = {}
        for text, index in place.items():
            row = similarities[index]
            votes = [float(row[voter]) for voter in voters]
            # Nobody votes for themselves, but everybody for their twins.
            votes.remove(float(row[index]))
            scores[text] = math.fsum(votes) / (len(texts) - 1)
        return [scores.get(text, 0.0) for text in texts]

    def _duel_task(self, duel: Duel) -> Task:
        """Challenger, incumbent, and all other candidates: two texts alone have no consensus."""
        others = list(duel.task.candidates)
        if duel.incumbent in others:
            others.remove(duel.incumbent)
        return duel.task.with_candidates([duel.challenger, duel.incumbent, *others])


def _square(similarities: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """The matrix as float64[count, count], checked."""
    try:
        matrix = np.asarray(similarities, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(
            f"the similarity gave no matrix of numbers: {message_of(error)}"
        ) from error
    if matrix.shape != (count, count):
        raise InputError(
            f"the similarity gave shape {matrix.shape} for {count} texts, expected "
            f"({count}, {count}); wrap a sentence embedder as EmbeddingSimilarity(embed)"
        )
    if not np.isfinite(matrix).all():
        raise ModelOutputError(
            f"the similarity gave NaN or infinity for {int((~np.isfinite(matrix)).sum())} "
            f"of {count * count} pairs"
        )
    return matrix
