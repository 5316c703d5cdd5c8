"""Blends that stream: tokens where nothing can take them back, else the whole answer at last."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from watching import watched_loop

from blender_core import Blend, Blender, Fuser, PairRanker
from blender_core.testing import ScriptedComparator, ScriptedFuser


class PieceFuser(Fuser):
    """Writes in pieces; an exception among them is raised."""

    def __init__(self, *pieces: str | Exception) -> None:
        self.pieces = pieces
        self.closed = False

    def fuse_many(self, tasks):
        return ["".join(map(str, self.pieces)) for _ in tasks]

    def stream(self, instruction, candidates) -> Iterator[str]:
        try:
            for piece in self.pieces:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            self.closed = True


def longest(pair: Any) -> float:
    return float(len(pair.first) - len(pair.second))


def blender(fuser: Fuser | None, *, verify: bool) -> Blender:
    return Blender(PairRanker(ScriptedComparator(longest)), fuser, verify=verify)


def sync(blender: Blender, **options: Any) -> list[str | Blend]:
    return list(blender.stream("q", ["a", "bb"], **options))


def in_a_loop(blender: Blender, **options: Any) -> list[str | Blend]:
    async def collected() -> list[str | Blend]:
        return [part async for part in blender.astream("q", ["a", "bb"], **options)]

    return asyncio.run(collected())


Way = Callable[..., list[Any]]
WAYS = pytest.mark.parametrize("streamed", [sync, in_a_loop])


@WAYS
def test_without_a_check_the_pieces_come_as_they_are_written(streamed: Way):
    *pieces, blend = streamed(blender(PieceFuser("c", "c", "c"), verify=False))
    assert pieces == ["c", "c", "c"]
    assert (blend.text, blend.fused) == ("ccc", True)
    assert blend.verdict.reason == "fused text kept without a check"


@WAYS
@pytest.mark.parametrize(("written", "text"), [("ccc", "ccc"), ("c", "bb")])
def test_with_a_check_nothing_comes_before_it(streamed: Way, written, text):
    [blend] = streamed(blender(PieceFuser(*written), verify=True))
    assert blend.text == text


@WAYS
@pytest.mark.parametrize("verify", [True, False])
def test_a_picked_answer_is_the_blend_alone(streamed: Way, verify):
    [blend] = streamed(blender(None, verify=verify))
    assert (blend.text, blend.verdict.reason) == ("bb", "no fuser")
    [blend] = streamed(blender(PieceFuser("ccc"), verify=verify), fuse=False)
    assert (blend.text, blend.verdict.reason) == ("bb", "not asked to fuse")


@WAYS
def test_a_fuser_that_fails_before_its_first_words_costs_the_fusing(streamed: Way):
    [blend] = streamed(blender(PieceFuser(" ", ValueError("away")), verify=False))
    assert blend.text == "bb"
    assert blend.verdict.error == "ValueError: away"


@WAYS
def test_after_them_its_error_is_raised(streamed: Way):
    with pytest.raises(ValueError, match="away"):
        streamed(blender(PieceFuser("c", ValueError("away")), verify=False))


@WAYS
def test_blank_pieces_are_held_back(streamed: Way):
    *pieces, blend = streamed(blender(PieceFuser("", " ", "c"), verify=False))
    assert (pieces, blend.text) == ([" c"], " c")
    [blend] = streamed(blender(PieceFuser("", " "), verify=False))
    assert (blend.text, blend.verdict.reason) == ("bb", "fused text is empty")


SAID = ["It opened in 1874, I think.", "The bridge was opened in 1874."]


def said(way: Way, *pieces: str, answers: list[str] = SAID) -> list[str | Blend]:
    """What comes of a fused text in pieces, without a check."""
    one = Blender(PairRanker(ScriptedComparator(longest)), PieceFuser(*pieces), verify=False)
    if way is sync:
        return list(one.stream("When?", answers))

    async def collected() -> list[str | Blend]:
        return [part async for part in one.astream("When?", answers)]

    return asyncio.run(collected())


@WAYS
@pytest.mark.parametrize(
    "refusal",
    [
        "I'm sorry, but I can't help with that.",
        "I don't know.",
        "The provided context does not contain information to answer this question.",
        "Unfortunately, I cannot answer this question.",
    ],
)
def test_a_refusal_is_not_shown_where_there_is_an_answer(streamed: Way, refusal):
    [blend] = said(streamed, *refusal)
    assert (blend.text, blend.fused) == (SAID[1], False)
    assert (blend.verdict.reason, blend.verdict.rejected) == ("fused text answers nothing", refusal)
    [blend] = said(streamed, *refusal, answers=["I don't know.", "I don't know that."])
    assert (blend.text, blend.fused) == (refusal, True)


@WAYS
def test_what_begins_like_a_refusal_and_answers_is_shown_when_it_does(streamed: Way):
    written = ["I'm ", "told that the bridge opened in 1874", ".", " It replaced", " an older one."]
    *pieces, blend = said(streamed, *written)
    assert pieces == ["".join(written[:3]), *written[3:]]
    assert (blend.text, blend.fused, type(blend.text)) == ("".join(written), True, str)
    # Short of its first sentence's end, it is the blend's text all the same.
    [blend] = said(streamed, "I am ", "told that the bridge opened in 1874")
    assert (blend.text, blend.fused) == ("I am told that the bridge opened in 1874", True)


@WAYS
def test_what_is_out_is_not_taken_back(streamed: Way):
    written = ["Honestly", ", I don't know", "."]
    *pieces, blend = said(streamed, *written)
    assert (pieces, blend.text, blend.fused) == (written, "".join(written), True)


@WAYS
def test_a_fuser_that_cannot_stream_gives_one_piece(streamed: Way):
    *pieces, blend = streamed(blender(ScriptedFuser("ccc"), verify=False))
    assert (pieces, blend.fused) == (["ccc"], True)


def test_leaving_early_closes_the_fuser():
    fuser = PieceFuser("c", "c", "c")
    stream = blender(fuser, verify=False).stream("q", ["a", "bb"])
    assert next(stream) == "c"
    stream.close()
    assert fuser.closed


async def test_leaving_early_ends_the_thread():
    class Endless(PieceFuser):
        def stream(self, instruction, candidates):
            try:
                while True:
                    yield "c"
                    time.sleep(0.005)
            finally:
                self.closed = True

    fuser = Endless()
    stream = blender(fuser, verify=False).astream("q", ["a", "bb"])
    assert await anext(stream) == "c"
    await stream.aclose()
    for _ in range(200):
        if fuser.closed:
            break
        await asyncio.sleep(0.01)
    assert fuser.closed
    assert not [t for t in threading.enumerate() if t.name == "blended-llm-stream"]


async def test_the_loop_goes_on_while_a_fuser_writes():
    class Slow(PieceFuser):
        def stream(self, instruction, candidates):
            for piece in self.pieces:
                time.sleep(0.2)
                yield piece

    async with watched_loop() as watch:
        async for _ in blender(Slow("a", "b", "c"), verify=False).astream("q", ["a", "bb"]):
            pass
    assert watch.late < 0.15
