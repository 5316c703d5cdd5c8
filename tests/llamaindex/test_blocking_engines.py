"""An engine whose async way keeps the event loop busy costs only itself."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest
from llama_index.core import Document, SummaryIndex, get_response_synthesizer
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.response.schema import Response
from llama_index.core.evaluation import BaseEvaluator, EvaluationResult
from llama_index.core.indices.query.query_transform.base import StepDecomposeQueryTransform
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata
from llama_index.core.query_engine import (
    CustomQueryEngine,
    MultiStepQueryEngine,
    RetryQueryEngine,
    TransformQueryEngine,
)
from talking_llms import says
from watching import watched_loop

from blender_core import PairRanker
from blender_core.members import aask
from blender_core.testing import ScriptedComparator
from llamaindex_blender import BlendedQueryEngine

SLOW = 0.7
LONGEST = PairRanker(ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second))))
INDEX = SummaryIndex.from_documents([Document(text="2 + 2 is 4.")])


class Blocking(CustomLLM):
    """Has a sync way alone."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="blocking")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        time.sleep(SLOW)
        return CompletionResponse(text="It is 4.")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        raise NotImplementedError


class Sure(BaseEvaluator):
    """Passes whatever it is shown."""

    def _get_prompts(self) -> Any:
        return {}

    def _update_prompts(self, prompts: Any) -> None:
        pass

    async def aevaluate(self, *args: Any, **kwargs: Any) -> EvaluationResult:
        return EvaluationResult(passing=True)


class Sleeper(CustomQueryEngine):
    async def acustom_query(self, query_str: str) -> str:
        time.sleep(SLOW)  # noqa: ASYNC251 - that is what it is for
        return "It is 4."

    def custom_query(self, query_str: str) -> str:
        time.sleep(SLOW)
        return "It is 4."


def steps() -> BaseQueryEngine:
    slow = says("It is 4.", seconds=SLOW)
    return MultiStepQueryEngine(
        INDEX.as_query_engine(llm=slow),
        StepDecomposeQueryTransform(llm=slow),
        response_synthesizer=get_response_synthesizer(llm=slow),
        index_summary="sums",
        num_steps=1,
    )


def transformed() -> BaseQueryEngine:
    transform = StepDecomposeQueryTransform(llm=Blocking())
    return TransformQueryEngine(INDEX.as_query_engine(llm=Blocking()), transform)


@pytest.mark.parametrize(
    "engine",
    [
        steps,
        transformed,
        Sleeper,
        lambda: INDEX.as_query_engine(llm=Blocking()),
        lambda: RetryQueryEngine(INDEX.as_query_engine(llm=Blocking()), Sure()),
    ],
    ids=["steps", "transformed", "custom", "blocking llm", "retry"],
)
async def test_it_blocks_neither_the_loop_nor_others(engine):
    quick = INDEX.as_query_engine(llm=says("It is 4."))
    blend = BlendedQueryEngine.from_engines(
        {"slow": engine(), "quick": quick}, ranker=LONGEST, timeout=SLOW / 2
    )
    BlendedQueryEngine.from_engines({"quick": quick}, ranker=LONGEST).query("imports what it needs")
    async with watched_loop() as watch:
        begun = time.monotonic()
        response = await blend.aquery("What is 2 + 2?")
    assert str(response) == "It is 4."
    assert set(response.metadata["blend"]["failures"]) == {"slow"}
    assert time.monotonic() - begun < SLOW
    assert watch.late < SLOW / 2


class Disguised(BaseQueryEngine):
    """Awaits, and still blocks: that shows only when it is asked."""

    async def _aquery(self, query_bundle: Any) -> Response:
        await asyncio.sleep(0)
        time.sleep(SLOW)  # noqa: ASYNC251 - as above
        return Response("It is 4.")

    def _query(self, query_bundle: Any) -> Response:
        time.sleep(SLOW)
        return Response("It is 4.")

    def _get_prompt_modules(self) -> Any:
        return {}


async def test_who_blocked_once_is_asked_in_a_thread():
    quick = INDEX.as_query_engine(llm=says("It is 4."))
    engines = {"slow": Disguised(None), "quick": quick}
    blend = BlendedQueryEngine.from_engines(engines, ranker=LONGEST, timeout=SLOW / 2)
    assert set((await blend.aquery("2 + 2?")).metadata["blend"]["failures"]) == {"slow"}
    async with watched_loop() as watch:
        again = await blend.aquery("2 + 2?")
    assert set(again.metadata["blend"]["failures"]) == {"slow"}
    assert watch.late < SLOW / 2


async def test_the_time_that_others_could_not_run_is_given_back_to_them():
    async def busy(question: str) -> str:
        time.sleep(0.4)  # noqa: ASYNC251 - as above
        return question

    async def quick(question: str) -> str:
        await asyncio.sleep(0.05)
        return question

    answers = await aask({"busy": busy, "quick": quick}, "q", timeout=0.2, deadline=0.3)
    assert list(answers.answers) == ["quick"]
    assert answers.blocking == {"busy"}
    waited = await aask({"quick": quick}, "q")
    assert waited.blocking == frozenset()
