"""Training of a late comparator: lists of answers are read once and compared with each other."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from blender_core.comparison.late.checkpoint import write_late
from blender_core.comparison.late.comparator import LateComparator, joined
from blender_core.comparison.late.reading import Item, Reading
from blender_core.comparison.late.regression import style_regression
from blender_core.comparison.late.style import style
from blender_core.models.batching import pack
from blender_core.models.devices import pick_batch_tokens, pick_device
from blender_core.models.files import read_weights, tensors_into
from blender_core.training.config import RankerConfig
from blender_core.training.dev import DevPairs
from blender_core.training.log import TrainingLog
from blender_core.training.losses import LOSSES
from blender_core.training.optimizer import freeze_lowest, freeze_unread, ranker_groups
from blender_core.training.pairs import JudgedPair
from blender_core.training.run import Reporter, Run

__all__ = ["LateRun", "start_style"]

_PADDING = 0.15


class LateRun(Run):
    """The training of a late comparator.

    A batch is some lists of at most `list_size` answers to one question each. Each answer is read
    once, and all judged pairs of a list are compared: N(N - 1)/2 lessons for N readings.

    Args:
        ranker: float32, on the CPU.
        config: of the training.
        log: to be filled.
        pairs: to learn from.
        dev: to measure on.
        report: takes sentences.
        show_progress: whether to draw a bar on stderr.
    """

    def __init__(
        self,
        ranker: LateComparator,
        config: RankerConfig,
        log: TrainingLog,
        pairs: Sequence[JudgedPair],
        dev: DevPairs,
        *,
        report: Reporter,
        show_progress: bool,
    ) -> None:
        self.ranker_config = config
        self.ranker = ranker
        self.dev = dev
        self.lists = _Lists(pairs, config.list_size, config.seed)
        freeze_unread(ranker.model)
        freeze_lowest(ranker.model, config.frozen_layers)
        tokens = pick_batch_tokens(config.max_batch_tokens, pick_device(config.device))
        super().__init__(
            _Learner(ranker, tokens),
            config,
            log,
            self.lists,
            _Batches(ranker),
            best=config.best,
            higher_is_better=config.best != "loss",
            frozen_steps=config.head_warmup_steps,
            report=report,
            show_progress=show_progress,
        )
        self._loss = LOSSES[config.loss]

    def begin_epoch(self, epoch: int) -> None:
        """Other lists."""
        self.lists.begin(epoch)

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
        """Mean loss of the answers in a batch, an answer's being that of its pairs."""
        logits = model(inputs["readings"], inputs["style"], inputs["sides"])[:, None]
        first, second = inputs["targets"].unbind(dim=1)
        loss = self._loss(logits, torch.zeros_like(logits), first, second)
        result: Tensor = (inputs["weights"] * loss).sum()
        return result

    def measure(self) -> dict[str, float]:
        """Figures of the pairs of dev."""
        judge = LateComparator(
            self.ranker.model,
            self.ranker.encoding,
            device=self.args.device,
            dtype="float32",
        )
        with self.autocast_smart_context_manager():
            logits = judge.logits([judged.pair for judged in self.dev.pairs])
        self.model.train()
        return self.dev.figures(logits, -logits)

    def write_model(self, folder: Path) -> None:
        """In the layout of late comparators."""
        write_late(folder, self.ranker.model, self.ranker.encoding)

    def read_model(self, folder: Path) -> None:
        """From that layout."""
        tensors_into(self.ranker.model, read_weights(folder), folder)


class _Learner(nn.Module):
    """From readings to logits of pairs, as one module, so that it can be distributed."""

    def __init__(self, ranker: LateComparator, max_batch_tokens: int) -> None:
        super().__init__()
        self.late = ranker.model
        self.max_batch_tokens = max_batch_tokens
        self.marker_place = ranker.encoding.marker_place

    def forward(self, readings: Sequence[Reading], figures: Tensor, sides: Tensor) -> Tensor:
        """Logits, float32[pairs], of the pairs of places in `readings`, int64[pairs, 2]."""
        batches = pack([len(one) for one in readings], self.max_batch_tokens, _PADDING)
        parts = [
            self.late.read([readings[k] for k in batch], figures[batch], self.marker_place)
            for batch in batches
        ]
        order = torch.tensor([k for batch in batches for k in batch], device=sides.device)
        place = order.argsort()[sides]
        read = joined(parts)
        return self.late.compare(read.take(place[:, 0]), read.take(place[:, 1]))


class _Lists(Sequence[list[JudgedPair]]):
    """The pairs in lists: those between a few answers of one record, others in each epoch."""

    def __init__(self, pairs: Sequence[JudgedPair], size: int, seed: int) -> None:
        self._by_record: dict[int, list[JudgedPair]] = {}
        for pair in pairs:
            self._by_record.setdefault(pair.record, []).append(pair)
        self._size = size
        self._seed = seed
        self._answers = {
            record: sorted({index for pair in some for index in pair.indices})
            for record, some in self._by_record.items()
        }
        self._count = sum(-(-len(answers) // size) for answers in self._answers.values())
        self.begin(0)

    def begin(self, epoch: int) -> None:
        chance = np.random.default_rng([self._seed, epoch])
        self._lists: list[list[JudgedPair]] = []
        for record, of_record in self._by_record.items():
            answers = self._answers[record]
            count = -(-len(answers) // self._size)
            shuffled = chance.permutation(answers).tolist()
            part_of = {index: place % count for place, index in enumerate(shuffled)}
            parts: list[list[JudgedPair]] = [[] for _ in range(count)]
            for pair in of_record:
                one, other = (part_of[index] for index in pair.indices)
                if one == other:
                    parts[one].append(pair)
            self._lists += [part for part in parts if part]
        # Where few pairs are judged, chance can part all answers that belong together; the length
        # stays the same all the same.
        repeats = itertools.cycle(list(self._lists))
        self._lists += itertools.islice(repeats, self._count - len(self._lists))

    def __len__(self) -> int:
        return len(self._lists)

    def __getitem__(self, place: Any) -> Any:
        return self._lists[place]


class _Batches:
    """From lists of judged pairs to what a pass needs."""

    def __init__(self, ranker: LateComparator) -> None:
        self._encoding = ranker.encoding
        self._style = _Styles()

    def __call__(self, lists: list[list[JudgedPair]]) -> dict[str, Any]:
        items: dict[Item, int] = {}
        sides, weights, targets = [], [], []
        for judged in lists:
            before = len(items)
            for one in judged:
                sides.append([items.setdefault(item, len(items)) for item in _items(one)])
                targets.append(one.targets)
            answers = len(items) - before
            weights += [one.weight * answers / len(judged) for one in judged]
        read = list(items)
        return {
            "readings": self._encoding(read),
            "style": torch.from_numpy(self._style(read)),
            "sides": torch.tensor(sides).reshape(-1, 2),
            "targets": torch.tensor(targets).reshape(-1, 2, 1),
            "weights": torch.tensor(weights) / max(1, len(read)),
        }


class _Styles:
    """Figures of style, each answer's computed once."""

    def __init__(self) -> None:
        self._known: dict[Item, NDArray[np.float32]] = {}

    def __call__(self, items: Sequence[Item]) -> NDArray[np.float32]:
        for item in items:
            if item not in self._known:
                self._known[item] = style(*item)
        return np.stack([self._known[item] for item in items])


def start_style(ranker: LateComparator, pairs: Sequence[JudgedPair]) -> None:
    """Give the style of an answer the weight that a logistic regression on pairs finds.

    What the encoder learns then comes on top of it.

    Args:
        ranker: whose model is changed.
        pairs: with preferences and weights.
    """
    found = style_regression(
        [judged.pair for judged in pairs],
        [judged.preference for judged in pairs],
        [judged.weight for judged in pairs],
        [judged.record for judged in pairs],
    )
    model = ranker.model
    model.style_mean.copy_(torch.from_numpy(found.mean))
    model.style_scale.copy_(torch.from_numpy(found.scale))
    model.style_layer.weight.data.copy_(torch.from_numpy(found.weights)[None])


def _items(judged: JudgedPair) -> tuple[Item, Item]:
    pair = judged.pair
    return (pair.instruction, pair.first), (pair.instruction, pair.second)
