"""Training of a pairwise ranker (LLM-Blender, section 3.2)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from blender_core.candidates import Pair
from blender_core.comparison.checkpoints.own import write_own
from blender_core.comparison.cross_encoder import CrossEncoder
from blender_core.comparison.encoding import PairEncoder, Row
from blender_core.errors import InputError
from blender_core.models.batching import pack
from blender_core.models.devices import pick_batch_tokens, pick_device
from blender_core.models.files import read_weights, tensors_into
from blender_core.training.config import RankerConfig
from blender_core.training.dev import DevPairs, records_of
from blender_core.training.late_trainer import LateRun, start_style
from blender_core.training.log import TrainingLog
from blender_core.training.losses import LOSSES, symmetry_loss
from blender_core.training.optimizer import freeze_lowest, freeze_unread, ranker_groups
from blender_core.training.pairs import (
    JudgedPair,
    check_scores,
    debiased,
    judged_pairs,
    longer_wins,
)
from blender_core.training.resuming import folder_to_resume
from blender_core.training.run import Reporter, Run
from blender_core.training.spoilt_pairs import spoilt_pairs
from blender_core.training.start import late_to_train, ranker_to_train
from blender_core.training.worth_trainer import WorthRun, worth_to_train

__all__ = ["train_ranker"]

_PADDING = 0.15
"""Share of a part of a batch that may be padding: less of it makes more and smaller passes."""


def train_ranker(
    config: RankerConfig,
    *,
    resume: bool = False,
    report: Reporter = lambda _: None,
    show_progress: bool = False,
) -> Path:
    """Train a pairwise ranker.

    The output folder gets ``training.json`` (the log), ``checkpoint-<step>`` (each loads with
    `PairRanker.from_pretrained`) and in the end ``model``.

    Args:
        config: what to do.
        resume: go on from the last checkpoint in the output folder.
        report: takes sentences about how it goes.
        show_progress: whether to draw a bar on stderr.

    Returns:
        The folder of the best model on dev, or without dev of the last.

    Raises:
        InputError: config or data are not usable.
        CheckpointError: the model to start from is not readable.
        NotSavedError: a checkpoint could not be written; earlier ones are intact.
        TrainingInterrupted: by Ctrl-C; a checkpoint was written.
    """
    resume_from = folder_to_resume(config, resume=resume)
    log = TrainingLog(config, "ranker")
    if resume_from is not None:
        log.check_resumable()
    generator = torch.Generator().manual_seed(config.seed)
    records = records_of(config.train)
    check_scores(records, [*(config.scores or ()), *config.tasks])
    drawn = judged_pairs(records, config, generator)
    pairs = debiased(drawn, config, generator)
    if not pairs:
        raise InputError(
            f"{', '.join(map(str, config.train))}: in none of the {len(records)} records is it "
            "known which of two answers is better"
        )
    spoilt = spoilt_pairs(records, config)
    dev = DevPairs(config)
    log.content["examples"] = {
        "train": {
            "records": len(records),
            "pairs": len(pairs),
            "pairs before length debiasing": len(drawn),
            "spoilt pairs": len(spoilt),
            "longer answer wins": longer_wins(pairs),
            "longer answer wins before length debiasing": longer_wins(drawn),
        },
        "dev": {"records": len(dev.qualities), "pairs": len(dev.pairs)},
    }
    report(f"learning from {len(pairs)} pairs of {len(records)} records")
    run: Run
    watched: Any = {"report": report, "show_progress": show_progress}
    if config.architecture == "worth":
        worth = worth_to_train(config)
        return WorthRun(worth, config, log, pairs, spoilt, dev, **watched).run(resume_from)
    pairs += spoilt
    if config.architecture == "late":
        late = late_to_train(config)
        if resume_from is None and late.is_new:
            start_style(late.ranker, pairs)
        run = LateRun(late.ranker, config, log, pairs, dev, **watched)
    else:
        ranker = ranker_to_train(config)
        run = _RankerRun(ranker, config, log, pairs, dev, **watched)
    return run.run(resume_from)


class _Learner(nn.Module):
    """From rows to the scores of both answers, as one module, so that it can be distributed."""

    def __init__(self, ranker: CrossEncoder, max_batch_tokens: int) -> None:
        super().__init__()
        self.pair = ranker.model
        self.max_batch_tokens = max_batch_tokens
        self._encoder = self.pair.encoder(
            ranker.pairs.marker_place,
            self.pair.pretrained_model.config.pad_token_id or 0,
            inference=False,
        )

    def forward(self, rows: Sequence[Row]) -> tuple[Tensor, Tensor]:
        """Scores of first and second answer, float32[len(rows), n_tasks] each."""
        parts = pack([len(row) for row in rows], self.max_batch_tokens, _PADDING)
        vectors = torch.cat([self._encoder([rows[k] for k in part]) for part in parts])
        order = torch.tensor(list(chain.from_iterable(parts)), device=vectors.device)
        return self.pair.scores(vectors[order.argsort()])


class _Shuffled(Sequence[JudgedPair]):
    """The pairs, every other one by chance with its answers swapped, others in each epoch."""

    def __init__(self, pairs: Sequence[JudgedPair], seed: int) -> None:
        self._pairs = pairs
        self._seed = seed
        self.begin(0)

    def begin(self, epoch: int) -> None:
        self._swap = np.random.default_rng([self._seed, epoch]).random(len(self._pairs)) < 0.5

    def __len__(self) -> int:
        return len(self._pairs)

    def __getitem__(self, place: Any) -> Any:
        pair = self._pairs[place]
        return pair.swapped if self._swap[place] else pair


class _Batches:
    """From judged pairs to what a pass needs; with both orders, all are followed by all swapped."""

    def __init__(self, pairs: PairEncoder, *, both_orders: bool) -> None:
        self.pairs = pairs
        self.both_orders = both_orders

    def __call__(self, judged: list[JudgedPair]) -> dict[str, Any]:
        shown: list[Pair] = [one.pair for one in judged]
        if self.both_orders:
            shown += [one.swapped.pair for one in judged]
        return {
            "weights": torch.tensor([one.weight for one in judged]),
            "targets": torch.tensor([one.targets for one in judged]),
            "rows": self.pairs.encode(shown),
        }


class _RankerRun(Run):
    """The training of a cross-encoder on pairs."""

    def __init__(
        self,
        ranker: CrossEncoder,
        config: RankerConfig,
        log: TrainingLog,
        pairs: list[JudgedPair],
        dev: DevPairs,
        *,
        report: Reporter,
        show_progress: bool,
    ) -> None:
        self.ranker_config = config
        self.ranker = ranker
        self.dev = dev
        self.pairs = _Shuffled(pairs, config.seed)
        freeze_unread(ranker.model)
        freeze_lowest(ranker.model, config.frozen_layers)
        place = pick_device(config.device)
        tokens = pick_batch_tokens(config.max_batch_tokens, place)
        super().__init__(
            _Learner(ranker, tokens),
            config,
            log,
            self.pairs,
            _Batches(ranker.pairs, both_orders=config.symmetry > 0.0),
            best=config.best,
            higher_is_better=config.best != "loss",
            frozen_steps=config.head_warmup_steps,
            report=report,
            show_progress=show_progress,
        )
        self._loss = LOSSES[config.loss]

    def begin_epoch(self, epoch: int) -> None:
        """Another order of the answers."""
        self.pairs.begin(epoch)

    def groups(self) -> list[dict[str, Any]]:
        """By layer."""
        return ranker_groups(self.ranker.model, self.ranker_config)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: ARG002  (the trainer's signature)
        num_items_in_batch: Any = None,  # noqa: ARG002
    ) -> Tensor:
        """Mean loss of a batch, with pairs by their weights."""
        left, right = model(inputs["rows"])
        first, second = inputs["targets"].unbind(dim=1)
        count = len(first)
        loss = self._loss(left[:count], right[:count], first, second)
        if len(left) > count:
            swapped = self._loss(left[count:], right[count:], second, first)
            logits = (left - right).mean(dim=-1)
            symmetry = symmetry_loss(logits[:count], logits[count:])
            loss = (loss + swapped) / 2.0 + self.ranker_config.symmetry * symmetry
        result: Tensor = (inputs["weights"] * loss).mean()
        return result

    def measure(self) -> dict[str, float]:
        """Figures of the pairs of dev, both orders."""
        judge = CrossEncoder(
            self.ranker.model,
            self.ranker.pairs.tokenizer,
            self.ranker.pairs.limits,
            self.ranker.pairs.markers,
            device=self.args.device,
            dtype="float32",
        )
        pairs = [judged.pair for judged in self.dev.pairs]
        logits = judge.logits([*pairs, *(judged.swapped.pair for judged in self.dev.pairs)])
        self.model.train()
        return self.dev.figures(logits[: len(pairs)], logits[len(pairs) :])

    def write_model(self, folder: Path) -> None:
        """In our own layout."""
        encoding = self.ranker.pairs
        write_own(folder, self.ranker.model, encoding.tokenizer, encoding.markers, encoding.limits)

    def read_model(self, folder: Path) -> None:
        """From our own layout."""
        tensors_into(self.ranker.model, read_weights(folder), folder)

    def training_step(self, model: Any, inputs: Any, num_items_in_batch: Any = None) -> Any:
        """One pass; while the encoder's rate is 0, without the way back through it."""
        if self.args.world_size == 1:  # distributed modules do not like parameters to come and go
            frozen = self.state.global_step < self.frozen_steps
            for weight in self._encoder_weights:
                weight.requires_grad_(not frozen)
        return super().training_step(model, inputs, num_items_in_batch)

    @property
    def _encoder_weights(self) -> list[nn.Parameter]:
        head = {id(weight) for weight in self.ranker.model.head_layer.parameters()}
        groups = self.optimizer.param_groups
        return [w for group in groups for w in group["params"] if id(w) not in head]
