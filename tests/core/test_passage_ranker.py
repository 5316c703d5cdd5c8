"""PassageRanker: what a retriever found, by how relevant it is to the question."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from blender_core import PassageRanker, Task
from blender_core.cli.app import app
from blender_core.errors import InputError, ModelOutputError

READ = json.loads((Path(__file__).parents[1] / "data" / "passages.json").read_text("utf-8"))
PASSAGES: list[str] = READ["passages"]
QUESTIONS: list[str] = [one["question"] for one in READ["questions"]]
GOLD: list[int] = [one["gold"] for one in READ["questions"]]

CONSOLE = "Administrators open the console in a browser on 8443."
TEA = "Tea is served in the garden at five o'clock."


@pytest.fixture(scope="module")
def ranker() -> PassageRanker:
    return PassageRanker()


@pytest.fixture(scope="module")
def closeness(ranker) -> np.ndarray:
    """Cosines of the questions with the passages, as a vector store has them."""
    asked, held = ranker.encoder.encode(QUESTIONS), ranker.encoder.encode(PASSAGES)
    asked /= np.linalg.norm(asked, axis=1, keepdims=True)
    held /= np.linalg.norm(held, axis=1, keepdims=True)
    return asked @ held.T


def beside(size: int, cosines: np.ndarray, seed: int | None) -> list[list[int]]:
    """For each question, its passage and others: the closest ones, or some by chance."""
    rng = random.Random(seed)
    found = []
    for gold, row in zip(GOLD, cosines, strict=True):
        others = [int(place) for place in np.argsort(-row) if place != gold]
        kept = others[: size - 1] if seed is None else rng.sample(others, size - 1)
        found.append(sorted([gold, *kept]))
    return found


@pytest.mark.parametrize("seed", [None, 0, 1, 2])
@pytest.mark.parametrize("size", [5, 10, 50])
def test_the_right_passage_is_first_at_least_as_often_as_by_embeddings(
    ranker, closeness, size, seed
):
    chosen = beside(size, closeness, seed)
    by_embedding = sum(
        places[int(row[places].argmax())] == gold
        for places, row, gold in zip(chosen, closeness, GOLD, strict=True)
    )
    tasks = [
        Task(question, [PASSAGES[place] for place in places])
        for question, places in zip(QUESTIONS, chosen, strict=True)
    ]
    ours = sum(
        ranking.best.text == PASSAGES[gold]
        for ranking, gold in zip(ranker.rank_many(tasks), GOLD, strict=True)
    )
    assert ours >= by_embedding
    if seed is None:
        # These were chosen to mislead: words in common are with the wrong ones.
        assert by_embedding < 10
        assert ours > by_embedding


def test_a_score_is_a_probability_and_means_something_alone(ranker):
    question = "Which port does the admin console use?"
    together = ranker.rank(question, [TEA, CONSOLE])
    assert together.absolute
    assert together.scores[1] > 0.5
    assert 0.0 < together.scores[0] < 0.1
    for place, passage in enumerate([TEA, CONSOLE]):
        [alone] = ranker.rank(question, [passage]).scores
        assert alone == pytest.approx(together.scores[place], abs=1e-5)
    assert together.is_calibrated
    assert together.probability(1, 0) > 0.9
    assert together.matrix[1, 0] == -together.matrix[0, 1] > 0


def test_codes_and_numbers_tell_passages_apart(ranker):
    passages = [f"{code}: see chapter {n} for how to go on." for n, code in enumerate(CODES)]
    for place, code in enumerate(CODES):
        assert ranker.rank(f"What should I do about {code}?", passages).order[0] == place


CODES = ["E0417", "E0471", "E0714", "E1407"]


def test_the_best_window_of_a_long_passage_counts(ranker):
    filler = " ".join(TEA for _ in range(90))
    for hidden in (f"{filler} {CONSOLE} {filler}", f"{filler} {CONSOLE}"):
        ranking = ranker.rank("Which port does the admin console use?", [filler, hidden])
        assert ranking.order == (1, 0)
        assert ranking.scores[1] > 1.5 * ranking.scores[0]


def test_windows_leave_no_token_out(ranker):
    encoder = ranker.encoder
    for words in (0, 1, 253, 254, 255, 318, 319, 700):
        text = " ".join(["tea"] * words)
        vectors, starts = encoder.encode_windows([text, "x"])
        assert starts.tolist() == [0, len(vectors) - 1, len(vectors)]
        room, shared = 254, 64  # 256 tokens, two of which are the encoder's own
        assert len(vectors) - 1 == max(1, -(-(words - shared) // (room - shared)))
    short = encoder.encode_windows(PASSAGES[:3])[0]
    assert short == pytest.approx(encoder.encode(PASSAGES[:3]), abs=1e-5)


def test_blank_passages_are_last_and_copies_tie(ranker):
    ranking = ranker.rank("Which port?", ["", CONSOLE, " \n", CONSOLE, TEA])
    assert ranking.ranks == (4, 1, 4, 1, 3)
    assert ranking.scores[1] == ranking.scores[3]
    assert ranking.passes == 4
    assert ranker.rank("", [CONSOLE, TEA]).order in {(0, 1), (1, 0)}


def test_a_result_does_not_depend_on_what_is_asked_beside_it(ranker):
    tasks = [Task(q, PASSAGES[start : start + 7]) for q, start in zip(QUESTIONS, GOLD, strict=True)]
    together = ranker.rank_many(tasks)
    for one, task in zip(together[:3], tasks, strict=False):
        [alone] = ranker.rank_many([task])
        assert one.order == alone.order
        assert one.scores == pytest.approx(alone.scores, abs=1e-5)
        turned = ranker.rank(task.instruction, task.candidates[::-1])
        assert turned.scores[::-1] == pytest.approx(one.scores, abs=1e-5)
    assert ranker.rank_many([]) == []


async def test_async_is_the_same(ranker):
    ranking = await ranker.arank("Which port?", [CONSOLE, TEA])
    assert ranking.scores == ranker.rank("Which port?", [CONSOLE, TEA]).scores


def test_what_is_wrong_is_named(ranker, monkeypatch):
    with pytest.raises(InputError, match="expected a Task"):
        ranker.rank_many(["no task"])
    broken = PassageRanker(ranker.encoder)
    monkeypatch.setattr(
        ranker.encoder, "encode", lambda texts: np.full((len(texts), 384), np.nan, np.float32)
    )
    with pytest.raises(ModelOutputError, match=r"NaN or infinity for 1 of 1 texts.*float32"):
        broken.rank("Which port?", [TEA])


def test_the_command_line_ranks_passages():
    asked = ["--instruction", "Which port does the admin console use?"]
    given = ["--candidate", TEA, "--candidate", CONSOLE]
    done = CliRunner().invoke(app, ["rank", *asked, *given, "--ranker", "passages"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["order"] == [1, 0]
    assert told["scores"][1] > 0.5 > told["scores"][0]
    wrong = ["rank", *asked, *given, "--ranker", "passages", "--schedule", "bubble"]
    refused = CliRunner().invoke(app, wrong)
    assert refused.exit_code == 2
    assert "--schedule is for pairwise rankers" in refused.stderr
