"""What engines returned survives in a blend, and what a blend tells of itself is true."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from llama_index.core import Document, SQLDatabase, SummaryIndex
from llama_index.core.base.response.schema import PydanticResponse, Response
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms import MockLLM
from llama_index.core.query_engine import (
    CitationQueryEngine,
    CustomQueryEngine,
    NLSQLTableQueryEngine,
    RouterQueryEngine,
)
from llama_index.core.schema import ImageNode, NodeWithScore, TextNode
from llama_index.core.selectors import LLMSingleSelector
from llama_index.core.tools import QueryEngineTool
from pydantic import BaseModel
from sqlalchemy import StaticPool, create_engine, text
from talking_llms import says

from blender_core import PairRanker
from blender_core.errors import QuorumError
from blender_core.testing import ScriptedComparator, ScriptedFuser
from llamaindex_blender import (
    BlendedQueryEngine,
    GenFuserSynthesizer,
    PairRankerRerank,
    ResponseRetriever,
)

LONGEST = PairRanker(ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second))))
LONGER = "2 + 2 is 4, so the answer surely is 4, and it is no other number."


class Says(CustomQueryEngine):
    said: Any

    def custom_query(self, query_str: str) -> Any:
        if isinstance(self.said, Exception):
            raise self.said
        return self.said


def sync(engine: Any, question: str) -> Any:
    return engine.query(question)


def in_a_loop(engine: Any, question: str) -> Any:
    return asyncio.run(engine.aquery(question))


WAYS = pytest.mark.parametrize("asked", [sync, in_a_loop])


class City(BaseModel):
    name: str
    people: int


# Numbers


@WAYS
def test_the_report_is_of_the_ranking_that_was_made(asked):
    engines = {"one": Says(said="7 is a prime."), "two": Says(said="no"), "three": Says(said="9")}
    question = "Name a prime."
    told = asked(BlendedQueryEngine.from_engines(engines), question).metadata["blend"]
    rerank = PairRankerRerank()
    ranking = rerank.ranking.rank(question, [engine.said for engine in engines.values()])
    names = list(engines)
    assert told["order"] == [names[place] for place in ranking.order]
    assert told["scores"] == pytest.approx(dict(zip(names, ranking.scores, strict=True)))
    assert told["probability_best"] == pytest.approx(
        dict(zip(names, ranking.probability_best, strict=True))
    )
    assert (told["passes"], told["calibrated"]) == (ranking.passes, ranking.is_calibrated)


def test_all_who_responded_are_in_the_report_also_where_few_are_fused():
    engines = {"one": Says(said="a"), "two": Says(said="aaa"), "three": Says(said="aa")}
    engine = BlendedQueryEngine.from_engines(engines, ranker=LONGEST, top_k=1)
    told = engine.query("q").metadata["blend"]
    assert told["order"] == ["two", "three", "one"]
    assert set(told["scores"]) == set(told["probability_best"]) == set(engines)
    assert told["sources"] == ["two"]
    assert set(told["seconds"]) == set(engines)
    assert told["failures"] == {}


def test_numbers_that_nobody_knows_are_absent():
    nodes = [NodeWithScore(node=TextNode(text=t), score=s) for t, s in (("a", 0.9), ("b", None))]
    told = GenFuserSynthesizer(ranked=True, ranker=LONGEST).synthesize("q", nodes).metadata["blend"]
    assert told["order"] == ["response 0", "response 1"]
    assert told["scores"] == {"response 0": 0.9}
    assert not {"probability_best", "passes", "calibrated"} & set(told)


def test_responses_of_one_name_are_told_apart():
    said = {"one": Says(said="a")}
    nodes = [*ResponseRetriever(said).retrieve("q"), *ResponseRetriever(said).retrieve("q")]
    told = GenFuserSynthesizer(ranker=LONGEST).synthesize("q", nodes).metadata["blend"]
    assert set(told["scores"]) == {"one", "one #2"}


# What was returned


def cities() -> SQLDatabase:
    # One connection for all threads: each would have a database in memory of its own.
    shared = {"check_same_thread": False}
    engine = create_engine("sqlite://", connect_args=shared, poolclass=StaticPool)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE city (name TEXT, people INTEGER)"))
        connection.execute(text("INSERT INTO city VALUES ('Tokyo', 13960000)"))
    return SQLDatabase(engine)


@WAYS
def test_the_sql_query_of_a_response_is_kept(asked):
    llm = says("SELECT name FROM city", tools=False)
    sql = NLSQLTableQueryEngine(
        cities(), tables=["city"], llm=llm, embed_model=MockEmbedding(embed_dim=4)
    )
    engines = {"sql": sql, "short": Says(said="no")}
    response = asked(BlendedQueryEngine.from_engines(engines, ranker=LONGEST), "Which city?")
    assert response.metadata["blend"]["sources"] == ["sql"]
    assert response.metadata["sql_query"] == "SELECT name FROM city"
    assert response.metadata["result"] == [("Tokyo",)]


def test_what_a_router_chose_is_kept():
    tool = QueryEngineTool.from_defaults(Says(said=LONGER), description="sums")
    llm = says('[{"choice": 1, "reason": "it adds"}]', tools=False)
    router = RouterQueryEngine(
        LLMSingleSelector.from_defaults(llm=llm), [tool], llm=llm, summarizer=GenFuserSynthesizer()
    )
    engine = BlendedQueryEngine.from_engines(
        {"router": router, "x": Says(said="4")}, ranker=LONGEST
    )
    assert engine.query("2 + 2?").metadata["selector_result"].reasons == ["it adds"]


@WAYS
def test_an_object_that_is_picked_stays_the_object(asked):
    tokyo = PydanticResponse(City(name="Tokyo, of course", people=13960000))
    engines = {"object": Says(said=tokyo), "words": Says(said="Tokyo")}
    response = asked(BlendedQueryEngine.from_engines(engines, ranker=LONGEST), "Which city?")
    assert isinstance(response, PydanticResponse)
    assert response.response is tokyo.response
    assert response.metadata["blend"]["sources"] == ["object"]


def test_image_nodes_and_their_ids_are_kept():
    image = NodeWithScore(node=ImageNode(image_url="https://x/y.png", id_="i"), score=0.5)
    given = Response(LONGER, [image], {"image_nodes": [image], "text_nodes": []})
    engines = {"images": Says(said=given), "x": Says(said="4")}
    response = BlendedQueryEngine.from_engines(engines, ranker=LONGEST).query("2 + 2?")
    assert [node.node for node in response.source_nodes] == [image.node]
    assert response.metadata["image_nodes"] == [image]


@pytest.mark.parametrize("same_ids", [False, True])
def test_citations_keep_all_chunks_in_their_order(same_ids):
    long = " ".join(f"Box {i} holds {i * 7} apples." for i in range(60))
    llm = MockLLM()
    index = SummaryIndex.from_documents([Document(text=long, id_="long")])
    cited = CitationQueryEngine.from_args(index, llm=llm, citation_chunk_size=64)
    alone = cited.query("How many?")
    assert len(alone.source_nodes) > 3
    if same_ids:  # as some versions leave the source's id on every chunk
        for node in alone.source_nodes:
            node.node.id_ = "long"
    engine = BlendedQueryEngine.from_engines({"cited": Says(said=alone)}, ranker=LONGEST)
    kept = engine.query("How many?").source_nodes
    assert [node.text for node in kept] == [node.text for node in alone.source_nodes]


def test_a_fused_response_tells_what_all_its_sources_said_the_best_first():
    one = Response("a", [], {"sql_query": "SELECT 1", "of one": 1})
    two = Response("aa", [], {"sql_query": "SELECT 2", "of two": 2})
    engine = BlendedQueryEngine.from_engines(
        {"one": Says(said=one), "two": Says(said=two)},
        ranker=LONGEST,
        fuser=ScriptedFuser("aaaa"),
    )
    metadata = engine.query("q").metadata
    assert metadata["blend"]["fused"]
    assert (metadata["sql_query"], metadata["of one"], metadata["of two"]) == ("SELECT 2", 1, 2)


def test_a_stream_is_told_the_same_when_it_has_ended():
    given = Response(LONGER, [NodeWithScore(node=TextNode(text="s"))], {"sql_query": "SELECT 2"})
    engines = {"sql": Says(said=given), "x": Says(said="4")}
    streamed = BlendedQueryEngine.from_engines(engines, ranker=LONGEST, streaming=True).query("q")
    whole = BlendedQueryEngine.from_engines(engines, ranker=LONGEST).query("q")
    assert str(streamed.get_response()) == str(whole) == LONGER
    assert streamed.metadata["sql_query"] == whole.metadata["sql_query"] == "SELECT 2"
    assert streamed.metadata["blend"]["order"] == whole.metadata["blend"]["order"]


# Nothing


@WAYS
@pytest.mark.parametrize("said", [None, "Nothing is known of this."])
@pytest.mark.parametrize("streaming", [False, True])
def test_where_no_engine_finds_anything_the_response_is_llamaindexs_own(asked, said, streaming):
    one, two = (SummaryIndex([]).as_query_engine(llm=MockLLM()) for _ in range(2))
    engine = BlendedQueryEngine.from_engines(
        {"one": one, "two": two}, empty_response=said, streaming=streaming and asked is sync
    )
    assert str(asked(engine, "What is new?")) == (said or "Empty Response")


@WAYS
def test_an_engine_that_finds_nothing_is_no_error_beside_one_that_raises(asked):
    nothing = SummaryIndex([]).as_query_engine(llm=MockLLM())
    engines = {"nothing": nothing, "broken": Says(said=RuntimeError("broken"))}
    assert str(asked(BlendedQueryEngine.from_engines(engines), "q")) == "Empty Response"
    with pytest.raises(QuorumError, match="broken"):
        asked(BlendedQueryEngine.from_engines(engines, min_answers=2), "q")


def test_one_that_fails_on_every_query_is_warned_of_once(caplog):
    engines = {"broken": Says(said=RuntimeError("broken")), "x": Says(said="4")}
    engine = BlendedQueryEngine.from_engines(engines, ranker=LONGEST)
    for _ in range(5):
        told = engine.query("q").metadata["blend"]
    assert caplog.text.count("broken gave no response") == 1
    assert told["failures"] == {"broken": "RuntimeError: broken"}


# One call


def test_one_call_can_say_do_not_fuse():
    fuser = ScriptedFuser("aaaa")
    synthesizer = GenFuserSynthesizer(fuser, ranker=LONGEST)
    nodes = [NodeWithScore(node=TextNode(text=text)) for text in ("a", "aa")]
    assert str(synthesizer.synthesize("q", nodes)) == "aaaa"
    response = synthesizer.synthesize("q", nodes, fuse=False)
    assert str(response) == "aa"
    assert response.metadata["blend"]["verdict"]["reason"] == "not asked to fuse"


def test_thoughts_are_not_judged_and_kept():
    thoughts = f"<think>{'Maybe it is 5? ' * 30}</think>\n\n"
    engines = {"thinks": Says(said=f"{thoughts}4"), "says": Says(said="It is 4.")}
    response = BlendedQueryEngine.from_engines(engines, ranker=LONGEST).query("q")
    assert str(response) == "It is 4."
    only = BlendedQueryEngine.from_engines({"thinks": engines["thinks"]}, ranker=LONGEST)
    assert str(only.query("q")) == f"{thoughts}4"
