"""Documents, a vector store, a keyword index, a summary index, LLMs behind a network: blended."""

from __future__ import annotations

import warnings
from typing import Any

import pytest
from retrieval_pipeline import QUESTIONS, client, engines

from llamaindex_blender import BlendedQueryEngine


@pytest.fixture(scope="module")
def parts(port) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # what Qdrant says of its own local mode
        yield engines(client(port, "reader"))


def right(response: Any, answer: str) -> bool:
    return answer in str(response)


def test_the_blend_is_right_at_least_as_often_as_the_best_engine(parts):
    blend = BlendedQueryEngine.from_engines(parts)
    found: dict[str, int] = dict.fromkeys([*parts, "blend"], 0)
    for one in QUESTIONS:
        query, answer = one["question"], one["answer"]
        responses = {name: engine.query(query) for name, engine in parts.items()}
        response = blend.query(query)
        assert str(response) in {str(r) for r in responses.values()}
        [winner] = response.metadata["blend"]["sources"]
        sources = {node.node.node_id for node in responses[winner].source_nodes}
        assert {node.node.node_id for node in response.source_nodes} == sources
        for name, given in {**responses, "blend": response}.items():
            found[name] += right(given, answer)
    assert len(QUESTIONS) == 30
    assert found["blend"] >= max(found[name] for name in parts), found
    assert found["blend"] > 20


async def test_async_gives_the_same(parts):
    blend = BlendedQueryEngine.from_engines(parts)
    for one in QUESTIONS[:5]:
        response = await blend.aquery(one["question"])
        assert str(response) == str(blend.query(one["question"]))
        assert response.source_nodes


def test_a_fused_text_keeps_the_sources_of_all(parts, port):
    blend = BlendedQueryEngine.from_engines(
        parts, fuser=client(port, "fine", "writer"), verify=False
    )
    response = blend.query(QUESTIONS[0]["question"])
    assert str(response).startswith("writer says: ")
    assert sorted(response.metadata["blend"]["sources"]) == ["keyword", "summary", "vector"]
    all_sources = {
        node.node.node_id
        for engine in parts.values()
        for node in engine.query(QUESTIONS[0]["question"]).source_nodes
    }
    assert {node.node.node_id for node in response.source_nodes} == all_sources
