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
from llama_index.core.postprocessor import SimilarityPostprocessor
from llama_index.core.postprocessor.types import BaseNodePostprocessor
from llama_index.core.schema import ImageNode, MetadataMode, NodeWithScore, TextNode
from pydantic import Field, ValidationError
from watching import watched_loop

from blender_core import (
    Calibrator,
    ConsensusRanker,
    JointRanker,
    PairRanker,
    PassageRanker,
    ShortlistRanker,
)
from blender_core.errors import InputError
from blender_core.testing import ScriptedComparator
from llamaindex_blender import PairRankerRerank
from llamaindex_blender.responses import ResponseNode


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
    assert [node.metadata["blend_rank"] for node in found] == [1, 2, 3]
    assert all(type(node.score) is float and 0.0 <= node.score <= 1.0 for node in found)
    chances = [node.metadata["blend_win_probability"] for node in found]
    assert chances == sorted(chances, reverse=True)
    assert all(0 < chance < 1 and type(chance) is float for chance in chances)
    assert [node.metadata for node in given] == [{"page": place} for place in range(4)]
    assert [node.score for node in given] == [0.5] * 4
    assert found[0].node.node_id == "n3"
    assert found[0].metadata["page"] == 3
    assert [node.metadata["retrieval_score"] for node in found] == [0.5] * 3


@WAYS
def test_what_is_added_stays_out_of_prompts(reranked):
    [found] = reranked(PairRankerRerank(ranker=LONGEST, top_n=1), nodes("a", "bb"), query_str="q")
    for mode in (MetadataMode.LLM, MetadataMode.EMBED):
        content = found.node.get_content(metadata_mode=mode)
        assert "page: 1" in content
        assert "blend" not in content
        assert "retrieval_score" not in content


@WAYS
@pytest.mark.parametrize(
    ("made", "mode", "read"),
    [
        (TextNode, None, ["page: 0\n\na", "page: 1\n\nbb"]),
        (ResponseNode, None, ["a", "bb"]),
        (TextNode, MetadataMode.NONE, ["a", "bb"]),
        (ResponseNode, MetadataMode.EMBED, ["page: 0\n\na", "page: 1\n\nbb"]),
    ],
)
def test_metadata_is_read_with_passages_and_not_with_responses(reranked, made, mode, read):
    comparator = ScriptedComparator(longest)
    given = [
        NodeWithScore(node=made(text=text, metadata={"page": place}, name="n"))
        for place, text in enumerate(("a", "bb"))
    ]
    reranked(
        PairRankerRerank(ranker=PairRanker(comparator), metadata_mode=mode), given, query_str="q"
    )
    [pair, _] = comparator.calls[0]
    assert (pair.instruction, pair.first, pair.second) == ("q", *read)


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


CONSOLE = "Administrators open the console in a browser on 8443."
PASSAGES = (
    "The server reads its configuration from /etc/app/server.yaml at start.",
    "The server writes its log to /var/log/app/server.log.",
    "The server can be started as a systemd service.",
    CONSOLE,
    "The server keeps its data in /var/lib/app.",
)
ASKED = "Which port does the admin console use?"


@WAYS
def test_passages_are_ranked_by_relevance_unless_you_say_otherwise(reranked):
    found = reranked(PairRankerRerank(top_n=5), nodes(*PASSAGES), query_str=ASKED)
    assert found[0].text == CONSOLE
    relevance = PassageRanker().rank(
        ASKED, [f"page: {page}\n\n{text}" for page, text in enumerate(PASSAGES)]
    )
    scores = {node.text: node.score for node in found}
    assert [scores[text] for text in PASSAGES] == pytest.approx(relevance.scores, abs=1e-5)
    [first] = reranked(PairRankerRerank(ranker=LONGEST, top_n=1), nodes(*PASSAGES), query_str=ASKED)
    assert first.text == PASSAGES[0]
    [first] = reranked(PairRankerRerank(schedule="bubble", top_n=1), nodes("a"), query_str="q")
    assert first.score == 1.0


@WAYS
def test_responses_are_compared_as_answers(reranked):
    texts = ("The answer is 4.", "Well, the sum of these two is 5.", "It is 4.")
    given = [NodeWithScore(node=ResponseNode(text=text, name=text)) for text in texts]
    found = reranked(PairRankerRerank(), given, query_str="What is 2 + 2?")
    wanted = JointRanker().rank("What is 2 + 2?", texts)
    assert [node.text for node in found] == [texts[place] for place in wanted.order]
    scores = [node.score for node in found]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] > 0.5 > scores[2] > 0.0


@WAYS
def test_a_cutoff_keeps_what_is_relevant_also_alone(reranked):
    cutoff = SimilarityPostprocessor(similarity_cutoff=0.3)
    for texts, left in ((PASSAGES, [CONSOLE]), ((CONSOLE,), [CONSOLE]), (PASSAGES[1:2], [])):
        found = reranked(PairRankerRerank(top_n=9), nodes(*texts), query_str=ASKED)
        assert [node.text for node in cutoff.postprocess_nodes(found)] == left


@WAYS
def test_passages_that_differ_in_their_metadata_are_told_apart(reranked):
    given = [
        NodeWithScore(
            node=TextNode(
                text="Revenue grew by 12 percent to 4.2 million euros.",
                metadata={"company": company, "year": year},
            )
        )
        for company, year in (("Globex", 2021), ("Globex", 2022), ("Acme", 2021), ("Acme", 2022))
    ]
    found = reranked(
        PairRankerRerank(top_n=4), given, query_str="What was the revenue of Acme in 2022?"
    )
    assert (found[0].metadata["company"], found[0].metadata["year"]) == ("Acme", 2022)
    assert len({node.score for node in found}) == 4


@WAYS
def test_what_a_node_says_of_itself_is_never_written_over(reranked):
    own = {"rank": 7, "score": 8, "win_probability": 9, "retrieval_score": 10}
    given = [NodeWithScore(node=TextNode(text=text, metadata=own), score=0.2) for text in "ab"]
    for node in reranked(PairRankerRerank(ranker=LONGEST), given, query_str="q"):
        assert own.items() <= node.metadata.items()
        assert "retrieval_score: 10" in node.node.get_content(metadata_mode=MetadataMode.LLM)
    rerank = PairRankerRerank(ranker=LONGEST, keep_retrieval_score=False)
    assert "retrieval_score" not in reranked(rerank, nodes("a"), query_str="q")[0].metadata


def test_a_checkpoint():
    tiny = PairRankerRerank(model=str(CHECKPOINTS / "tiny-PairRM-hf"))
    ranker = PairRanker.from_pretrained(CHECKPOINTS / "tiny-PairRM-hf")
    ranking = ranker.rank("q", ["page: 0\n\na", "page: 1\n\nb c"])
    found = tiny.postprocess_nodes(nodes("a", "b c"), query_str="q")
    assert [node.metadata["page"] for node in found] == list(ranking.order)


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
            node.metadata["blend_win_probability"]
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
    told = [node.metadata["blend_win_probability"] for node in (first, second)]
    assert 1.0 > told[0] > 0.5 > told[1] > 0.0
    assert sum(told) == pytest.approx(1.0)
    assert (out.text, out.metadata["blend_rank"]) == ("a", 3)
    assert "blend_win_probability" not in out.metadata
    assert out.score == 0.0
