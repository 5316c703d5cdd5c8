"""Blends with real checkpoints of the published layouts (tiny ones) as ranker and fuser."""

from __future__ import annotations

import pytest
import torch
from golden_data import CHECKPOINTS
from talking_models import Talker

from blender_core import GenFuser, PairRanker
from langchain_blender import Blend, BlendedChatModel, BlendedLLM

torch.set_num_threads(1)


@pytest.fixture(scope="module")
def ranker() -> PairRanker:
    return PairRanker.from_pretrained(CHECKPOINTS / "tiny-PairRM-hf")


@pytest.fixture(scope="module")
def fuser() -> GenFuser:
    return GenFuser.from_pretrained(CHECKPOINTS / "tiny-gen-fuser")


def members() -> list[Talker]:
    return [Talker(says=lambda question, n=n: f"Answer {n} to {question}") for n in range(3)]


@pytest.mark.parametrize("kind", [Blend, BlendedChatModel, BlendedLLM])
async def test_the_stream_is_the_text_that_the_fuser_writes_with_one_beam(kind, ranker, fuser):
    model = kind(members=members(), ranker=ranker, fuser=fuser, verify=False)
    order = ranker.rank("why?", [f"Answer {n} to why?" for n in range(3)]).order
    best = [f"Answer {n} to why?" for n in order]
    expected = fuser.fuse("why?", best, num_beams=1)

    def text(chunks: list[object]) -> str:
        return "".join(c if isinstance(c, str) else str(c.text) for c in chunks)

    assert text(list(model.stream("why?"))) == expected
    assert text([chunk async for chunk in model.astream("why?")]) == expected


async def test_the_gate_decides_by_the_same_ranker(ranker, fuser):
    model = BlendedChatModel(members=members(), ranker=ranker, fuser=fuser)
    for answer in (model.invoke("why?"), await model.ainvoke("why?")):
        told = answer.response_metadata["blend"]
        verdict = told["verdict"]
        won = verdict["fused_first"] > 0 > verdict["fused_second"]
        assert told["fused"] is won
        assert (verdict["reason"] == "fused text won") is won
        assert told["passes"] == 6


async def test_concurrent_calls_of_a_real_ranker_are_those_of_single_ones(ranker):
    import asyncio

    model = BlendedChatModel(members=members(), ranker=ranker)
    together = await asyncio.gather(*(model.ainvoke(f"question {n}?") for n in range(12)))
    for n, answer in enumerate(together):
        alone = ranker.rank(f"question {n}?", [f"Answer {m} to question {n}?" for m in range(3)])
        assert answer.text == alone.best.text
        scores = list(answer.response_metadata["blend"]["scores"].values())
        assert scores == pytest.approx(list(alone.scores), abs=1e-5)
