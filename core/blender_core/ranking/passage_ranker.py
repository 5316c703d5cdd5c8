"""PassageRanker: how relevant passages are to a question, as a retriever's results need it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from blender_core.belief.calibrator import Calibrator
from blender_core.candidates import Task, checked
from blender_core.errors import ModelOutputError
from blender_core.outcomes import Ranking
from blender_core.progress import bars_drawn, progress_bar
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.similarity.ends import ends
from blender_core.ranking.similarity.tokens import tokens

if TYPE_CHECKING:
    from blender_core.comparison.sentence_encoder import SentenceEncoder

__all__ = ["PassageRanker", "named_share"]

_COSINE_WEIGHT = 6.8
_NAMED_WEIGHT = 1.0
_BIAS = -3.1
_TEMPERATURE = 0.94
"""Fitted by ``python -m recipes.passage_ranker``; see docs/ranking.md."""

_LEAST_IDF = 0.1
_STEM = 6
_TASKS = 64
"""Read together; more only take memory."""


class PassageRanker(Ranker):
    """Ranks passages by how relevant they are to a question: each by itself, not as an answer.

    Two things count. The cosine of sentence embeddings (of the best window, where a passage is
    longer than the encoder reads at once) says how close the meanings are. Beside it counts
    whether a passage has what the question names: numbers, codes and names that the encoder does
    not know as whole words, and so hardly tells apart; those that few candidates have count most.
    Common words in common do not count, as they mislead as often as they help.

    A score is the probability that the passage is relevant, 0 to 1, where every second one is. It
    hardly depends on the other candidates, and means the same for a single one. The matrix holds
    differences of its logits. Of a passage of more than 20,000 characters the first and the last
    10,000 are read, of a question the first 256 tokens.

    Args:
        encoder: of sentences; None is the one that comes with the package.

    Raises:
        CheckpointError: the encoder cannot be read.

    >>> passages = ["The console listens on 8443.", "Tea is served at five."]
    >>> ranking = PassageRanker().rank("Where do I find the console?", passages)
    >>> ranking.best.text, ranking.scores[0] > 0.5 > ranking.scores[1]
    ('The console listens on 8443.', True)
    """

    def __init__(self, encoder: SentenceEncoder | None = None) -> None:
        if encoder is None:
            from blender_core.comparison.worth.encoder import shipped_sentence_encoder

            encoder = shipped_sentence_encoder()
        self.encoder = encoder
        self.calibrator = Calibrator(_TEMPERATURE)

    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:
        """Rank many tasks.

        Args:
            tasks: each may have its own number of passages.
            show_progress: whether to draw a bar on stderr.

        Raises:
            InputError: a task is none.
            ModelOutputError: the encoder gave NaN or infinity.
        """
        asked = [checked(task) for task in tasks]
        rankings: list[Ranking] = []
        with bars_drawn(show_progress), progress_bar(total=len(asked), unit="task") as bar:
            for start in range(0, len(asked), _TASKS):
                together = asked[start : start + _TASKS]
                rankings += map(self._ranking, together, self.figures(together))
                bar.update(len(together))
        return rankings

    def figures(self, tasks: Sequence[Task]) -> list[NDArray[np.float64]]:
        """What is read of the passages of each task, float64[N, 2].

        Returns:
            The cosine of the best window, -1 for a blank passage; and by how much more of what
            the question names is there than is missing, -1 to 1, 0 where it names nothing.

        Raises:
            ModelOutputError: the encoder gave NaN or infinity.
        """
        questions = list(dict.fromkeys(task.source for task in tasks))
        passages = list(dict.fromkeys(each.text for task in tasks for each in task.candidates))
        asked = dict(zip(questions, _unit(self.encoder.encode(questions)), strict=True))
        vectors, starts = self.encoder.encode_windows([ends(text) for text in passages])
        windows = dict(zip(passages, np.split(_unit(vectors), starts[1:-1]), strict=True))
        result = []
        for task in tasks:
            texts = [each.text for each in task.candidates]
            cosines = [
                float((windows[text] @ asked[task.source]).max()) if text.strip() else -1.0
                for text in texts
            ]
            result.append(np.column_stack([cosines, self._named(task.source, texts)]))
        return result

    def _named(self, question: str, texts: Sequence[str]) -> NDArray[np.float64]:
        share = named_share(question, texts, self._unknown)
        return np.zeros(len(texts)) if share is None else 2.0 * share - 1.0

    def _unknown(self, words: Sequence[str]) -> list[bool]:
        """Which words the encoder's vocabulary does not have as a whole."""
        return [len(ids) != 1 for ids in self.encoder.tokenizer.encode(words)]

    def _ranking(self, task: Task, figures: NDArray[np.float64]) -> Ranking:
        from scipy.special import expit

        logits = figures @ [_COSINE_WEIGHT, _NAMED_WEIGHT] + _BIAS
        order, ranks = order_and_ranks(logits.tolist())
        matrix = (logits[:, None] - logits[None, :]).astype(np.float32)
        matrix.setflags(write=False)
        return Ranking(
            task.candidates,
            order,
            ranks,
            tuple(expit(logits).tolist()),
            matrix,
            passes=len({each.text for each in task.candidates}),
            calibrator=self.calibrator,
            absolute=True,
        )


def named_share(
    question: str, passages: Sequence[str], unknown: Callable[[Sequence[str]], Sequence[bool]]
) -> NDArray[np.float64] | None:
    """How much of what a question names each passage has.

    Named are words with a digit, and words that are unknown, in any form (by their beginning).
    They weigh by how few passages have them (the inverse document frequency of BM25, Robertson
    and Zaragoza 2009), at least a little.

    Args:
        question: what is asked.
        passages: N texts.
        unknown: of words, which are.

    Returns:
        Shares, float64[N], 0 to 1; None where the question names nothing.

    >>> parts = ["E04 is a worn drum.", "E07 is no toner."]
    >>> named_share("What does E04 mean?", parts, lambda words: [False] * len(words)).tolist()
    [1.0, 0.0]
    """
    words = list(dict.fromkeys(tokens(question)))
    named = {
        _stem(word): None
        for word, is_unknown in zip(words, unknown(words), strict=True)
        if is_unknown or _has_digit(word)
    }
    if not named:
        return None
    held = [set(map(_stem, tokens(passage))) for passage in passages]
    has = np.array([[word in words for word in named] for words in held], dtype=np.float64)
    count = len(passages)
    weights = np.maximum(np.log((count + 1) / (has.sum(axis=0) + 0.5)), _LEAST_IDF)
    shares: NDArray[np.float64] = has @ weights / math.fsum(weights)
    return shares


def _stem(word: str) -> str:
    """Its beginning, the same for most forms of a word; of a number or a code, all of it."""
    return word if _has_digit(word) else word[:_STEM]


def _has_digit(word: str) -> bool:
    return any(map(str.isdigit, word))


def _unit(vectors: NDArray[Any]) -> NDArray[np.float64]:
    """The vectors at length 1.

    Raises:
        ModelOutputError: they hold NaN or infinity.
    """
    wide = vectors.astype(np.float64)
    bad = int((~np.isfinite(wide).all(axis=1)).sum())
    if bad:
        raise ModelOutputError(
            f"the sentence encoder gave NaN or infinity for {bad} of {len(wide)} texts: its "
            "weights are broken or its precision is too narrow; try dtype='float32'"
        )
    lengths = np.linalg.norm(wide, axis=1, keepdims=True)
    unit: NDArray[np.float64] = wide / np.where(lengths == 0.0, 1.0, lengths)
    return unit
