"""LLM-Blender's `Blender`: its methods, arguments, result types and scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from os import PathLike
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from blender_core.candidates import Task
from blender_core.checks import positive
from blender_core.compat.best_of_n import bubble_orders, sorted_order
from blender_core.compat.checks import check_known, check_lengths, tasks_of
from blender_core.compat.conversations import INSTRUCTION, Conversation, comparisons
from blender_core.compat.loading import load_ranker, renamed, with_limits
from blender_core.compat.rows import Rows, ranks_or_scores, shaped
from blender_core.compat.sampling import sample
from blender_core.conversations import Asked
from blender_core.errors import InputError
from blender_core.fusion.gen_fuser import GenFuser
from blender_core.outcomes import Ranking
from blender_core.progress import bars_drawn
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.pair_ranker import PairRanker
from blender_core.ranking.ranker import Ranker
from blender_core.ranking.schedules import Reference, Round, Rounds, Schedule
from blender_core.ranking.schedules.reference import ReferenceMode, reference_index

if TYPE_CHECKING:
    import torch

__all__ = ["Blender"]

_MODES: dict[str, Round] = {
    "[A,B]": [(0, 1)],
    "[B,A]": [(1, 0)],
    "[A,B]+[B,A]": [(0, 1), (1, 0)],
}
"""Which orders of two candidates a mode of `compare` asks."""

_CMP_TYPES = ("bubble", "full")
_MOST_INPUTS_A_LINE = 32


class Blender:
    """Ranks and fuses, once `loadranker` and `loadfuser` have said with what.

    The methods take lists that go together: ``inputs``, one text a question; ``candidates``, one
    row of answers an input; ``instructions``, one text an input or None. A ranker reads
    instruction and input with nothing in between. ``batch_size`` changes no score: it says which
    inputs share a random line in a bubble pass, and how many texts are generated together.

    All methods raise InputError for lists that do not go together (the place is named), for
    unknown modes, and where the ranker or fuser they need is not loaded.

    M is the matrix of logits: M[i, j] > 0 where i, shown first, is better than j.

    Args:
        use_tqdm: whether to draw progress bars on stderr.

    Attributes:
        ranker: what ranks; any `Ranker` may be put here.
        fuser: what fuses.

    >>> from blender_core.testing import ScriptedComparator
    >>> blender = Blender(use_tqdm=False)
    >>> blender.ranker = PairRanker(ScriptedComparator({"Go away!": -1.0, "Hi!": 1.0}))
    >>> blender.rank(["Hello!"], [["Go away!", "Hi!"]])
    array([[2, 1]], dtype=int32)
    >>> blender.compare(["Hello!"], ["Hi!"], ["Go away!"])
    array([ True])
    """

    def __init__(self, *, use_tqdm: bool = True) -> None:
        self.ranker: Ranker | None = None
        self.fuser: GenFuser | None = None
        self.use_tqdm = use_tqdm

    def loadranker(
        self,
        ranker_path: str | PathLike[str],
        device: str | torch.device | None = None,
        **options: Any,
    ) -> None:
        """Load a pairwise ranker or, if the checkpoint is none, a reward model.

        Args:
            ranker_path: hub id or folder.
            device: where to compute; None takes an accelerator if there is one, else the CPU.
            **options: of `PairRanker.from_pretrained` or `PointwiseRanker.from_pretrained`.

        Raises:
            CheckpointError: the checkpoint is missing, broken or neither of the two.
        """
        self.ranker = load_ranker(ranker_path, device, renamed(options))

    def loadfuser(
        self,
        fuser_path: str | PathLike[str],
        device: str | torch.device | None = None,
        **options: Any,
    ) -> None:
        """Load a fuser.

        Args:
            fuser_path: hub id or folder.
            device: where to compute; None takes an accelerator if there is one, else the CPU.
            **options: of `GenFuser.from_pretrained`.

        Raises:
            CheckpointError: the checkpoint is missing, broken or no fuser.
        """
        self.fuser = GenFuser.from_pretrained(fuser_path, device=device, **renamed(options))

    def rank(
        self,
        inputs: Sequence[Asked],
        candidates: Sequence[Sequence[str]],
        instructions: Sequence[str] | None = None,
        return_scores: bool = False,
        batch_size: int = 8,
        disable_tqdm: bool = False,
        *,
        source_max_length: int | None = None,
        candidate_max_length: int | None = None,
    ) -> Rows:
        """Rank every input's candidates by all ordered pairs.

        With `source_max_length` and `candidate_max_length`, in tokens, a pairwise checkpoint
        reads more or less of question and answers than it is made for.

        Returns:
            int32[inputs, N] ranks: 1 = best, ties share the best rank and the next ranks are
            skipped. Or, with `return_scores`, float32[inputs, N]: the mean over all N columns j
            of M[i, j] - M[j, i]; for a reward model the reward.
        """
        positive("batch_size", batch_size)
        rankings = self._rankings(
            tasks_of(inputs, candidates, instructions),
            "full",
            (source_max_length, candidate_max_length),
            show_progress=self.use_tqdm and not disable_tqdm,
        )
        return ranks_or_scores(rankings, return_scores)

    def rank_with_ref(
        self,
        inputs: Sequence[Asked],
        candidates: Sequence[Sequence[str]],
        *,
        instructions: Sequence[str] | None = None,
        return_scores: bool = False,
        ref_mode: str | None = None,
        mode: str | None = None,
        ref_candidates: Sequence[str] | None = None,
        batch_size: int = 8,
        source_max_length: int | None = None,
        candidate_max_length: int | None = None,
    ) -> Rows:
        """Rank every input's candidates by how each compares with one reference.

        The reference is the ``"longest"`` candidate, or by `ref_mode` (of which `mode` is another
        name) the ``"shortest"``, ``"median_length"``, ``"first"`` or ``"last"``; or a text of
        `ref_candidates`, one an input, whatever the mode.

        Returns:
            int32[inputs, N] ranks as from `rank`. Or, with `return_scores`, float64[inputs, N]:
            M[j, r] - M[r, j] against the reference r; for a reward model the difference of
            rewards. The reference itself has 0.
        """
        positive("batch_size", batch_size)
        if mode is not None and ref_mode not in (None, mode):
            raise InputError(
                f"'mode' {mode!r} and 'ref_mode' {ref_mode!r} are two names of one argument and "
                "contradict each other: give one of them"
            )
        schedule = Reference(cast("ReferenceMode", ref_mode or mode or "longest"))
        tasks = tasks_of(inputs, candidates, instructions)
        if ref_candidates is not None:
            check_lengths(inputs=inputs, ref_candidates=ref_candidates)
            tasks = [
                task.with_candidates([*task.candidates, reference])
                for task, reference in zip(tasks, ref_candidates, strict=True)
            ]
            schedule = Reference("last")
        is_pairwise = isinstance(self._loaded_ranker(), PairRanker)
        scores = []
        for ranking in self._rankings(tasks, schedule, (source_max_length, candidate_max_length)):
            lengths = [len(candidate.text) for candidate in ranking.candidates]
            reference_place = reference_index(lengths, schedule.mode)
            matrix = ranking.matrix.astype(np.float64)
            lead = matrix[reference_place]
            if is_pairwise:
                lead = lead - matrix[:, reference_place]
            scores.append(-lead if ref_candidates is None else -lead[:-1])
        if return_scores:
            return shaped(scores)
        return shaped([np.array(order_and_ranks(row.tolist())[1], np.int32) for row in scores])

    def compare(
        self,
        inputs: Sequence[Asked],
        candidates_A: Sequence[str],  # noqa: N803  (the original's name)
        candidates_B: Sequence[str],  # noqa: N803
        instructions: Sequence[str] | None = None,
        batch_size: int = 4,
        return_logits: bool = False,
        mode: str = "[A,B]+[B,A]",
    ) -> NDArray[Any]:
        """Say for every input whether its answer A is better than its answer B.

        The `mode` says in which order a pairwise ranker is shown the two: ``"[A,B]"``,
        ``"[B,A]"`` or, for a verdict that does not depend on it, both.

        Returns:
            bool[inputs], False for a tie. Or, with `return_logits`, float32[inputs], > 0 where A
            is better: M[A, B]; or -M[B, A]; or M[A, B] - M[B, A], a sum and so twice
            `PairRanker.compare`; for a reward model the difference of rewards.
        """
        positive("batch_size", batch_size)
        check_known("mode", mode, _MODES)
        check_lengths(inputs=inputs, candidates_A=candidates_A, candidates_B=candidates_B)
        tasks = tasks_of(inputs, list(zip(candidates_A, candidates_B, strict=True)), instructions)
        # The matrix of a reward model has the same difference in both orders.
        is_pairwise = isinstance(self._loaded_ranker(), PairRanker)
        asked = _MODES[mode if is_pairwise else "[A,B]"]
        logits = np.array(
            [
                sum(ranking.matrix[a, b] if a < b else -ranking.matrix[a, b] for a, b in asked)
                for ranking in self._rankings(tasks, _Asked(asked))
            ],
            dtype=np.float32,
        )
        return logits if return_logits else logits > 0

    def compare_conversations(
        self,
        conversations_a: Sequence[Conversation],
        conversations_b: Sequence[Conversation],
        batch_size: int = 4,
        return_logits: bool = False,
        mode: str = "[A,B]+[B,A]",
    ) -> NDArray[Any]:
        """Say for every pair of conversations whether the assistant is better in the first.

        A conversation is one or more turns, each a message of role ``USER`` and one of role
        ``ASSISTANT``; the user says the same in both. Results are those of `compare`.
        """
        inputs, answers_a, answers_b = comparisons(conversations_a, conversations_b)
        return self.compare(
            inputs,
            answers_a,
            answers_b,
            [INSTRUCTION] * len(inputs),
            batch_size=batch_size,
            return_logits=return_logits,
            mode=mode,
        )

    def get_best_of_n(
        self,
        inputs: Sequence[Asked],
        candidates: Sequence[Sequence[str]],
        instructions: Sequence[str] | None = None,
        pairrm_cmp_type: str = "bubble",
        return_all: bool = False,
        batch_size: int = 8,
    ) -> list[str] | list[list[str]]:
        """Pick every input's best candidate.

        A pairwise ranker makes 2(N - 1) comparisons along a random line (``"bubble"``) or all
        N(N - 1) (``"full"``); a reward model scores each candidate. Logits are not transitive, so
        the survivor of a bubble pass depends on the line. Lines come from torch's global generator
        (``torch.manual_seed``), one for the inputs of a batch (that have equally many candidates).

        Returns:
            One text an input. With `return_all` all of the input's texts: by ``"full"`` sorted by
            rank; by ``"bubble"`` the survivor, then the others **in the order in which they
            lost**, which is not their order of quality.
        """
        return self._of_n(
            tasks_of(inputs, candidates, instructions),
            pairrm_cmp_type,
            return_all=return_all,
            batch_size=batch_size,
            worst=False,
        )

    def get_worst_of_n(
        self,
        inputs: Sequence[Asked],
        candidates: Sequence[Sequence[str]],
        instructions: Sequence[str] | None = None,
        pairrm_cmp_type: str = "bubble",
        return_all: bool = False,
        batch_size: int = 8,
    ) -> list[str] | list[list[str]]:
        """Pick every input's worst candidate; see `get_best_of_n`."""
        return self._of_n(
            tasks_of(inputs, candidates, instructions),
            pairrm_cmp_type,
            return_all=return_all,
            batch_size=batch_size,
            worst=True,
        )

    def fuse(
        self,
        inputs: Sequence[Asked],
        candidates: Sequence[Sequence[str]],
        instructions: Sequence[str] | None = None,
        batch_size: int = 4,
        **generate_kwargs: Any,
    ) -> list[str]:
        """Write one text from every input's candidates, given best first.

        The keywords are the generation options of `GenFuser` and its ``candidate_max_length``.
        """
        if len(inputs) == len(candidates) == 0:
            return []
        return self._fuse(tasks_of(inputs, candidates, instructions), batch_size, generate_kwargs)

    def rank_and_fuse(
        self,
        inputs: Sequence[Asked],
        candidates: Sequence[Sequence[str]],
        instructions: Sequence[str] | None = None,
        return_scores: bool = False,
        batch_size: int = 4,
        top_k: int = 3,
        **generate_kwargs: Any,
    ) -> tuple[list[str], Rows]:
        """Rank, then fuse the `top_k` best candidates of every input.

        Returns:
            The texts of `fuse`, and the ranks or scores of `rank`.
        """
        positive("top_k", top_k)
        tasks = tasks_of(inputs, candidates, instructions)
        self._loaded_fuser()  # asked before the ranking is paid for
        rankings = self._rankings(tasks, "full")
        best = [
            task.with_candidates(ranking.top(top_k))
            for task, ranking in zip(tasks, rankings, strict=True)
        ]
        fused = self._fuse(best, batch_size, generate_kwargs)
        return fused, ranks_or_scores(rankings, return_scores)

    def n_generate(
        self,
        model: Any,
        model_tokenizer: Any,
        inputs: Sequence[str],
        instructions: Sequence[str] | None = None,
        n: int = 5,
        sampling_mode: str | None = "top_p_sampling",
        batch_size: int = 4,
        **generate_kwargs: Any,
    ) -> list[list[str]]:
        """Let a transformers model write n answers to every input.

        Args:
            model: a causal or sequence-to-sequence model.
            model_tokenizer: its tokenizer.
            inputs: the prompts.
            instructions: each is put before its input, with a line break in between.
            n: answers an input.
            sampling_mode: ``"top_p_sampling"`` or ``"top_k_sampling"``, at temperature 0.7 with
                top_p 1.0 or top_k 50 unless given; None leaves it all to `generate_kwargs`.
            batch_size: prompts generated from together.
            **generate_kwargs: of the model's ``generate``. Without ``max_new_tokens`` or
                ``max_length`` a text may be as long as the model can read.

        Returns:
            n texts an input, without the prompt.
        """
        check_lengths(inputs=inputs, instructions=instructions)
        prompts = list(inputs)
        if instructions is not None:
            prompts = [f"{i}\n{text}" for i, text in zip(instructions, inputs, strict=True)]
        return sample(
            model,
            model_tokenizer,
            prompts,
            positive("n", n),
            mode=sampling_mode,
            batch_size=positive("batch_size", batch_size),
            options=generate_kwargs,
        )

    def best_of_n_generate(
        self,
        model: Any,
        model_tokenizer: Any,
        inputs: Sequence[str],
        instructions: Sequence[str] | None = None,
        n: int = 5,
        sampling_mode: str | None = "top_p_sampling",
        batch_size: int = 4,
        pairrm_cmp_type: str = "bubble",
        return_all: bool = False,
        **generate_kwargs: Any,
    ) -> list[str] | list[list[str]]:
        """Let a model write n answers to every input (`n_generate`), pick the best of them.

        Returns:
            As `get_best_of_n`.
        """
        check_known("pairrm_cmp_type", pairrm_cmp_type, _CMP_TYPES)
        self._loaded_ranker()  # asked before the generating is paid for
        answers = self.n_generate(
            model,
            model_tokenizer,
            inputs,
            instructions,
            n=n,
            sampling_mode=sampling_mode,
            batch_size=batch_size,
            **generate_kwargs,
        )
        return self.get_best_of_n(
            inputs,
            answers,
            instructions,
            pairrm_cmp_type=pairrm_cmp_type,
            return_all=return_all,
            batch_size=min(batch_size, _MOST_INPUTS_A_LINE),
        )

    def _loaded_ranker(self) -> Ranker:
        if self.ranker is None:
            raise InputError("no ranker is loaded: call loadranker('llm-blender/PairRM') first")
        return self.ranker

    def _loaded_fuser(self) -> GenFuser:
        if self.fuser is None:
            raise InputError("no fuser is loaded: call loadfuser('llm-blender/gen_fuser_3b') first")
        return self.fuser

    def _rankings(
        self,
        tasks: list[Task],
        schedule: str | Schedule,
        limits: tuple[int | None, int | None] = (None, None),
        *,
        show_progress: bool | None = None,
    ) -> list[Ranking]:
        """Rank; a ranker that is not pairwise has no use for a schedule."""
        ranker = with_limits(self._loaded_ranker(), *limits)
        show = self.use_tqdm if show_progress is None else show_progress
        if isinstance(ranker, PairRanker):
            return ranker.rank_many(
                tasks, schedule=schedule, aggregation="max_logits", show_progress=show
            )
        return ranker.rank_many(tasks, show_progress=show)

    def _of_n(
        self, tasks: list[Task], cmp_type: str, *, return_all: bool, batch_size: int, worst: bool
    ) -> list[str] | list[list[str]]:
        check_known("pairrm_cmp_type", cmp_type, _CMP_TYPES)
        positive("batch_size", batch_size)
        ranker = self._loaded_ranker()
        if isinstance(ranker, PairRanker) and cmp_type == "bubble":
            with bars_drawn(self.use_tqdm):
                orders = bubble_orders(tasks, ranker.comparator, batch_size, worst=worst)
        else:
            orders = [sorted_order(r, worst=worst) for r in self._rankings(tasks, "full")]
        rows = [
            [task.candidates[index].text for index in order]
            for task, order in zip(tasks, orders, strict=True)
        ]
        return rows if return_all else [row[0] for row in rows]

    def _fuse(
        self, tasks: list[Task], batch_size: int, generate_kwargs: Mapping[str, Any]
    ) -> list[str]:
        fuser = copy(self._loaded_fuser())  # the model is shared
        fuser.batch_size = positive("batch_size", batch_size)
        return fuser.fuse_many(tasks, show_progress=self.use_tqdm, **generate_kwargs)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A schedule of exactly these pairs."""

    pairs: Round

    def rounds(self, lengths: Sequence[int]) -> Rounds:  # noqa: ARG002  (of the protocol)
        yield list(self.pairs)
        return None
