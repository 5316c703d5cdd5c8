"""ConsensusRanker: the answer that agrees most with the others (minimum Bayes risk)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from blender_core.candidates import Candidate, Task, checked
from blender_core.comparison.nonanswers import surely_nothing
from blender_core.errors import InputError, ModelOutputError, message_of
from blender_core.outcomes import Ranking
from blender_core.progress import bars_drawn, progress_bar
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.ranker import Duel, Ranker
from blender_core.ranking.similarity import Similarity, similarity_named

__all__ = ["ConsensusRanker"]


class ConsensusRanker(Ranker):
    """Ranks an answer by its mean similarity to the other answers. Needs no model.

    The answers are taken as samples of what the members believe; the one that agrees most with
    all of them risks least (minimum Bayes risk decoding, Kumar and Byrne 2004). The question is
    not read.

    Consensus is between answers only. A text that answers nothing (`surely_nothing`: blank, a
    refusal, "I don't know", a placeholder, an error message) supports nobody and is supported by
    nobody, not even by its like. Two identical answers are two votes for each other, also two
    samples of one model that do not name it; but what one source says twice in the same words is
    a copy, and one vote.

    A score is that mean, and the matrix holds differences of scores. A single answer has nobody
    to agree with and scores 0; of two answers neither is better than the other, so `compare`
    gives 0 unless the similarity itself is lopsided.

    Args:
        similarity: ``"jaccard"``, ``"result"``, ``"words"``, ``"rouge_l"``, ``"bleu"`` (needs the
            extra ``eval``) or ``"chrf"``, all 0 to 1; or a function from N texts to a float matrix
            [N, N], such as `EmbeddingSimilarity`. It is given different texts only, none of which
            answers nothing.
        doubt: how many more voters, who agree with nobody, are imagined: with more than 0, what
            few answers agree on weighs less than what many do. The order is the same.

    Raises:
        InputError: no similarity has that name, or `doubt` is no number of at least 0.

    >>> ConsensusRanker().rank("2 + 2?", ["It is 5.", "It is 4.", "I think it is 4."]).best.text
    'It is 4.'
    >>> ConsensusRanker().rank("2 + 2?", ["It is 4.", "I don't know.", "I don't know."]).scores
    (0.0, 0.0, 0.0)
    """

    def __init__(self, similarity: str | Similarity = "jaccard", *, doubt: float = 0.0) -> None:
        self.similarity = similarity_named(similarity)
        if not 0.0 <= doubt < math.inf:
            raise InputError(f"'doubt' must be a number of at least 0, got {doubt!r}")
        self.doubt = float(doubt)

    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:
        """Rank many tasks, each by itself.

        Args:
            tasks: each may have its own number of candidates.
            show_progress: whether to draw a bar on stderr.

        Raises:
            InputError: a task is none, or the similarity gave no square matrix.
            ModelOutputError: the similarity gave NaN or infinity.
        """
        asked = [checked(task) for task in tasks]
        rankings = []
        with bars_drawn(show_progress), progress_bar(total=len(asked), unit="task") as bar:
            for task in asked:
                rankings.append(self._rank(task))
                bar.update()
        return rankings

    def _rank(self, task: Task) -> Ranking:
        scores = self._scores(task.candidates)
        order, ranks = order_and_ranks(scores)
        column = np.array(scores)
        matrix = (column[:, None] - column[None, :]).astype(np.float32)
        matrix.setflags(write=False)
        return Ranking(task.candidates, order, ranks, tuple(scores), matrix, passes=0)

    def _scores(self, candidates: Sequence[Candidate]) -> list[float]:
        """Mean similarity to the others; sums are correctly rounded, so equal answers tie."""
        texts = list(dict.fromkeys(each.text for each in candidates))
        answers = [text for text in texts if not surely_nothing(text)]
        if not answers:
            return [0.0] * len(candidates)
        similarities = _square(self.similarity(answers), len(answers))
        place = {text: index for index, text in enumerate(answers)}
        voters = [place[text] for text in _votes(candidates) if text in place]
        scores = {}
        for text, index in place.items():
            row = similarities[index]
            votes = [float(row[voter]) for voter in voters]
            # Nobody votes for themselves, but everybody for their twins.
            votes.remove(float(row[index]))
            scores[text] = math.fsum(votes) / (len(votes) + self.doubt) if votes else 0.0
        return [scores.get(each.text, 0.0) for each in candidates]

    def _duel_task(self, duel: Duel) -> Task:
        """Challenger, incumbent, and all other candidates: two texts alone have no consensus."""
        others = list(duel.task.candidates)
        if duel.incumbent in others:
            others.remove(duel.incumbent)
        return duel.task.with_candidates([duel.challenger, duel.incumbent, *others])


def _votes(candidates: Sequence[Candidate]) -> list[str]:
    """The texts that vote: of one source, the same text once."""
    seen: set[Candidate] = set()
    votes = []
    for candidate in candidates:
        if candidate.source is None or candidate not in seen:
            votes.append(candidate.text)
        seen.add(candidate)
    return votes


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
