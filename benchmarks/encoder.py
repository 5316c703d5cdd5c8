"""Our DeBERTa against transformers' own, one pair at a time, float32, 6 of 24 layers."""

from __future__ import annotations

import torch

from benchmarks.models import cross_encoder, encoder_flops, peak_flops, seconds, text
from blender_core.candidates import Pair
from blender_core.comparison.encoders import PlainEncoder

LAYERS = 6


def main() -> None:
    ours = cross_encoder(LAYERS)
    theirs = PlainEncoder(ours.model.pretrained_model, ours.pairs.marker_place, 0)
    print(
        f"{'tokens':>6} {'theirs':>9} {'ours':>9} {'faster':>7} {'of peak':>8}   logits differ by"
    )
    for tokens in (150, 300, 500):
        third = tokens // 3 - 3
        pair = Pair(text(third, 1), text(third, 2), text(third, 3))
        rows = ours.pairs.encode([pair])
        with torch.inference_mode():
            difference = (ours.model(rows, ours._encoder) - ours.model(rows, theirs)).abs().max()
            # Runs of the three take turns, so that a change of the machine's speed hits all.
            times = [
                (
                    seconds(lambda: ours.model(rows, theirs), 1),  # noqa: B023  (run at once)
                    seconds(lambda: ours.model(rows, ours._encoder), 1),  # noqa: B023
                    peak_flops(),
                )
                for _ in range(7)
            ]
        plain, fast = min(t[0] for t in times), min(t[1] for t in times)
        peak = max(t[2] for t in times)
        share = encoder_flops([len(rows[0])], LAYERS) / fast / peak
        print(
            f"{len(rows[0]):>6} {plain * 1e3:>6.0f} ms {fast * 1e3:>6.0f} ms {plain / fast:>6.2f}x "
            f"{share:>7.0%}   {difference:.1e}"
        )
