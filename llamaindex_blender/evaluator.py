"""PairRankerEvaluator: is a response better than a second one?"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Sequence
from functools import cache
from typing import Any

from llama_index.core.evaluation import BaseEvaluator, EvaluationResult
from llama_index.core.evaluation.pairwise import EvaluationSource
from llama_index.core.prompts.mixin import PromptDictType

from blender_core.candidates import Candidate, Task
from blender_core.errors import InputError
from blender_core.ranking.ranker import Duel, Ranker
from blender_core.ranking.shipped import shared_pair_ranker

__all__ = ["PairRankerEvaluator"]

logger = logging.getLogger(__name__)

_CAVEAT = "; by the shipped ranker, which also picks in blends: of these it proves nothing"


@cache
def _say_once() -> None:
    logger.warning(
        "PairRankerEvaluator() judges by the shipped ranker, which also picks in blends: to judge "
        "a blend, give another ranker, or compare with gold answers"
    )


class PairRankerEvaluator(BaseEvaluator):
    """Compares two responses in both orders, as `PairwiseComparisonEvaluator` does with an LLM.

    The result passes (score 1) where the response wins in both orders, fails (score 0) where the
    second one does, and is a tie (score 0.5, ``passing=None``) where the orders disagree.

    A blend is no better for what the ranker says that made its pick: to find out whether blending
    helped, give a judge that had no part in it, or compare with gold answers. The shipped ranker
    has a part in every blend that was given none; results say so, and so does the log, once.

    Args:
        ranker: compares; None is the shipped `PairRanker()`.
    """

    def __init__(self, ranker: Ranker | None = None) -> None:
        self._ranker = shared_pair_ranker(ranker)
        self._caveat = _CAVEAT if ranker is None else ""
        if ranker is None:
            _say_once()

    def _get_prompts(self) -> PromptDictType:
        return {}

    def _update_prompts(self, prompts: PromptDictType) -> None:
        """There are none."""

    async def aevaluate(
        self,
        query: str | None = None,
        response: str | None = None,
        contexts: Sequence[str] | None = None,  # noqa: ARG002 - the base class has it
        second_response: str | None = None,
        reference: str | None = None,
        sleep_time_in_seconds: int = 0,
        **kwargs: Any,  # noqa: ARG002 - the base class has it
    ) -> EvaluationResult:
        """Compare `response` with `second_response`.

        Args:
            query: what both respond to.
            response: the one that passes if it is better.
            contexts: not used.
            second_response: the other one; None takes `reference`.
            reference: see `second_response`.
            sleep_time_in_seconds: waited for first.
            **kwargs: not used.

        Raises:
            InputError: query or one of the responses is missing.
        """
        other = reference if second_response is None else second_response
        if query is None or response is None or other is None:
            raise InputError("'query', 'response' and 'second_response' are needed")
        await asyncio.sleep(sleep_time_in_seconds)
        task = Task(query, [other])
        duel = Duel(task, Candidate(response), task.candidates[0])
        [(first, second)] = await self._ranker.aduel_many([duel])
        feedback = f"logits {first:.4g} and {-second:.4g}{self._caveat}"
        found = EvaluationResult(query=query, response=response, feedback=feedback)
        if math.isnan(first) or math.isnan(second):
            found.invalid_result = True
            found.invalid_reason = "The ranker could not compare the two."
            return found
        found.score = 1.0 if first > 0 > second else 0.0 if first < 0 < second else 0.5
        found.passing = None if found.score == 0.5 else found.score == 1.0
        found.pairwise_source = (
            EvaluationSource.NEITHER if found.passing is None else EvaluationSource.ORIGINAL
        ).value
        return found
