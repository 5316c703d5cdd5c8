"""Training of a fuser: from the prompt with the answers to the reference (section 4)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from blender_core.candidates import Task
from blender_core.data.files import read_records
from blender_core.data.records import Record
from blender_core.errors import CheckpointError, InputError
from blender_core.fusion.gen_fuser import GenFuser
from blender_core.models.batching import pack
from blender_core.models.files import read_weights, tensors_into
from blender_core.training.config import FuserConfig
from blender_core.training.log import TrainingLog
from blender_core.training.optimizer import groups_of
from blender_core.training.pairs import check_scores, quality
from blender_core.training.resuming import folder_to_resume
from blender_core.training.run import Reporter, Run

__all__ = ["train_fuser"]

_IGNORED = -100
"""The label of padding, as transformers' models have it."""


def train_fuser(
    config: FuserConfig,
    *,
    resume: bool = False,
    report: Reporter = lambda _: None,
    show_progress: bool = False,
) -> Path:
    """Train a fuser to write each record's ``output`` from its best answers.

    The output folder gets ``training.json`` (the log), ``checkpoint-<step>`` (each loads with
    `GenFuser.from_pretrained`) and in the end ``model``.

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
    log = TrainingLog(config, "fuser")
    if resume_from is not None:
        log.check_resumable()
    fuser = GenFuser.from_pretrained(
        config.start,
        device="cpu",
        dtype="float32",
        max_length=config.max_length,
        candidate_max_length=config.candidate_max_length,
    )
    train, dev = (_examples(files, fuser, config) for files in (config.train, config.dev))
    log.content["examples"] = {"train": len(train), "dev": len(dev)}
    report(f"learning from {len(train)} records")
    run = _FuserRun(fuser, config, log, train, dev, report=report, show_progress=show_progress)
    return run.run(resume_from)


@dataclass(frozen=True, slots=True)
class _Example:
    """Token ids of a prompt and of what is to be written."""

    prompt: list[int]
    labels: list[int]


def _examples(files: Sequence[Path], fuser: GenFuser, config: FuserConfig) -> list[_Example]:
    records = list(chain.from_iterable(read_records(file) for file in files))
    usable = [record for record in records if record.output]
    if files and not usable:
        raise InputError(
            f"{', '.join(map(str, files))}: none of the {len(records)} records has an 'output', "
            "the reference that a fuser learns to write"
        )
    check_scores(records, config.scores or ())
    tokenizer = fuser.tokenizer
    before, after = _frame(fuser)
    room = config.output_max_length - len(before) - len(after)
    if room < 1:
        raise InputError(f"output_max_length {config.output_max_length} leaves no room for text")
    references = tokenizer.encode([record.output or "" for record in usable])
    return [
        _Example(fuser.prompt_ids(_best_first(record, config)), [*before, *ids[:room], *after])
        for record, ids in zip(usable, references, strict=True)
    ]


def _frame(fuser: GenFuser) -> tuple[list[int], list[int]]:
    """What stands before and after a text that the model writes."""
    end = fuser.model.config.eos_token_id
    token = None if end is None else fuser.tokenizer.full.id_to_token(end)
    if token is None:
        raise CheckpointError("the model's config names no token that ends a text (eos_token_id)")
    before, after = fuser.tokenizer.frame(token)
    return before, after or [end]


def _best_first(record: Record, config: FuserConfig) -> Task:
    """The task with its best answers, best first; where nothing is known, as they stand."""
    names = None if config.scores is None else list(config.scores)
    scales = {name: scale for name, scale in (config.scores or {}).items() if scale is not None}
    known = np.nan_to_num(quality(record.preferences(names, scales)), nan=0.5)
    task = record.to_task()
    order = np.argsort(-known, kind="stable")[: config.top_k]
    return task.with_candidates(task.candidates[place] for place in order)


class _Batches:
    """From examples to padded tensors."""

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, examples: list[_Example]) -> dict[str, Tensor]:
        prompts = _padded([example.prompt for example in examples], self.pad)
        lengths = torch.tensor([len(example.prompt) for example in examples])
        return {
            "input_ids": prompts,
            "attention_mask": (torch.arange(prompts.shape[1]) < lengths[:, None]).long(),
            "labels": _padded([example.labels for example in examples], _IGNORED),
        }


def _padded(rows: list[list[int]], filler: int) -> Tensor:
    longest = max(map(len, rows))
    return torch.tensor([row + [filler] * (longest - len(row)) for row in rows])


class _FuserRun(Run):
    """The training of a sequence-to-sequence model."""

    def __init__(
        self,
        fuser: GenFuser,
        config: FuserConfig,
        log: TrainingLog,
        train: list[_Example],
        dev: list[_Example],
        *,
        report: Reporter,
        show_progress: bool,
    ) -> None:
        self.fuser = fuser
        self.dev = dev
        pad = fuser.model.config.pad_token_id or 0
        self._batches = _Batches(pad)
        super().__init__(
            fuser.model,
            config,
            log,
            train,
            self._batches,
            best="loss",
            higher_is_better=False,
            report=report,
            show_progress=show_progress,
        )

    def groups(self) -> list[dict[str, Any]]:
        """All at one rate."""
        return groups_of(self.fuser.model, self.config)

    def compute_loss(
        self,
        model: Any,
        inputs: dict[str, Any],
        return_outputs: bool = False,  # noqa: ARG002  (the trainer's signature)
        num_items_in_batch: Any = None,  # noqa: ARG002
    ) -> Tensor:
        """Cross-entropy a token of the references."""
        loss: Tensor = model(**inputs).loss
        return loss

    @torch.no_grad()
    def measure(self) -> dict[str, float]:
        """Cross-entropy a token on dev, and its exponential."""
        self.model.eval()
        total, tokens = 0.0, 0
        lengths = [len(example.prompt) + len(example.labels) for example in self.dev]
        budget = max(lengths) * self.config.batch_size
        for places in pack(lengths, budget, max_padding=0.3):
            batch = self._batches([self.dev[place] for place in places])
            batch = {name: tensor.to(self.args.device) for name, tensor in batch.items()}
            count = int((batch["labels"] != _IGNORED).sum())
            total += float(self.model(**batch).loss) * count
            tokens += count
        self.model.train()
        loss = total / tokens
        return {"loss": loss, "perplexity": float(np.exp(min(loss, 700.0)))}

    def write_model(self, folder: Path) -> None:
        """As transformers does, with the tokenizer as it was read."""
        folder.mkdir(parents=True, exist_ok=True)
        self.fuser.model.save_pretrained(folder)
        (folder / "tokenizer.json").write_text(self.fuser.tokenizer.full.to_str(), encoding="utf-8")

    def read_model(self, folder: Path) -> None:
        """As `write_model` wrote it."""
        tensors_into(self.fuser.model, read_weights(folder), folder)
