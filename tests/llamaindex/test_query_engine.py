"""Several engines as one: who answers, who fails, what is fused, what is told and traced."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from typing import Any

import pytest
from llama_index.core.base.base_query_engine import BaseQueryEngine
from llama_index.core.base.base_retriever import BaseRetriever
from llama_index.core.base.base_selector import SelectorResult, SingleSelection
from llama_index.core.base.response.schema import (
    AsyncStreamingResponse,
    Response,
    StreamingResponse,
)
from llama_index.core.callbacks import CallbackManager
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.instrumentation.span_handlers import SimpleSpanHandler
from llama_index.core.prompts import PromptTemplate
from llama_index.core.query_engine import RouterQueryEngine
from llama_index.core.response_synthesizers import BaseSynthesizer
from llama_index.core.schema import NodeWithScore, TextNode
from llama_index.core.selectors import BaseSelector
from llama_index.core.tools import QueryEngineTool
from talking_llms import Talker, says

from blender_core import PairRanker
from blender_core.errors import InputError, MemberTimeoutError, QuorumError
from blender_core.testing import ScriptedComparator, ScriptedFuser
from llamaindex_blender import (
    BlendedQueryEngine,
    GenFuserSynthesizer,
    LLMFuser,
    ResponseNode,
    ResponseRetriever,
)


def longest(pair: Any) -> float:
    return float(len(pair.first) - len(pair.second))


LONGEST = PairRanker(ScriptedComparator(longest))


class Engine(BaseQueryEngine):
    """Answers with a text, or by a function of the query; may be slow, fail, or stream."""

    def __init__(
        self, answer: Any, *, sources: tuple[str, ...] = (), seconds: float = 0.0, kind: str = ""
    ) -> None:
        super().__init__(callback_manager=CallbackManager())
        self.answer, self.sources, self.seconds, self.kind = answer, sources, seconds, kind
        self.gone = False

    def _get_prompt_modules(self) -> Any:
        return {}

    def _respond(self, query: str) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        text = self.answer(query) if callable(self.answer) else self.answer
        nodes = [
            NodeWithScore(node=TextNode(text=s, id_=s), score=0.1 * (1 + place))
            for place, s in enumerate(self.sources)
        ]
        if self.kind == "stream":
            return StreamingResponse(iter(text.split(" ")), nodes)
        return Response(text, nodes)

    def _query(self, query_bundle: Any) -> Any:
        time.sleep(self.seconds)
        return self._respond(query_bundle.query_str)

    async def _aquery(self, query_bundle: Any) -> Any:
        try:
            await asyncio.sleep(self.seconds)
        except asyncio.CancelledError:
            self.gone = True
            raise
        response = self._respond(query_bundle.query_str)
        if self.kind == "stream":

            async def words() -> Any:
                for word in response.response_gen:
                    yield word

            return AsyncStreamingResponse(words(), response.source_nodes)
        return response


def sync(engine: Any, query: str = "q") -> Any:
    return engine.query(query)


def in_a_loop(engine: Any, query: str = "q") -> Any:
    return asyncio.run(engine.aquery(query))


WAYS = pytest.mark.parametrize("asked", [sync, in_a_loop])
ENGINES = {
    "short": Engine("a", sources=("s1", "s2")),
    "long": Engine("aaa", sources=("s2", "s3")),
    "middle": Engine("aa", sources=("s4",)),
}


def blended(engines: Any = None, **settings: Any) -> BlendedQueryEngine:
    return BlendedQueryEngine.from_engines(engines or ENGINES, **{"ranker": LONGEST, **settings})


def ids(response: Any) -> list[str]:
    return [node.node.node_id for node in response.source_nodes]


@WAYS
def test_the_best_response_wins_with_its_own_sources(asked):
    response = asked(blended())
    assert str(response) == "aaa"
    assert ids(response) == ["s2", "s3"]
    told = response.metadata["blend"]
    assert told["order"] == ["long", "middle", "short"]
    assert (told["fused"], told["sources"]) == (False, ["long"])
    assert told["verdict"]["reason"] == "no fuser"


@WAYS
def test_a_better_fused_text_is_kept_with_the_sources_of_all_it_is_made_of(asked):
    response = asked(blended(fuser=ScriptedFuser("all together"), top_k=2))
    assert str(response) == "all together"
    assert ids(response) == ["s2", "s3", "s4"]
    assert [round(node.score, 1) for node in response.source_nodes] == [0.1, 0.2, 0.1]
    assert response.metadata["blend"]["sources"] == ["long", "middle"]


@WAYS
def test_a_worse_one_is_not(asked):
    response = asked(blended(fuser=ScriptedFuser("b")))
    assert str(response) == "aaa"
    assert response.metadata["blend"]["verdict"]["rejected"] == "b"
    assert str(asked(blended(fuser=ScriptedFuser("b"), verify=False))) == "b"


@WAYS
def test_an_llm_fuses_and_llms_answer(asked):
    writer = says("It is both of them, in a way.")
    response = asked(blended({"one": says("this"), "two": says("that")}, fuser=writer))
    assert str(response) == "It is both of them, in a way."
    assert "<answer-1-" in writer.asked[0]
    assert [node.node.name for node in response.source_nodes] == ["one", "two"]


@WAYS
def test_a_fuser_that_fails_costs_the_fusing(asked):
    response = asked(blended(fuser=Talker(error=RuntimeError("no credit"))))
    assert str(response) == "aaa"
    assert response.metadata["blend"]["verdict"]["error"] == "RuntimeError: no credit"


@WAYS
def test_whoever_fails_costs_only_its_own_response(asked, caplog):
    engines = {
        "raises": Engine(RuntimeError("broken index")),
        "hangs": Engine("never", seconds=5.0),
        "blank": Engine(" "),
        "nothing": Engine("Empty Response"),
        "none": Engine(None),
        "streams": Engine("word by word", kind="stream", sources=("s",)),
        "fine": Engine("fine"),
    }
    response = asked(blended(engines, timeout=0.3))
    assert str(response) == "wordbyword"
    assert ids(response) == ["s"]
    assert response.metadata["blend"]["order"] == ["streams", "fine"]
    assert "raises gave no response: RuntimeError: broken index" in caplog.text
    assert "hangs gave no response: MemberTimeoutError" in caplog.text
    for name in ("blank", "nothing", "none"):
        assert f"{name} gave no response: ValueError: gave an empty response" in caplog.text


@WAYS
def test_below_the_quorum_the_error_carries_each_ones_own(asked):
    engines = {
        "raises": Engine(KeyError("k")),
        "hangs": Engine("never", seconds=5.0),
        "fine": Engine("fine"),
    }
    with pytest.raises(QuorumError, match="1 of 3 members answered, 2 needed") as caught:
        asked(blended(engines, deadline=0.3, min_answers=2))
    assert isinstance(caught.value.failures["raises"], KeyError)
    assert isinstance(caught.value.failures["hangs"], MemberTimeoutError)


@WAYS
@pytest.mark.parametrize("verify", [True, False])
def test_streams(asked, verify):
    engine = blended(fuser=says("it is all of them"), verify=verify, streaming=True)
    if asked is sync:
        response = engine.query("q")
        pieces = list(response.response_gen)
    else:

        async def read() -> Any:
            response = await engine.aquery("q")
            return response, [piece async for piece in response.async_response_gen()]

        response, pieces = asyncio.run(read())
    assert "".join(pieces).strip() == "it is all of them"
    assert (len(pieces) > 1) is (not verify)
    assert ids(response) == ["s2", "s3", "s4", "s1"]


async def test_cancelling_leaves_nothing_behind():
    engines = {name: Engine("x", seconds=30.0) for name in ("one", "two")}
    before = asyncio.all_tasks()
    query = asyncio.create_task(blended(engines).aquery("q"))
    await asyncio.sleep(0.05)
    query.cancel()
    with pytest.raises(asyncio.CancelledError):
        await query
    assert all(engine.gone for engine in engines.values())
    gc.collect()
    assert asyncio.all_tasks() == before


async def test_a_hundred_at_once_get_their_own_responses():
    engine = blended(
        {
            "short": Engine(lambda query: f"<{query}>", seconds=0.01),
            "long": Engine(lambda query: f"<{query}> for sure", sources=("s",)),
        },
        fuser=ScriptedFuser(lambda task: f"{task.source}: {task.candidates[0].text} indeed"),
    )
    responses = await asyncio.gather(*(engine.aquery(f"question {i}") for i in range(100)))
    for i, response in enumerate(responses):
        assert str(response) == f"question {i}: <question {i}> for sure indeed"
    await asyncio.sleep(0.1)
    assert not [t for t in threading.enumerate() if t.name.startswith("blended-llm")]


def names(spans: list[Any], parent: str | None) -> list[str]:
    return [span.id_.split("-")[0] for span in spans if span.parent_id == parent]


@WAYS
def test_the_span_tree(asked):
    handler = SimpleSpanHandler()
    root = get_dispatcher()
    before = list(root.span_handlers)
    root.add_span_handler(handler)
    try:
        asked(blended({"one": says("this"), "two": ENGINES["long"]}, fuser=says("a fused text")))
    finally:
        root.span_handlers = before
    spans = handler.completed_spans
    by_id = {span.id_: span for span in spans}
    a = "a" if asked is in_a_loop else ""

    def path(span: Any) -> list[str]:
        above = path(by_id[span.parent_id]) if span.parent_id in by_id else []
        return [*above, span.id_.split("-")[0]]

    paths = {tuple(path(span)) for span in spans}
    query = (f"BlendedQueryEngine.{a}query", f"BlendedQueryEngine._{a}query")
    retrieve = (*query, f"ResponseRetriever.{a}retrieve", f"ResponseRetriever._{a}retrieve")
    for expected in [
        (*retrieve, f"Talker.{a}complete"),
        (*retrieve, f"Engine.{a}query", f"Engine._{a}query"),
        (*query, f"PairRankerRerank._{a}postprocess_nodes"),
        (*query, f"GenFuserSynthesizer.{a}synthesize", f"Talker.{a}predict"),
    ]:
        assert expected in paths, sorted(paths)
    synthesizing = [
        p for p in paths if p[-1] == f"Talker.{a}chat" and "GenFuserSynthesizer" in str(p)
    ]
    assert synthesizing


# The parts by themselves


def test_responses_are_nodes_with_their_names_and_sources():
    nodes = ResponseRetriever(ENGINES).retrieve("q")
    assert [node.node.name for node in nodes] == ["short", "long", "middle"]
    assert all(isinstance(node.node, ResponseNode) for node in nodes)
    assert [n.node.node_id for n in nodes[0].node.source_nodes] == ["s1", "s2"]
    from llama_index.core.schema import MetadataMode

    assert nodes[0].node.get_content(metadata_mode=MetadataMode.LLM) == "a"
    again = ResponseNode.from_dict(nodes[0].node.to_dict())
    assert (again.name, len(again.source_nodes)) == ("short", 2)


@pytest.mark.parametrize(
    ("members", "settings", "words"),
    [
        ({}, {}, "'members' is empty"),
        ([says("a")], {}, "must map names to query engines or LLMs, got list"),
        ({"a": "gpt"}, {}, "member 'a' must be a query engine or an LLM, got str"),
        ({"a": says("a")}, {"min_answers": 2}, "'min_answers' is 2 of only 1"),
    ],
)
def test_members_are_checked(members, settings, words):
    with pytest.raises(InputError, match=words):
        ResponseRetriever(members, **settings)


def test_what_is_no_fuser_or_ranker_is_refused():
    with pytest.raises(InputError, match="fuser must be a Fuser or None, got str"):
        GenFuserSynthesizer("gpt")
    with pytest.raises(InputError, match="'ranker' must be a Ranker or None, got str"):
        GenFuserSynthesizer(ranker="mini")
    with pytest.raises(InputError, match="'prompt' is for an LLM"):
        GenFuserSynthesizer(prompt=PromptTemplate("{question} {answers}"))
    with pytest.raises(InputError, match=r"the prompt has no variable \['answers'\]"):
        LLMFuser(says("a"), prompt=PromptTemplate("{question}"))


def test_they_are_what_llamaindex_takes_for_them():
    assert BaseRetriever in ResponseRetriever.__mro__
    assert BaseSynthesizer in GenFuserSynthesizer.__mro__
    assert BaseQueryEngine in BlendedQueryEngine.__mro__


@WAYS
def test_prompts_can_be_updated_through_the_engine(asked):
    writer = says("a fused text")
    engine = blended(fuser=writer)
    assert list(engine.get_prompts()) == ["response_synthesizer:fusion_prompt"]
    prompt = PromptTemplate("Mix {answers} for {question}")
    engine.update_prompts({"response_synthesizer:fusion_prompt": prompt})
    assert str(asked(engine)) == "a fused text"
    assert writer.asked[0].startswith("Mix <answer-1-")


@WAYS
def test_a_synthesizer_ranks_what_nobody_ranked(asked):
    nodes = [NodeWithScore(node=TextNode(text=t, id_=t)) for t in ("a", "ccc", "bb")]
    synthesizer = GenFuserSynthesizer(ranker=LONGEST)
    if asked is sync:
        response = synthesizer.synthesize("q", nodes)
        nothing = synthesizer.synthesize("q", [])
    else:
        response = asyncio.run(synthesizer.asynthesize("q", nodes))
        nothing = asyncio.run(synthesizer.asynthesize("q", []))
    assert (str(response), ids(response)) == ("ccc", ["ccc"])
    assert str(nothing) == "Empty Response"


class Both(BaseSelector):
    def _get_prompts(self) -> Any:
        return {}

    def _update_prompts(self, prompts: Any) -> None:
        """There are none."""

    def _select(self, choices: Any, query: Any) -> SelectorResult:
        return SelectorResult(
            selections=[SingleSelection(index=i, reason="") for i in range(len(choices))]
        )

    async def _aselect(self, choices: Any, query: Any) -> SelectorResult:
        return self._select(choices, query)


@WAYS
def test_a_router_takes_it_as_its_summarizer(asked):
    tools = [QueryEngineTool.from_defaults(engine, name=n) for n, engine in ENGINES.items()]
    router = RouterQueryEngine(
        selector=Both(),
        query_engine_tools=tools,
        llm=says("unused"),
        summarizer=GenFuserSynthesizer(says("a fused text"), ranker=LONGEST),
    )
    assert str(asked(router)) == "a fused text"
