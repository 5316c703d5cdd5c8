"""Blending: the gate never lets fusing make an answer worse, and nothing but fusing is lost."""

from __future__ import annotations

import asyncio
import json
import threading
import time

import numpy as np
import pytest
from golden_data import CHECKPOINTS

from blender_core import Blender, Candidate, ConsensusRanker, GenFuser, PairRanker, Ranker, Task
from blender_core.belief.calibrator import Calibrator
from blender_core.comparison.cross_encoder import CrossEncoder
from blender_core.errors import InputError, ModelOutputError
from blender_core.fusion.fuser import Fuser
from blender_core.outcomes import Blend
from blender_core.ranking.wrapper import RankerWrapper
from blender_core.testing import ScriptedComparator, ScriptedFuser

UTILITY = {
    "bad": 0.0,
    "fair": 1.0,
    "good": 2.0,
    "great": 3.0,
    "fused": 9.0,
    "worse": -1.0,
    "": -9.0,
}
ANSWERS = [Candidate("fair", "m1"), Candidate("great", "m2"), "bad", Candidate("good", "m3")]


@pytest.fixture(params=["sync", "async"])
def blend_many(request):
    """Every scenario runs through both drivers."""

    def sync(blender: Blender, tasks: list[Task], **options) -> list[Blend]:
        return blender.blend_many(tasks, **options)

    def through_asyncio(blender: Blender, tasks: list[Task], **options) -> list[Blend]:
        return asyncio.run(blender.ablend_many(tasks, **options))

    return sync if request.param == "sync" else through_asyncio


def blender(fuser: Fuser | None, bias: float = 0.0, **options) -> Blender:
    return Blender(PairRanker(ScriptedComparator(UTILITY, bias)), fuser, **options)


def test_the_best_are_fused_and_the_fused_text_is_kept_if_it_wins(blend_many):
    fuser = ScriptedFuser("fused")
    blend = blend_many(blender(fuser, top_k=3), [Task("q", ANSWERS, "with input")])[0]
    assert (blend.text, blend.fused) == ("fused", True)
    assert blend.sources == ("m2", "m3", "m1")
    assert [c.text for c in fuser.tasks[0].candidates] == ["great", "good", "fair"]
    assert (fuser.tasks[0].instruction, fuser.tasks[0].input) == ("q", "with input")
    assert blend.verdict.reason == "fused text won"
    assert (blend.verdict.fused_first, blend.verdict.fused_second) == (6.0, -6.0)
    assert blend.ranking.best.text == "great"


def test_a_fused_text_that_loses_is_turned_down(blend_many):
    blend = blend_many(blender(ScriptedFuser("worse")), [Task("q", ANSWERS)])[0]
    assert (blend.text, blend.fused, blend.sources) == ("great", False, ("m2",))
    assert (blend.verdict.reason, blend.verdict.rejected) == ("fused text lost", "worse")


@pytest.mark.parametrize("bias", [-7.0, 7.0])
def test_winning_in_one_order_only_is_not_winning(blend_many, bias):
    blend = blend_many(blender(ScriptedFuser("fused"), bias), [Task("q", ANSWERS)])[0]
    assert not blend.fused
    assert blend.verdict.reason == "fused text lost"


def test_a_copy_of_the_top_answer_is_no_improvement(blend_many):
    blend = blend_many(blender(ScriptedFuser("great")), [Task("q", ANSWERS)])[0]
    assert (blend.text, blend.fused) == ("great", False)


def test_without_verifying_whatever_is_written_is_kept(blend_many):
    blend = blend_many(blender(ScriptedFuser("worse"), verify=False), [Task("q", ANSWERS)])[0]
    assert (blend.text, blend.fused) == ("worse", True)
    assert blend.verdict.reason == "fused text kept without a check"


@pytest.mark.parametrize(
    ("answers", "options", "reason"),
    [
        (["good"], {}, "one answer to fuse"),
        (["good", "good"], {}, "the best answers are the same"),
        (["good", "bad"], {"fuse": False}, "not asked to fuse"),
    ],
)
def test_where_there_is_nothing_to_fuse_the_fuser_is_not_asked(
    blend_many, answers, options, reason
):
    fuser = ScriptedFuser("fused")
    blend = blend_many(blender(fuser), [Task("q", answers)], **options)[0]
    assert (blend.text, blend.fused, blend.verdict.reason) == ("good", False, reason)
    assert blend.sources == ("answer 0",)
    assert fuser.tasks == []


def test_top_one_is_one_answer(blend_many):
    fuser = ScriptedFuser("fused")
    blend = blend_many(blender(fuser, top_k=1), [Task("q", ANSWERS)])[0]
    assert (blend.verdict.reason, fuser.tasks) == ("one answer to fuse", [])


def test_without_a_fuser_the_best_is_returned(blend_many):
    blend = blend_many(blender(None), [Task("q", ANSWERS)])[0]
    assert (blend.text, blend.verdict.reason) == ("great", "no fuser")


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_an_empty_fused_text_is_turned_down_unasked(blend_many, text):
    blend = blend_many(blender(ScriptedFuser(text), verify=False), [Task("q", ANSWERS)])[0]
    assert (blend.text, blend.verdict.reason) == ("great", "fused text is empty")


def test_a_failing_fuser_costs_the_fusing_and_only_where_it_fails(blend_many):
    def write(task: Task) -> str:
        if task.instruction == "breaks":
            raise ConnectionError("the fuser is away")
        return "fused"

    tasks = [Task(name, ANSWERS) for name in ("works", "breaks", "works too")]
    blends = blend_many(blender(ScriptedFuser(write)), tasks)
    assert [blend.fused for blend in blends] == [True, False, True]
    assert blends[1].text == "great"
    assert blends[1].verdict.reason == "fusing failed"
    assert blends[1].verdict.error == "ConnectionError: the fuser is away"


def test_a_failing_ranker_is_an_error(blend_many):
    comparator = ScriptedComparator(lambda pair: UTILITY[pair.first])
    with pytest.raises(KeyError, match="a"):
        blend_many(Blender(PairRanker(comparator)), [Task("q", ["a", "b"])])


def test_many_tasks_are_ranked_fused_and_checked_together(blend_many):
    comparator = ScriptedComparator(UTILITY)
    fuser = ScriptedFuser("fused")
    tasks = [Task(f"q{n}", ANSWERS[: 1 + n % 4]) for n in range(40)]
    blends = blend_many(Blender(PairRanker(comparator), fuser), tasks)
    assert [blend.fused for blend in blends] == [n % 4 > 0 for n in range(40)]
    assert len(comparator.calls) == 2  # one to rank all, one to check all fused texts
    assert [t.instruction for t in fuser.tasks] == [f"q{n}" for n in range(40) if n % 4]


def test_one_task():
    scripted = blender(ScriptedFuser("fused"))
    assert scripted.blend("q", ANSWERS).text == "fused"
    assert asyncio.run(scripted.ablend("q", ANSWERS, fuse=False)).text == "great"


def test_blending_does_not_block_the_event_loop():
    threads = set()

    class Slow(ScriptedComparator):
        def logits(self, pairs):
            threads.add(threading.current_thread())
            return super().logits(pairs)

    asyncio.run(Blender(PairRanker(Slow(UTILITY))).ablend("q", ANSWERS))
    assert threading.main_thread() not in threads


def test_an_asynchronous_comparator_is_awaited():
    class Remote(ScriptedComparator):
        awaited = 0

        async def alogits(self, pairs):
            self.awaited += 1
            await asyncio.sleep(0)
            return self.logits(pairs)

    remote = Remote(UTILITY)
    blend = asyncio.run(Blender(PairRanker(remote), ScriptedFuser("fused")).ablend("q", ANSWERS))
    assert (blend.text, remote.awaited) == ("fused", 2)


def test_consensus_judges_a_fused_text_among_all_answers():
    answers = ["the sky is blue", "the sky is blue today", "the sky looks blue", "grass"]
    ranker = ConsensusRanker()
    off_topic = Blender(ranker, ScriptedFuser("bananas")).blend("sky?", answers)
    assert off_topic.verdict.reason == "fused text lost"
    better = Blender(ranker, ScriptedFuser("the sky is blue")).blend("sky?", answers[1:])
    assert better.fused


def test_real_models_end_to_end(pairrm_float32: CrossEncoder):
    fuser = GenFuser.from_pretrained(CHECKPOINTS / "tiny-gen-fuser")
    real = Blender(PairRanker(pairrm_float32), fuser, verify=False)
    blends = real.blend_many([Task("hello", ["hi", "go away", "bye"]), Task("a", ["b", "c"])])
    assert all(blend.fused and blend.text for blend in blends)
    verified = Blender(PairRanker(pairrm_float32), fuser).blend("hello", ["hi", "go away", "bye"])
    first, second = verified.verdict.fused_first, verified.verdict.fused_second
    assert first is not None
    assert second is not None
    assert verified.fused == (first > 0 > second)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Blender("PairRM"), "ranker must be a Ranker, got str"),
        (lambda: blender("gen_fuser"), "fuser must be a Fuser or None, got str"),
        (lambda: blender(None, top_k=0), "'top_k' must be a whole number of at least 1, got 0"),
        (lambda: blender(None).blend("q", []), "'candidates' is empty"),
        (lambda: blender(None).blend("q", "abc"), "must be a list of answers, got one str"),
        (lambda: blender(None).blend(None, ["a"]), "'instruction' must be a str, got NoneType"),
        (
            lambda: blender(None).blend("q", ["a", None]),
            r"'candidates\[1\]' must be a str or a Candidate, got NoneType",
        ),
        (lambda: blender(None).blend_many(["q"]), "expected a Task, got str"),
        (lambda: PairRanker("llm-blender/PairRM"), "use PairRanker.from_pretrained"),
    ],
)
def test_wrong_arguments_are_named(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_a_comparator_of_the_wrong_shape_is_named():
    class Wrong:
        def logits(self, pairs):
            return [0.0]

    with pytest.raises(ModelOutputError, match=r"was asked 2 pairs and answered with shape \(1,\)"):
        PairRanker(Wrong()).rank("q", ["a", "b"])


def test_a_duel_asks_both_orders_whatever_the_schedule():
    class OneOrder:
        def rounds(self, lengths):
            yield [(0, k) for k in range(1, len(lengths))]

    ranker = PairRanker(ScriptedComparator(UTILITY), schedule=OneOrder())
    assert ranker.compare("q", "great", "fair") == 2.0
    assert Blender(ranker, ScriptedFuser("fused")).blend("q", ["fair", "good"]).fused


@pytest.mark.parametrize("wrong", [[None], [], ["a", "b"], None, "text", [b"bytes"]])
def test_a_fuser_that_writes_something_else_costs_the_fusing(blend_many, wrong):
    class Wrong(Fuser):
        def fuse_many(self, tasks):
            return wrong

    blend = blend_many(blender(Wrong()), [Task("q", ANSWERS)])[0]
    assert (blend.text, blend.verdict.reason) == ("great", "fusing failed")
    assert "the fuser was to write 1 texts and gave" in blend.verdict.error


def test_a_fuser_that_is_away_is_not_asked_for_every_task(blend_many):
    calls = []

    class Away(Fuser):
        def fuse_many(self, tasks):
            calls.append(len(tasks))
            raise ConnectionError("away")

    blends = blend_many(blender(Away()), [Task(f"q{n}", ANSWERS) for n in range(100)])
    assert {blend.verdict.reason for blend in blends} == {"fusing failed"}
    assert calls == [100, 1, 1, 1]


def test_a_duel_that_cannot_be_judged_is_not_won(blend_many):
    def judge(pair):
        return float("nan") if "fused" in (pair.first, pair.second) else 1.0

    ranker = PairRanker(ScriptedComparator(judge))
    blend = blend_many(Blender(ranker, ScriptedFuser("fused")), [Task("q", ["a", "b"])])[0]
    assert (blend.fused, blend.verdict.reason) == (False, "fused text could not be compared")


def test_answers_by_name_keep_their_names(blend_many):
    answers = {"model-a": "fair", "model-b": "great"}
    blend = blend_many(blender(None), [Task("q", answers)])[0]
    assert (blend.text, blend.sources) == ("great", ("model-b",))


@pytest.mark.parametrize("candidates", [{"a", "b"}, b"ab", 3, None])
def test_what_is_no_list_of_answers_is_refused(candidates):
    with pytest.raises(InputError, match="'candidates' must be a list of answers, got one"):
        Task("q", candidates)


def test_one_task_in_place_of_a_list_is_refused():
    with pytest.raises(InputError, match="expected a list of Tasks, got one Task"):
        blender(None).blend_many(Task("q", ["a"]))


def test_a_ranker_of_the_users_own_needs_rank_many_only(blend_many):
    class Shortest(Ranker):
        def rank_many(self, tasks):
            lengths = ScriptedComparator(lambda pair: len(pair.second) - len(pair.first))
            return PairRanker(lengths).rank_many(tasks)

    blend = blend_many(Blender(Shortest(), ScriptedFuser("a")), [Task("q", ["ccc", "bb"])])[0]
    assert (blend.text, blend.fused) == ("a", True)


async def test_cancelling_stops_the_work_after_its_batch():
    class Slow:
        batches = 0

        def logits(self, pairs):
            raise AssertionError

        def iter_logits(self, pairs):
            for place in range(len(pairs)):
                self.batches += 1
                time.sleep(0.02)
                yield np.array([place]), np.zeros(1, dtype=np.float32)

    slow = Slow()
    ranking = asyncio.create_task(PairRanker(slow).arank_many([Task("q", list("abcdefghij"))]))
    await asyncio.sleep(0.1)
    ranking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await ranking
    seen = slow.batches
    await asyncio.sleep(0.3)
    assert slow.batches <= seen + 1 < 90


# --- fused texts that answer nothing ------------------------------------------------------------

REFUSAL = "I'm sorry, but I can't help with that."
SAID = ["The bridge was opened in 1874.", "It opened in 1874."]
REFUSING = Blender(
    PairRanker(ScriptedComparator(lambda pair: float(len(pair.first) - len(pair.second)))),
    ScriptedFuser(REFUSAL),
)


@pytest.mark.parametrize("verify", [True, False])
@pytest.mark.parametrize("nothing", [REFUSAL, "I don't know.", "[insert answer here]"])
def test_a_fused_text_that_answers_nothing_is_turned_down_whatever_the_ranker_says(
    blend_many, verify, nothing
):
    always = ScriptedComparator(lambda pair: 1.0 if pair.first == nothing else -1.0)
    one = Blender(PairRanker(always), ScriptedFuser(nothing), verify=verify)
    [blend] = blend_many(one, [Task("When?", SAID)])
    assert (blend.text, blend.fused, blend.sources) == (SAID[0], False, ("answer 0",))
    assert blend.verdict.reason == "fused text answers nothing"
    assert (blend.verdict.rejected, blend.verdict.fused_first) == (nothing, None)


def test_where_the_best_answer_is_a_refusal_the_fused_text_may_be_one(blend_many):
    others = ["I can't help with that.", "I cannot help you with this request."]
    [blend] = blend_many(REFUSING, [Task("How do I rob a bank?", others)])
    assert blend.verdict.reason == "fused text won"
    [blend] = blend_many(
        Blender(REFUSING.ranker, REFUSING.fuser, verify=False), [Task("How?", others)]
    )
    assert (blend.text, blend.fused) == (REFUSAL, True)


def test_the_command_line_says_so():
    from rich.console import Console

    from blender_core.cli.blend import _as_json
    from blender_core.cli.views import blend_view

    task = Task("When?", SAID)
    [blend] = REFUSING.blend_many([task])
    assert _as_json(blend, matrix=False)["verdict"]["reason"] == "fused text answers nothing"
    console = Console(width=200)
    with console.capture() as capture:
        console.print(blend_view("1", task, blend))
    assert "fused text answers nothing" in capture.get()


def test_a_fused_text_must_win_clearly():
    def ranker(lead, calibrator=None):
        scripted = ScriptedComparator({"a": 0.0, "b": -1.0, "fused text": lead})
        return PairRanker(scripted, calibrator=calibrator)

    def verdict(lead, confidence=None, calibrator=None):
        blender = Blender(
            ranker(lead, calibrator), ScriptedFuser("fused text"), confidence=confidence
        )
        blend = blender.blend("q", ["a", "b"])
        assert blend.fused is (blend.verdict.reason == "fused text won")
        return blend.verdict

    # Nobody knows what an uncalibrated margin means: what wins is kept, unless it is asked for.
    assert verdict(0.04).reason == "fused text won"
    assert verdict(0.04).probability == pytest.approx(0.51, abs=1e-3)
    assert verdict(0.04, confidence=0.6).reason == "fused text won too narrowly"
    assert verdict(0.04, confidence=0.6).rejected == "fused text"
    assert verdict(1.0, confidence=0.6).reason == "fused text won"
    # With a calibrator it is known, and a coin toss is not enough.
    assert verdict(0.04, calibrator=Calibrator(1.0)).reason == "fused text won too narrowly"
    assert verdict(0.3, calibrator=Calibrator(1.0)).reason == "fused text won"
    assert verdict(0.3, calibrator=Calibrator(4.0)).reason == "fused text won too narrowly"
    assert verdict(-0.3, calibrator=Calibrator(1.0)).reason == "fused text lost"
    for bad in (0.4, 1.0, "much"):
        with pytest.raises(InputError, match="confidence"):
            Blender(ranker(1.0), confidence=bad)


def test_rankings_and_blends_are_plain_json():
    ranker = PairRanker(ScriptedComparator({"a": 2.0, "b": 1.0, "c": 0.0}), schedule="bubble")
    blend = Blender(ranker).blend("q", {"m": "a", "n": "b", "o": "c"})
    told = json.loads(json.dumps(blend.as_dict(), allow_nan=False))
    assert told.keys() == {"text", "fused", "sources", "verdict", "ranking"}
    assert told["verdict"]["reason"] == "no fuser"
    ranking = told["ranking"]
    assert ranking == json.loads(json.dumps(blend.ranking.as_dict(), allow_nan=False))
    assert ranking["candidates"][0] == {"text": "a", "source": "m"}
    assert (ranking["order"], ranking["ranks"]) == ([0, 1, 2], [1, 2, 3])
    asked = blend.ranking.matrix
    assert [[cell is None for cell in row] for row in ranking["matrix"]] == np.isnan(asked).tolist()
    assert ranking["probability_best"] == list(blend.ranking.probability_best)


class NotLoaded(RankerWrapper):
    """Ranks, cannot compare, and whoever asks for its calibrator would wait for ever."""

    @property
    def calibrator(self):
        raise AssertionError("nothing was compared, so nothing has to be calibrated")

    def duel_many(self, duels):
        raise TimeoutError("still loading")

    async def aduel_many(self, duels):
        raise TimeoutError("still loading")


@pytest.mark.parametrize(
    ("fuser", "reason"),
    [(None, "no fuser"), (ScriptedFuser("fused"), "fused text could not be compared")],
)
def test_where_nothing_was_compared_nobody_waits_for_a_calibrator(blend_many, fuser, reason):
    ranker = NotLoaded(PairRanker(ScriptedComparator(UTILITY)))
    [blend] = blend_many(Blender(ranker, fuser), [Task("q", ["good", "bad"])])
    assert (blend.text, blend.verdict.reason) == ("good", reason)
