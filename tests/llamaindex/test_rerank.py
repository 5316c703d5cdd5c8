"""Nodes compared two by two: what comes back, what is told of it, and what is refused."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import pytest
from golden_data import CHECKPOINTS
from hypothesis import given
from hypothesis import strategies as st
from llama_index.core.callbacks import CallbackManager, CBEventType, LlamaDebugHandler
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import ImageNode, MetadataMode, NodeWithScore, TextNode
from pydantic import Field, ValidationError
from watching import watched_loop

from blender_core import Calibrator, ConsensusRanker, PairRanker, ShortlistRanker
from blender_core.errors import InputError
from blender_core.testing import ScriptedComparator
from llamaindex_blender import PairRankerRerank


def longest(pair: Any) -> float:
    return float(len(pair.first) - len(pair.second))


LONGEST = PairRanker(ScriptedComparator(longest))


def nodes(*texts: str) -> list[NodeWithScore]:
    return [
        NodeWithScore(
            node=TextNode(text=text, id_=f"n{place}", metadata={"page": place}), score=0.5
        )
        for place, text in enumerate(texts)
    ]


def sync(rerank: PairRankerRerank, given: Any, **query: Any) -> list[NodeWithScore]:
    return rerank.postprocess_nodes(given, **query)


def in_a_loop(rerank: PairRankerRerank, given: Any, **query: Any) -> list[NodeWithScore]:
    return asyncio.run(rerank.apostprocess_nodes(given, **query))


WAYS = pytest.mark.parametrize("reranked", [sync, in_a_loop])


@WAYS
def test_nodes_come_back_best_first_as_new_ones(reranked):
    given = nodes("a", "ccc", "bb", "dddd")
    found = reranked(PairRankerRerank(ranker=LONGEST), given, query_str="q")
    assert [node.text for node in found] == ["dddd", "ccc", "bb"]
    assert [node.metadata["rank"] for node in found] == [1, 2, 3]
    assert all(type(node.score) is float for node in found)
    chances = [node.metadata["win_probability"] for node in found]
    assert chances == sorted(chances, reverse=True)
    assert all(0 < chance < 1 and type(chance) is float for chance in chances)
    assert [node.metadata for node in given] == [{"page": place} for place in range(4)]
    assert [node.score for node in given] == [0.5] * 4
    assert found[0].node.node_id == "n3"
    assert found[0].metadata["page"] == 3


@WAYS
def test_what_is_added_stays_out_of_prompts(reranked):
    [found] = reranked(PairRankerRerank(ranker=LONGEST, top_n=1), nodes("a", "bb"), query_str="q")
    for mode in (MetadataMode.LLM, MetadataMode.EMBED):
        content = found.node.get_content(metadata_mode=mode)
        assert "page: 1" in content
        assert "rank" not in content
        assert "win_probability" not in content


@WAYS
def test_metadata_is_not_compared(reranked):
    comparator = ScriptedComparator(longest)
    reranked(PairRankerRerank(ranker=PairRanker(comparator)), nodes("a", "bb"), query_str="q")
    [pair, _] = comparator.calls[0]
    assert (pair.instruction, pair.first, pair.second) == ("q", "a", "bb")


@WAYS
@pytest.mark.parametrize(
    ("texts", "order"),
    [
        ((), []),
        (("only",), ["n0"]),
        (("same", "same", "same"), ["n0", "n1", "n2"]),
        (("", "a", ""), ["n1", "n0", "n2"]),
        (("b", "a", "c"), ["n0", "n1", "n2"]),
    ],
)
def test_edges(reranked, texts, order):
    found = reranked(PairRankerRerank(ranker=LONGEST), nodes(*texts), query_str="q")
    assert [node.node.node_id for node in found] == order


@WAYS
def test_images_are_nodes_without_a_text(reranked):
    given = [NodeWithScore(node=ImageNode(id_="i", image="aa")), *nodes("text")]
    found = reranked(PairRankerRerank(ranker=LONGEST), given, query_str="q")
    assert [type(node.node) for node in found] == [TextNode, ImageNode]


@WAYS
def test_without_a_query_nothing_is_compared(reranked):
    with pytest.raises(InputError, match="comparing needs the query"):
        reranked(PairRankerRerank(ranker=LONGEST), nodes("a"))


@WAYS
def test_a_margin_drops_what_is_clearly_worse(reranked):
    rerank = PairRankerRerank(ranker=LONGEST, top_n=9, min_margin=2.0)
    found = reranked(rerank, nodes("a", "ccc", "dddd", "bb"), query_str="q")
    assert [node.text for node in found] == ["dddd", "ccc", "bb"]
    rerank = PairRankerRerank(ranker=LONGEST, top_n=9, min_margin=0.0)
    found = reranked(rerank, nodes("a", "bb", "cc"), query_str="q")
    assert [node.text for node in found] == ["bb", "cc"]


@WAYS
@pytest.mark.parametrize("schedule", ["full", "active", "bubble", "knockout"])
@pytest.mark.parametrize("aggregation", ["max_logits", "max_wins", "bradley_terry"])
def test_schedules_and_aggregations(reranked, schedule, aggregation):
    rerank = PairRankerRerank(ranker=LONGEST, top_n=1, schedule=schedule, aggregation=aggregation)
    [best] = reranked(rerank, nodes("a", "ccc", "bb", "dddd", "e"), query_str="q")
    assert best.text == "dddd"


@given(st.lists(st.text(max_size=5), max_size=6), st.integers(1, 6))
def test_whatever_comes_out_came_in_once(texts, top_n):
    given = nodes(*texts)
    found = PairRankerRerank(ranker=LONGEST, top_n=top_n).postprocess_nodes(given, query_str="q")
    ids = [node.node.node_id for node in found]
    assert len(ids) == len(set(ids)) == min(top_n, len(texts))
    scores = [node.score for node in found]
    assert scores == sorted(scores, reverse=True)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"schedule": "fast"}, "unknown schedule 'fast'"),
        ({"aggregation": "sum"}, "unknown aggregation 'sum'"),
        ({"ranker": "mini"}, "cannot be restored"),
        ({"ranker": 7}, "'ranker' must be a Ranker, got int"),
        ({"ranker": LONGEST, "model": "x/y"}, "not both"),
        ({"ranker": ConsensusRanker(), "schedule": "bubble"}, "a ConsensusRanker has none"),
        ({"top_n": 0}, "greater than or equal to 1"),
        ({"min_margin": -1}, "greater than or equal to 0"),
    ],
)
def test_settings_are_checked(settings, words):
    with pytest.raises(ValidationError, match=words):
        PairRankerRerank(**settings)


def test_the_shipped_ranker_and_a_checkpoint():
    given = nodes("The capital of France is Paris.", "I do not know.")
    found = PairRankerRerank().postprocess_nodes(given, query_str="What is the capital of France?")
    assert len(found) == 2
    tiny = PairRankerRerank(model=str(CHECKPOINTS / "tiny-PairRM-hf"))
    ranking = PairRanker.from_pretrained(CHECKPOINTS / "tiny-PairRM-hf").rank("q", ["a", "b c"])
    found = tiny.postprocess_nodes(nodes("a", "b c"), query_str="q")
    assert [node.score for node in found] == sorted(ranking.scores, reverse=True)


def test_it_goes_into_a_dict_and_back():
    rerank = PairRankerRerank(top_n=2, schedule="bubble", aggregation="max_wins", min_margin=1.5)
    again = PairRankerRerank.from_dict(rerank.to_dict())
    assert again.to_dict() == rerank.to_dict()
    assert PairRankerRerank.from_json(rerank.to_json()).to_dict() == rerank.to_dict()
    with pytest.raises(ValidationError, match="an object, a PairRanker, which cannot be restored"):
        PairRankerRerank.from_dict(PairRankerRerank(ranker=LONGEST).to_dict())


def test_it_is_what_llamaindex_takes_for_one():
    assert BaseNodePostprocessor in PairRankerRerank.__mro__
    assert PairRankerRerank.class_name() == "PairRankerRerank"
    assert PairRankerRerank()._get_prompts() == {}


class Events(BaseEventHandler):
    names: list[Any] = Field(default_factory=list)

    @classmethod
    def class_name(cls) -> str:
        return "Events"

    def handle(self, event: Any, **kwargs: Any) -> None:
        self.names.append(event)


@pytest.fixture
def events():
    handler = Events(names=[])
    root = get_dispatcher()
    before = list(root.event_handlers)
    root.add_event_handler(handler)
    yield handler.names
    root.event_handlers = before


def broken(pair: Any) -> float:
    raise RuntimeError("the ranker is tired")


@WAYS
@pytest.mark.parametrize("case", ["fine", "empty", "error"])
def test_events_of_both_kinds_come_in_pairs(reranked, case, events):
    debug = LlamaDebugHandler(print_trace_on_end=False)
    ranker = PairRanker(ScriptedComparator(broken)) if case == "error" else LONGEST
    rerank = PairRankerRerank(ranker=ranker, callback_manager=CallbackManager([debug]))
    given = nodes() if case == "empty" else nodes("a", "bb")
    if case == "error":
        with pytest.raises(RuntimeError, match="tired"):
            reranked(rerank, given, query_str="q")
    else:
        reranked(rerank, given, query_str="q")
    ours = [event for event in events if type(event).__name__.startswith("ReRank")]
    assert [type(event).__name__ for event in ours] == ["ReRankStartEvent", "ReRankEndEvent"]
    assert (ours[0].top_n, ours[0].model_name, len(ours[0].nodes)) == (3, "PairRanker", len(given))
    assert len(ours[1].nodes) == (2 if case == "fine" else 0)
    [[start, end]] = debug.get_event_pairs(CBEventType.RERANKING)
    assert start.payload["query_str"] == "q"
    assert ("exception" in end.payload) == (case == "error")


async def test_the_loop_goes_on_while_a_model_compares():
    import time

    class Slow:
        def logits(self, pairs: Any) -> Any:
            time.sleep(0.3)
            return np.zeros(len(pairs), np.float32)

    rerank = PairRankerRerank(ranker=PairRanker(Slow()))
    async with watched_loop() as watch:
        await rerank.apostprocess_nodes(nodes("a", "bb"), query_str="q")
    assert watch.late < 0.2


@WAYS
def test_a_calibrated_rankers_probabilities_are_calibrated(reranked):
    calibrated = PairRanker(ScriptedComparator(longest), calibrator=Calibrator(100.0))
    own, fitted = (
        [
            node.metadata["win_probability"]
            for node in reranked(
                PairRankerRerank(ranker=ranker, schedule=schedule),
                nodes("a", "ccccc"),
                query_str="q",
            )
        ]
        for ranker, schedule in ((LONGEST, "full"), (calibrated, "active"))
    )
    assert own[0] > 0.9
    assert 0.5 < fitted[0] < 0.52
    assert sum(fitted) == pytest.approx(1.0)


@WAYS
def test_nodes_that_a_shortlist_left_out_have_no_probability(reranked):
    calibrated = PairRanker(ScriptedComparator(longest), calibrator=Calibrator(2.0))
    ranker = ShortlistRanker(LONGEST, calibrated, keep=2)
    given = nodes("a", "ccccc", "bbb")
    first, second, out = reranked(PairRankerRerank(ranker=ranker), given, query_str="q")
    told = [node.metadata["win_probability"] for node in (first, second)]
    assert 1.0 > told[0] > 0.5 > told[1] > 0.0
    assert sum(told) == pytest.approx(1.0)
    assert (out.text, out.metadata["rank"]) == ("a", 3)
    assert "win_probability" not in out.metadata
