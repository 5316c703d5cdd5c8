"""Two questions with eight answers of 60 to 250 tokens, whole, against the original's loop."""

from __future__ import annotations

import random
import time
from functools import wraps
from typing import Any

import numpy as np
import torch

from benchmarks.models import cross_encoder, encoder_flops, peak_flops, text
from blender_core.candidates import Pair, Task
from blender_core.comparison.cross_encoder import CrossEncoder
from blender_core.comparison.encoders import PlainEncoder
from blender_core.models.batching import pack, padding_share
from blender_core.ranking.aggregation import max_logits
from blender_core.ranking.matrix import order_and_ranks
from blender_core.ranking.pair_ranker import PairRanker

LAYERS = 6
ANSWERS = 8


def one_pass_a_position(encoder: CrossEncoder, tasks: list[Task]) -> list[np.ndarray]:
    """What the original does: a forward pass a pair (i, j), its rows the inputs, padded."""
    plain = PlainEncoder(encoder.model.pretrained_model, encoder.pairs.marker_place, 0)
    matrices = [np.zeros((ANSWERS, ANSWERS), dtype=np.float32) for _ in tasks]
    for i in range(ANSWERS):
        for j in range(ANSWERS):
            if i == j:
                continue
            pairs = [Pair(t.source, t.candidates[i].text, t.candidates[j].text) for t in tasks]
            with torch.inference_mode():
                logits = encoder.model(encoder.pairs.encode(pairs), plain)
            for matrix, logit in zip(matrices, logits.tolist(), strict=True):
                matrix[i, j] = logit
    return matrices


def main() -> None:
    encoder = cross_encoder(LAYERS)
    rng = random.Random(0)
    tasks = [
        Task(text(40, q), [text(rng.randint(60, 250), 100 * q + a) for a in range(ANSWERS)])
        for q in (1, 2)
    ]
    inside = 0.0
    layered: Any = encoder._encoder

    def timed(work: Any) -> Any:
        @wraps(type(work).__call__)
        def run(*arguments: Any) -> Any:
            nonlocal inside
            start = time.perf_counter()
            result = work(*arguments)
            inside += time.perf_counter() - start
            return result

        if hasattr(work, "at"):
            vars(run)["at"] = timed(work.at)
        return run

    # All that is not in the layers themselves counts as overhead: tokenizing, padding, embeddings.
    layered._layers = [*map(timed, layered._layers)]
    ranker = PairRanker(encoder)
    ours, overhead, theirs, peaks = [], [], [], []
    for _ in range(2):
        inside = 0.0
        start = time.perf_counter()
        rankings = ranker.rank_many(tasks)
        ours.append(time.perf_counter() - start)
        overhead.append(1 - inside / ours[-1])
        peaks.append(peak_flops())
        start = time.perf_counter()
        matrices = one_pass_a_position(encoder, tasks)
        theirs.append(time.perf_counter() - start)
    difference = max(
        float(np.abs(r.matrix - m).max()) for r, m in zip(rankings, matrices, strict=True)
    )
    same = all(
        r.ranks == order_and_ranks(max_logits(m).tolist())[1]
        for r, m in zip(rankings, matrices, strict=True)
    )
    texts = [[candidate.text for candidate in task.candidates] for task in tasks]
    pairs = [
        Pair(task.source, a, b)
        for task, answers in zip(tasks, texts, strict=True)
        for a in answers
        for b in answers
        if a != b
    ]
    lengths = [len(row) for row in encoder.pairs.encode(pairs)]
    padding = padding_share(lengths, pack(lengths, encoder.max_batch_tokens))
    half = len(lengths) // 2
    their_padding = padding_share(lengths, [[k, k + half] for k in range(half)])
    share = encoder_flops(lengths, LAYERS) / min(ours) / max(peaks)
    print(f"rows of {min(lengths)} to {max(lengths)} tokens, {len(lengths)} pairs")
    faster = min(theirs) / min(ours)
    print(f"original's loop {min(theirs):.1f} s, ours {min(ours):.1f} s: {faster:.2f}x")
    print(f"pairs a second: {len(lengths) / min(theirs):.2f} and {len(lengths) / min(ours):.2f}")
    print(f"of the matrix product's peak: {share:.0%}")
    print(f"padding computed: {their_padding:.1%} and {padding:.1%}")
    print(f"time outside the encoder's layers: {min(overhead):.2%}")
    print(f"logits differ by at most {difference:.1e}, ranks equal: {same}")
