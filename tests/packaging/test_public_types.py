"""What type checkers see of the public names; ``nox -s types`` has mypy check this file, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage
from llama_index.core.schema import NodeWithScore, TextNode
from numpy.typing import NDArray
from typing_extensions import assert_type

from blender_core import (
    Active,
    Blend,
    Blender,
    Candidate,
    ConsensusRanker,
    Pair,
    PairRanker,
    Ranking,
    Task,
    Verdict,
)
from blender_core.members import Replies, ask
from blender_core.ranking.schedules import Rounds
from blender_core.testing import ScriptedFuser
from langchain_blender import BlendedChatModel
from llamaindex_blender import PairRankerRerank

QUESTION = "What is the capital of Australia?"
ANSWERS: list[Candidate | str] = ["Canberra.", Candidate("It is Canberra.", source="b")]


class Mine:
    """A schedule and a comparator as a user writes them: no base class, no registration."""

    def rounds(self, lengths: Sequence[int]) -> Rounds:
        yield [(0, other) for other in range(1, len(lengths))]
        return None

    def logits(self, pairs: Sequence[Pair]) -> NDArray[np.float32]:
        return np.ones(len(pairs), dtype=np.float32)


def test_a_ranking() -> None:
    ranking = assert_type(ConsensusRanker().rank(QUESTION, ANSWERS), Ranking)
    assert_type(ranking.order, tuple[int, ...])
    assert_type(ranking.ranks, tuple[int, ...])
    assert_type(ranking.scores, tuple[float, ...])
    assert_type(ranking.matrix, NDArray[np.float32])
    assert_type(ranking.passes, int)
    assert_type(ranking.best, Candidate)
    assert_type(ranking.best.source, str | None)
    assert_type(ranking.confidence, float)
    many = ConsensusRanker().rank_many([Task(QUESTION, ANSWERS)])
    assert assert_type(many, list[Ranking])[0].order == ranking.order


def test_parts_that_a_user_brings() -> None:
    ranker = PairRanker(Mine(), schedule=Mine())
    assert assert_type(ranker.rank(QUESTION, ANSWERS), Ranking).passes == 1
    assert assert_type(ranker.compare(QUESTION, "a", "b"), float) == 0
    assert ranker.rank(QUESTION, ANSWERS, schedule=Active(max_passes=2)).passes <= 2


def test_a_blend() -> None:
    blender = Blender(ConsensusRanker(), ScriptedFuser("Canberra is."), top_k=2)
    blend = assert_type(blender.blend(QUESTION, ANSWERS), Blend)
    assert_type(blend.text, str)
    assert_type(blend.fused, bool)
    assert_type(blend.verdict, Verdict)
    assert_type(blend.sources, tuple[str, ...])
    pieces = assert_type(blender.stream(QUESTION, ANSWERS), Iterator[str | Blend])
    assert isinstance([*pieces][-1], Blend)


def test_members() -> None:
    members: dict[str, Callable[[int], str]] = {"one": str, "two": hex}
    asked = assert_type(ask(members, 3), Replies[str])
    assert asked.answers == {"one": "3", "two": "0x3"}


def test_langchain() -> None:
    members = {"a": FakeListChatModel(responses=["Canberra."])}
    model = BlendedChatModel(members=members, ranker=ConsensusRanker())
    assert assert_type(model.invoke(QUESTION), AIMessage).content == "Canberra."


def test_llamaindex() -> None:
    found = [NodeWithScore(node=TextNode(text="Canberra."))]
    rerank = PairRankerRerank(ranker=ConsensusRanker())
    best = rerank.postprocess_nodes(found, query_str=QUESTION)
    assert len(assert_type(best, list[NodeWithScore])) == 1
