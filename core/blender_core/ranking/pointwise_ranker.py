"""PointwiseRanker: rank answers by a score that each gets on its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from blender_core.candidates import Task, checked
from blender_core.comparison.pointwise.scorer import PointwiseScorer, StreamingScorer
from blender_core.errors import InputError, ModelOutputError
from blender_core.outcomes import Ranking
from blender_core.progress import bars_drawn, progress_bar
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.ranker import Ranker

if TYPE_CHECKING:
    import torch

    from blender_core.belief.calibrator import Calibrator

__all__ = ["PointwiseRanker"]


class PointwiseRanker(Ranker):
    """Ranks by one score an answer, as reward models give it: N passes for N answers.

    The matrix holds differences of scores.

    Args:
        scorer: anything with ``scores(items) -> float32[n]``, an item being (question, answer).
        calibrator: what makes probabilities of differences of scores.

    Raises:
        InputError: the scorer has no ``scores``.

    >>> class Brevity:
    ...     def scores(self, items):
    ...         return np.array([-len(answer) for _, answer in items], dtype=np.float32)
    >>> PointwiseRanker(Brevity()).rank("Say hi.", ["Hello there!", "Hi!"]).best.text
    'Hi!'
    """

    def __init__(self, scorer: PointwiseScorer, *, calibrator: Calibrator | None = None) -> None:
        if not callable(getattr(scorer, "scores", None)):
            raise InputError(
                f"a scorer has scores(items); {type(scorer).__name__} has not. "
                "To load a checkpoint use PointwiseRanker.from_pretrained(...)"
            )
        self.scorer = scorer
        self.calibrator = calibrator

    @classmethod
    def from_pretrained(
        cls,
        model: str | PathLike[str],
        *,
        device: str | torch.device | None = None,
        dtype: str | torch.dtype | None = None,
        revision: str | None = None,
        cache_folder: str | PathLike[str] | None = None,
        local_files_only: bool = False,
        token: str | bool | None = None,
        base_model: str | PathLike[str] | None = None,
        max_batch_tokens: int | None = None,
        max_length: int | None = None,
        format: str | None = None,
    ) -> PointwiseRanker:
        """Load a reward model or another pointwise ranker from a hub id or a folder.

        A ``calibration.json`` beside it, if there is one, calibrates the probabilities.

        Args:
            model: hub id or folder.
            device: where to compute; None takes an accelerator if there is one.
            dtype: of the weights, as ``"bfloat16"`` or ``torch.bfloat16``; None is float32 on a
                CPU and bfloat16 (float16 where that is missing) on an accelerator.
            revision: branch, tag or commit on the hub.
            cache_folder: where downloads are kept.
            local_files_only: never use the network.
            token: for private repositories.
            base_model: hub id or folder of the encoder's config and tokenizer, overriding the
                name that one of LLM-Blender's own checkpoints gives.
            max_batch_tokens: tokens, padding included, of one forward pass; None takes what was
                measured to be fast on the device.
            max_length: tokens of question and answer together; None takes what tokenizer and
                model are made for. Where they are longer both are cut on the right, and the
                answer keeps at least half of the room.
            format: ``"classification"`` (any sequence classifier with one output, through its
                chat template if it has one), ``"ultra-rm"``,
                ``"starling-rm"``, ``"simcls"`` or
                ``"summareranker"``; None finds out.

        Raises:
            CheckpointError: the folder is of no known format, a file is broken, weights are
                missing or left over, or a classifier has not exactly one output.
            InputError: an argument is not usable.
        """
        from blender_core.comparison.loading import load_calibrator
        from blender_core.comparison.pointwise.loading import load_scorer

        access: dict[str, Any] = {
            "revision": revision,
            "cache_folder": cache_folder,
            "local_files_only": local_files_only,
            "token": token,
        }
        scorer = load_scorer(
            model,
            device=device,
            dtype=dtype,
            **access,
            base_model=base_model,
            max_batch_tokens=max_batch_tokens,
            max_length=max_length,
            format=format,
        )
        calibrator = load_calibrator(model, **access)
        return cls(scorer, calibrator=calibrator)

    def rank_many(self, tasks: Iterable[Task], *, show_progress: bool = False) -> list[Ranking]:
        """Rank many tasks; all their answers are one call of the scorer.

        An answer is scored once, however many candidates share its text.

        Args:
            tasks: each may have its own number of candidates.
            show_progress: whether to draw a bar on stderr.

        Raises:
            InputError: a task is none.
            ModelOutputError: the scorer answered with the wrong shape, NaN or infinity.
        """
        asked = [checked(task) for task in tasks]
        items = list(
            dict.fromkeys((task.source, each.text) for task in asked for each in task.candidates)
        )
        with bars_drawn(show_progress):
            scores = dict(zip(items, self._scores(items).tolist(), strict=True))
        return [
            self._ranking(task, [scores[task.source, answer.text] for answer in task.candidates])
            for task in asked
        ]

    def _scores(self, items: Sequence[tuple[str, str]]) -> NDArray[np.float32]:
        if not items:
            return np.empty(0, dtype=np.float32)
        with progress_bar(total=len(items), unit="answer") as bar:
            if isinstance(self.scorer, StreamingScorer):
                scores = np.full(len(items), np.nan, dtype=np.float32)
                for places, part in self.scorer.iter_scores(items):
                    scores[places] = part
                    bar.update(len(places))
            else:
                scores = np.asarray(self.scorer.scores(items), dtype=np.float32)
                bar.update(len(items))
        if scores.shape != (len(items),):
            raise ModelOutputError(
                f"the scorer was asked {len(items)} answers and gave shape {scores.shape}"
            )
        bad = np.flatnonzero(~np.isfinite(scores))
        if len(bad):
            question = items[int(bad[0])][0]
            raise ModelOutputError(
                f"the scorer gave NaN or infinity for {len(bad)} of {len(items)} answers, first "
                f"on the question {question[:60]!r}. If it is a model, its weights are broken or "
                "its precision is too narrow: try dtype='float32'"
            )
        return scores

    def _ranking(self, task: Task, scores: list[float]) -> Ranking:
        order, ranks = order_and_ranks(scores)
        column = np.array(scores, dtype=np.float32)
        matrix = column[:, None] - column[None, :]
        matrix.setflags(write=False)
        passes = len({candidate.text for candidate in task.candidates})
        return Ranking(
            task.candidates,
            order,
            ranks,
            tuple(scores),
            matrix,
            passes,
            calibrator=self.calibrator,
        )
