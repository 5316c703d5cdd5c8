"""PairRanker: rank answers by comparing them two by two (LLM-Blender, section 3)."""

from __future__ import annotations

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from blender_core.candidates import Answers, Pair, Task, checked_all
from blender_core.comparison.comparator import AsyncComparator
from blender_core.conversations import Asked
from blender_core.errors import InputError
from blender_core.flows import lockstep
from blender_core.outcomes import Ranking
from blender_core.progress import bars_drawn
from blender_core.ranking.aggregation import Aggregation, aggregation_named
from blender_core.ranking.drivers import RankFlows, drive, drive_async
from blender_core.ranking.flow import rank_flow
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.schedules import Schedule, schedule_named

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from blender_core.belief.calibrator import Calibrator
    from blender_core.comparison.comparator import Comparator

__all__ = ["PairRanker"]

_OTHERS = {
    "default": "JointRanker()",
    "passages": "PassageRanker()",
    "consensus": "ConsensusRanker()",
}
"""What the command line calls rankers of other classes."""


class PairRanker(Ranker):
    """Ranks by pairwise comparison.

    Args:
        comparator: anything with ``logits(pairs) -> float32[n]``; None or ``"mini"`` takes the
            model that comes with the package, ``pairranker-mini``: no download, made for a CPU.
            ``"small"`` has SmolLM2 read the answers, too: it sees more faults, and is slower. It
            needs the extra ``local``. Where there are more than two answers, `JointRanker` adds
            what they agree on.
        schedule: default of `rank`: which pairs are asked, by name or a `Schedule`.
        aggregation: default of `rank`: how the matrix becomes scores, by name or a function.
        calibrator: what makes probabilities of its margins; None with the shipped model takes
            the one that comes with it.

    Raises:
        InputError: unknown schedule or aggregation, or the comparator has no ``logits``.
        MissingExtraError: what ``"small"`` needs is not installed.

    >>> from blender_core.testing import ScriptedComparator
    >>> ranker = PairRanker(ScriptedComparator({"yes": 1.0, "no": -1.0}))
    >>> ranker.rank("Is water wet?", ["no", "yes"]).best.text
    'yes'
    >>> ranker.compare("Is water wet?", "no", "yes")
    -2.0
    """

    def __init__(
        self,
        comparator: Comparator | Literal["mini", "small"] | None = None,
        *,
        schedule: str | Schedule = "full",
        aggregation: str | Aggregation = "max_logits",
        calibrator: Calibrator | None = None,
    ) -> None:
        if comparator is None or isinstance(comparator, str):
            from blender_core.belief.calibrator import Calibrator
            from blender_core.comparison.loading import SHIPPED_RANKERS, load_comparator

            folder = SHIPPED_RANKERS.get(comparator or "mini")
            if folder is None:
                known = _OTHERS.get(str(comparator))
                raise InputError(
                    f"{comparator!r} is {known}, not a PairRanker"
                    if known
                    else f"{comparator!r} is no ranker in this package, 'mini' and 'small' are. "
                    "To load a checkpoint use PairRanker.from_pretrained(...)"
                )
            comparator = load_comparator(folder)
            calibrator = calibrator or Calibrator.load(folder)
        if not callable(getattr(comparator, "logits", None)):
            raise InputError(
                f"a comparator has logits(pairs); {type(comparator).__name__} has not. "
                "To load a checkpoint use PairRanker.from_pretrained(...)"
            )
        self.comparator = comparator
        self.schedule = schedule_named(schedule)
        self.aggregation = aggregation_named(aggregation)
        self.calibrator = calibrator

    def __repr__(self) -> str:
        sure = "calibrated" if self.calibrator is not None else "not calibrated"
        return (
            f"{type(self).__name__}({type(self.comparator).__name__}, "
            f"schedule={self.schedule!r}, {sure})"
        )

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
        source_max_length: int | None = None,
        candidate_max_length: int | None = None,
        schedule: str | Schedule = "full",
        aggregation: str | Aggregation = "max_logits",
    ) -> PairRanker:
        """Load a pairwise ranker from a hub id or a folder.

        A ``calibration.json`` beside it, if there is one, calibrates the probabilities.
        Reads the layouts of ``llm-blender/PairRM``, ``llm-blender/pair-ranker``,
        ``llm-blender/PairRM-hf`` and our own two (of `CrossEncoder` and `LateComparator`).

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
                name that the checkpoint gives.
            max_batch_tokens: tokens, padding included, of one forward pass; None takes what was
                measured to be fast on the device.
            source_max_length: tokens of the question with its marker; None takes the
                checkpoint's.
            candidate_max_length: tokens each answer has at least; what the question leaves over
                is shared between the answers. None takes the checkpoint's.
            schedule: default of `rank`.
            aggregation: default of `rank`.

        Raises:
            CheckpointError: the folder is no checkpoint of a known layout, a file is broken, or
                weights are missing or left over.
        """
        from blender_core.comparison.loading import load_calibrator, load_comparator

        access: dict[str, Any] = {
            "revision": revision,
            "cache_folder": cache_folder,
            "local_files_only": local_files_only,
            "token": token,
        }
        comparator = load_comparator(
            model,
            device=device,
            dtype=dtype,
            **access,
            base_model=base_model,
            max_batch_tokens=max_batch_tokens,
            source_max_length=source_max_length,
            candidate_max_length=candidate_max_length,
        )
        calibrator = load_calibrator(model, **access)
        return cls(comparator, schedule=schedule, aggregation=aggregation, calibrator=calibrator)

    def save_pretrained(self, folder: str | PathLike[str]) -> None:
        """Write the comparator's checkpoint, and the calibration; without one, there is none then.

        Raises:
            InputError: the comparator is not one that can be saved.
            OSError: the folder cannot be written.
        """
        from blender_core.belief.calibrator import CALIBRATION_FILE

        save = getattr(self.comparator, "save_pretrained", None)
        if save is None:
            raise InputError(f"{type(self.comparator).__name__} has no save_pretrained(folder)")
        save(folder)
        if self.calibrator is not None:
            self.calibrator.save(folder)
        else:
            (Path(folder) / CALIBRATION_FILE).unlink(missing_ok=True)

    def planned(
        self,
        *,
        schedule: str | Schedule | None = None,
        aggregation: str | Aggregation | None = None,
    ) -> PairRanker:
        """The same ranker, its model not copied, with another schedule or aggregation."""
        return PairRanker(
            self.comparator,
            schedule=self.schedule if schedule is None else schedule,
            aggregation=self.aggregation if aggregation is None else aggregation,
            calibrator=self.calibrator,
        )

    @property
    def waits(self) -> bool:
        """Whether its comparator waits for a network."""
        return isinstance(self.comparator, AsyncComparator)

    def logits(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        """One directional pass a pair: float32[len(pairs)], > 0 where the first is better.

        NaN where the comparator could not say.

        Raises:
            ModelOutputError: the comparator's answer is none to so many pairs.
        """
        from blender_core.comparison.answered import numbers

        return numbers(self.comparator.logits(pairs), len(pairs))

    def rank(
        self,
        instruction: Asked,
        candidates: Answers,
        *,
        schedule: str | Schedule | None = None,
        aggregation: str | Aggregation | None = None,
    ) -> Ranking:
        """Rank the answers to one question; see `rank_many`."""
        task = Task(instruction, candidates)
        return self.rank_many([task], schedule=schedule, aggregation=aggregation)[0]

    def rank_many(
        self,
        tasks: Iterable[Task],
        *,
        schedule: str | Schedule | None = None,
        aggregation: str | Aggregation | None = None,
        show_progress: bool = False,
    ) -> list[Ranking]:
        """Rank many tasks; a round of all of them is one call of the comparator.

        Args:
            tasks: each may have its own number of candidates.
            schedule: which pairs are asked; None takes the ranker's (``"full"``).
            aggregation: how the matrix becomes scores; None takes the ranker's
                (``"max_logits"``).
            show_progress: whether to draw a bar on stderr.

        Raises:
            InputError: unknown schedule or aggregation, or a task is none.
            ModelOutputError: the comparator's answer is none to so many pairs. (What is no number
                for a single pair costs that comparison.)
        """
        flows = self._flows(tasks, schedule, aggregation)
        with bars_drawn(show_progress):
            return drive(flows, self.comparator)

    async def arank_many(
        self,
        tasks: Iterable[Task],
        *,
        schedule: str | Schedule | None = None,
        aggregation: str | Aggregation | None = None,
    ) -> list[Ranking]:
        """Like `rank_many`, without blocking the event loop."""
        return await drive_async(self._flows(tasks, schedule, aggregation), self.comparator)

    def rank_completely(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Rankings by all ordered pairs, whatever the schedule is."""
        return self.rank_many(tasks, schedule="full")

    async def arank_completely(self, tasks: Iterable[Task]) -> list[Ranking]:
        """Like `rank_completely`, without blocking the event loop."""
        return await self.arank_many(tasks, schedule="full")

    def _flows(
        self,
        tasks: Iterable[Task],
        schedule: str | Schedule | None,
        aggregation: str | Aggregation | None,
    ) -> RankFlows:
        plan = self.schedule if schedule is None else schedule_named(schedule)
        scoring = self.aggregation if aggregation is None else aggregation_named(aggregation)
        return lockstep(
            rank_flow(task, plan, scoring, self.calibrator) for task in checked_all(tasks)
        )
