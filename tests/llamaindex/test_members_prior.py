"""What is known of those who respond: reranking, engines blended, LLMs blended."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.schema import NodeWithScore, TextNode
from pydantic import ValidationError
from talking_llms import says

from blender_core import MemberPrior, PairRanker
from blender_core.testing import ScriptedComparator, ScriptedFuser
from llamaindex_blender import BlendedLLM, BlendedQueryEngine, PairRankerRerank, ResponseNode

LONGER = PairRanker(ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second))))
PRIOR = MemberPrior((("short", "long", 20.0, None, 20.0),), weight=10.0)
TEXTS = {"long": "a long text", "short": "a text"}


def responses() -> list[NodeWithScore]:
    return [NodeWithScore(node=ResponseNode(text=text, name=name)) for name, text in TEXTS.items()]


def best(rerank: PairRankerRerank, nodes: Any) -> str:
    found = rerank.postprocess_nodes(nodes, query_str="q")
    asynced = asyncio.run(rerank.apostprocess_nodes(nodes, query_str="q"))
    assert [node.text for node in asynced] == [node.text for node in found]
    return found[0].text


def test_a_record_counts_beside_the_text_in_reranking(tmp_path):
    rerank = PairRankerRerank(ranker=LONGER, members_prior=PRIOR)
    assert best(rerank, responses()) == "a text"
    assert best(PairRankerRerank(ranker=LONGER), responses()) == "a long text"
    # Passages were written by nobody who is known.
    passages = [NodeWithScore(node=TextNode(text=text)) for text in TEXTS.values()]
    assert best(rerank, passages) == "a long text"
    PRIOR.save(tmp_path / "prior.json")
    by_path = PairRankerRerank(ranker=LONGER, members_prior=str(tmp_path / "prior.json"))
    assert best(by_path, responses()) == "a text"
    by_path.members_prior = None
    assert best(by_path, responses()) == "a long text"


def test_what_is_known_is_saved_with_a_reranker(tmp_path):
    for given in (PRIOR, str(tmp_path / "prior.json")):
        rerank = PairRankerRerank(model="m", members_prior=given)
        assert PairRankerRerank.from_json(rerank.to_json()).members_prior == given


def test_engines_are_blended_with_their_records():
    engines = {name: says(text) for name, text in TEXTS.items()}
    longer = "It opened in 1874."
    for fuser, text in ((None, "a text"), (longer, longer), ("x", "a text")):
        engine = BlendedQueryEngine.from_engines(
            engines,
            ranker=LONGER,
            members_prior=PRIOR,
            fuser=None if fuser is None else ScriptedFuser(fuser),
        )
        assert str(engine.query("q")) == text
        assert str(asyncio.run(engine.aquery("q"))) == text


def test_llms_are_blended_with_their_records(tmp_path):
    members = {name: says(text) for name, text in TEXTS.items()}
    PRIOR.save(tmp_path / "prior.json")
    asked = [ChatMessage("q")]
    for given in (PRIOR, tmp_path / "prior.json"):
        llm = BlendedLLM(members=members, ranker=LONGER, members_prior=given)
        for response in (llm.chat(asked), asyncio.run(llm.achat(asked))):
            assert response.message.content == "a text"
            parts = response.additional_kwargs["blend"]["score_parts"]
            assert parts["members"]["short"] > 0 > parts["text"]["short"]
    plain = BlendedLLM(members=members, ranker=LONGER).chat(asked)
    assert plain.message.content == "a long text"
    with pytest.raises(ValidationError, match="No such file"):
        BlendedLLM(members=members, members_prior=tmp_path / "nothing.json")
