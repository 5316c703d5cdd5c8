"""Training of what answers are worth: a head on the readings of an encoder that stays as it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from blender_core.comparison.checkpoints.layouts import WORTH_FORMAT, is_pairwise
from blender_core.comparison.late.reading import Item
from blender_core.comparison.read_once import items_of
from blender_core.comparison.worth.checkpoint import write_worth
from blender_core.comparison.worth.comparator import WorthComparator
from blender_core.comparison.worth.inputs import WorthInputs, figures
from blender_core.comparison.worth.model import WorthHead, WorthModel
from blender_core.comparison.worth.reading import PART, TextReader
from blender_core.errors import InputError
from blender_core.models.files import read_json, read_weights, resolve, tensors_into
from blender_core.models.tokenizer import TextTokenizer
from blender_core.models.vocabulary import vocabulary_file, vocabulary_in
from blender_core.training.config import RankerConfig
from blender_core.training.dev import DevPairs
from blender_core.training.kept_readings import KeptReadings
from blender_core.training.log import TrainingLog
from blender_core.training.optimizer import freeze_all_but, head_groups
from blender_core.training.pairs import JudgedPair
from blender_core.training.run import Reporter, Run
from blender_core.training.start import encoder_of, seeded

__all__ = ["WorthRun", "worth_to_train"]

READINGS_NAME = "readings"
"""Folder in a training's output for what the encoder has read."""

_AT_ONCE = 4096
"""Answers whose worth is computed at once on dev."""

_FAULT_COST = 0.5
"""What a logit of fault costs, found in an answer that judges compared with another."""

_KEPT_GRAMS = 0.7
"""Share of the runs of characters that are shown while training: no single one shall decide."""


def worth_to_train(config: RankerConfig) -> WorthComparator:
    """The comparator a training begins with, float32 on the CPU.

    `config.start` is one, or any encoder of sentences with a ``tokenizer.json`` or ``spm.model``;
    it gets a new head.

    Raises:
        CheckpointError: the model cannot be read.
        InputError: the start is a ranker of another architecture.
    """
    folder = resolve(config.start)
    content = read_json(folder / "config.json")
    if content.get("format") == WORTH_FORMAT:
        return WorthComparator.from_pretrained(folder, device="cpu", dtype="float32")
    if is_pairwise(content):
        raise InputError(
            f"{folder}: is a ranker of another architecture; 'architecture: worth' starts from an "
            "encoder of sentences or a ranker that was trained so"
        )
    with seeded(config.seed):
        model = WorthModel(encoder_of(folder), config.width, config.drop_out)
    tokenizer = TextTokenizer(vocabulary_in(folder), (), vocabulary_file(folder))
    positions = getattr(model.encoder.config, "max_position_embeddings", PART)
    reader = TextReader(model.encoder, tokenizer, min(PART, positions))
    return WorthComparator(model, reader, device="cpu", dtype="float32")


class WorthRun(Run):
    """The training of a worth comparator's head.

    Quality learns from judged pairs alone, the fault from these and from spoilt answers; see
    `WorthHead`. The encoder reads every text once, before the first step; what it read is kept in
    the output folder, so that another training on the same texts begins at once.

    Args:
        ranker: float32, on the CPU.
        config: of the training.
        log: to be filled.
        judged: pairs with verdicts of judges.
        spoilt: pairs of an answer and a spoilt one.
        dev: to measure on.
        report: takes sentences.
        show_progress: whether to draw a bar on stderr.
    """

    def __init__(
        self,
        ranker: WorthComparator,
        config: RankerConfig,
        log: TrainingLog,
        judged: Sequence[JudgedPair],
        spoilt: Sequence[JudgedPair],
        dev: DevPairs,
        *,
        report: Reporter,
        show_progress: bool,
    ) -> None:
        self.ranker_config = config
        self.ranker = ranker
        self.dev = dev
        self._readings = KeptReadings(config.output / READINGS_NAME, ranker.reader)
        pairs = [*_balanced(judged), *spoilt]
        items = _items_of([*pairs, *dev.pairs])
        texts = sorted({text for item in items for text in item})
        report(f"reading {len(texts)} texts")
        self._readings.add(texts, show_progress=show_progress)
        head = ranker.model.head
        self._inputs = _Inputs(self._readings)
        if not head.is_scaled:
            head.scale_to(self._inputs(_items_of(judged)).figures)
        freeze_all_but(ranker.model, ranker.model.HEADS)
        super().__init__(
            _Learner(head),
            config,
            log,
            [(pair, place < len(judged)) for place, pair in enumerate(pairs)],
            _Batches(self._inputs),
            best=config.best,
            higher_is_better=config.best != "loss",
            report=report,
            show_progress=show_progress,
        )

    def groups(self) -> list[dict[str, Any]]:
        """The head's; tables of grams do not decay, as most of their rows are seen rarely."""
        return head_groups(self.ranker.model.head, self.ranker_config)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: ARG002  (the trainer's signature)
        num_items_in_batch: Any = None,  # noqa: ARG002
    ) -> Tensor:
        """Loss of the qualities on judged pairs, and of the worths on all."""
        quality, fault = model(inputs["items"])
        first, second = inputs["sides"].unbind(dim=1)
        weights, preferences = inputs["weights"], inputs["preferences"]
        of_quality = _cross_entropy(quality[first] - quality[second], preferences)
        # What is wrong with a spoilt answer shall not be learnt as what judges do not like.
        worth = quality.detach() - fault
        of_worth = _cross_entropy(worth[first] - worth[second], preferences)
        judged = weights * inputs["judged"]
        # Where judges chose between two answers, both are answers: their faults are small.
        of_fault = _FAULT_COST * (fault[first] + fault[second]) / 2.0
        loss: Tensor = (judged * (of_quality + of_fault) + weights * of_worth).sum() / len(first)
        return loss

    def measure(self) -> dict[str, float]:
        """Figures of the pairs of dev."""
        head = self.ranker.model.head.eval()
        items = _items_of(self.dev.pairs)
        place = {item: number for number, item in enumerate(items)}
        with torch.inference_mode():
            worth = torch.cat(
                [
                    head.worth(self._inputs(items[start : start + _AT_ONCE]))
                    for start in range(0, len(items), _AT_ONCE)
                ]
            ).numpy()
        head.train()
        sides = [items_of(judged.pair) for judged in self.dev.pairs]
        logits = np.array([worth[place[a]] - worth[place[b]] for a, b in sides])
        return self.dev.figures(logits, -logits)

    def write_model(self, folder: Path) -> None:
        """In the layout of worth comparators."""
        write_worth(folder, self.ranker.model, self.ranker.reader)

    def read_model(self, folder: Path) -> None:
        """From that layout."""
        tensors_into(self.ranker.model, read_weights(folder), folder)


class _Learner(nn.Module):
    """The head as the trainer's model."""

    def __init__(self, head: WorthHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, items: WorthInputs) -> tuple[Tensor, Tensor]:
        """Quality and fault."""
        result: tuple[Tensor, Tensor] = self.head(items)
        return result


class _Inputs:
    """What the head is given of answers; figures are computed once."""

    def __init__(self, readings: KeptReadings) -> None:
        self._readings = readings
        self._figures: dict[Item, NDArray[np.float32]] = {}

    def __call__(self, items: Sequence[Item]) -> WorthInputs:
        for item in items:
            if item not in self._figures:
                self._figures[item] = figures(*item)
        return WorthInputs.of(
            [self._figures[item] for item in items],
            [self._readings[question] for question, _ in items],
            [self._readings[answer] for _, answer in items],
        )


class _Batches:
    """From pairs, each with whether a judge compared it, to what a pass needs."""

    def __init__(self, inputs: _Inputs) -> None:
        self._inputs = inputs

    def __call__(self, examples: list[tuple[JudgedPair, bool]]) -> dict[str, Any]:
        pairs = [pair for pair, _ in examples]
        items = _items_of(pairs)
        place = {item: number for number, item in enumerate(items)}
        sides = [[place[item] for item in items_of(pair.pair)] for pair in pairs]
        return {
            "items": self._inputs(items).thinned(_KEPT_GRAMS),
            "sides": torch.tensor(sides),
            "preferences": torch.tensor([pair.preference for pair in pairs]),
            "weights": torch.tensor([pair.weight for pair in pairs]),
            "judged": torch.tensor([float(judged) for _, judged in examples]),
        }


def _balanced(pairs: Sequence[JudgedPair]) -> list[JudgedPair]:
    """The pairs, of mean weight 1; the 66 of twelve answers are not 66 independent ones."""
    count = Counter(pair.record for pair in pairs)
    weights = [pair.weight / count[pair.record] ** 0.5 for pair in pairs]
    mean = sum(weights) / len(weights)
    return [
        replace(pair, weight=weight / mean) for pair, weight in zip(pairs, weights, strict=True)
    ]


def _items_of(pairs: Sequence[JudgedPair]) -> list[Item]:
    return list(dict.fromkeys(item for pair in pairs for item in items_of(pair.pair)))


def _cross_entropy(logits: Tensor, preferences: Tensor) -> Tensor:
    return binary_cross_entropy_with_logits(logits, preferences, reduction="none")
