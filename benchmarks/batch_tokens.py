"""Tokens a second for different token budgets of a batch, by length of row: choose the default."""

from __future__ import annotations

from benchmarks.models import cross_encoder, seconds, text
from blender_core.candidates import Pair

BUDGETS = (1, 256, 512, 1024, 2048, 4096, 8192)


def main() -> None:
    encoder = cross_encoder(layers=2, device=None)
    print(f"on {encoder.device}, {encoder.dtype}")
    print("tokens a second relative to one row at a time (budget 1)")
    print(f"{'row':>6}" + "".join(f"{budget:>8}" for budget in BUDGETS))
    for length, count in ((80, 96), (200, 40), (500, 16), (1000, 8)):
        third = length // 3 - 3
        pairs = [
            Pair(text(third, 1), text(third, 2 * k), text(third, 2 * k + 1)) for k in range(count)
        ]
        times = dict.fromkeys(BUDGETS, float("inf"))
        for _ in range(3):
            for budget in BUDGETS:
                encoder.max_batch_tokens = budget
                times[budget] = min(times[budget], seconds(lambda: encoder.logits(pairs), 1))  # noqa: B023
        print(f"{length:>6}" + "".join(f"{times[1] / times[budget]:>8.2f}" for budget in BUDGETS))
