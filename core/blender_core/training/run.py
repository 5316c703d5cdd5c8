"""What all trainings share, over transformers' `Trainer`.

Checkpoints appear whole or not at all, each loads like a finished model, the best one is kept, a
run can be interrupted and resumed to the same weights, and every figure goes into one log.
"""

from __future__ import annotations

import math
import shutil
import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import torch
from torch.optim.lr_scheduler import LambdaLR
from transformers import (
    EarlyStoppingCallback,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint

from blender_core.errors import InputError, ModelOutputError, NotSavedError
from blender_core.models.devices import pick_device
from blender_core.training.config import TrainingConfig
from blender_core.training.log import TrainingLog
from blender_core.training.optimizer import rate_at
from blender_core.training.resuming import MODEL_NAME, STATE_NAME, loading
from blender_core.training.saving import (
    Interruption,
    TrainingInterrupted,
    unfinished,
    whole,
)

__all__ = ["Reporter", "Run"]

_LINES_APART = 30.0
"""Seconds between lines of progress where no bar is drawn."""

_CALMER = "lower 'learning_rate', lengthen 'warmup', or use precision: float32"

Reporter = Callable[[str], None]
"""Takes a sentence for whoever watches."""


class Run(Trainer):  # type: ignore[misc]  # transformers is not typed
    """One training.

    A kind of training derives from it and says what a batch costs (`compute_loss`), how good
    the model is (`measure`), which parameters learn how fast (`groups`), and how the model is
    written and read.

    Args:
        model: what learns.
        config: of the training.
        log: to be filled.
        examples: what is learnt from.
        collate: from some of them to a batch.
        best: the figure of `measure` that decides which checkpoint is best.
        higher_is_better: of that figure.
        frozen_steps: first steps in which only what `groups` marks as head learns.
        report: takes sentences.
        show_progress: whether to draw a bar on stderr.
    """

    optimizer: Any
    lr_scheduler: Any
    control: Any

    def __init__(
        self,
        model: torch.nn.Module,
        config: TrainingConfig,
        log: TrainingLog,
        examples: Sequence[Any],
        collate: Callable[[list[Any]], dict[str, Any]],
        *,
        best: str,
        higher_is_better: bool,
        frozen_steps: int = 0,
        report: Reporter,
        show_progress: bool,
    ) -> None:
        self.config = config
        self.training_log = log
        self.frozen_steps = frozen_steps
        self.report = report
        self.interruption = Interruption(report)
        self.is_stopped = False
        """By an interruption, of this process or another one of the same training."""
        self._written_to: Path | None = None
        self._resumed_from: str | None = None
        super().__init__(
            model=model,
            args=_arguments(config, best, higher_is_better=higher_is_better),
            train_dataset=_Examples(examples),
            # The measuring is ours; the trainer only wants to see that there is something.
            eval_dataset=_Examples([None]) if config.dev else None,
            data_collator=collate,
            callbacks=[_Watcher(self, show_progress=show_progress)],
        )
        self.remove_callback(PrinterCallback)
        # Our losses are means over a pass, whatever else the model's forward would take.
        self.model_accepts_loss_kwargs = False
        if config.patience is not None:
            self.add_callback(EarlyStoppingCallback(config.patience))

    @abstractmethod
    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups for the optimizer; see `optimizer`."""

    @abstractmethod
    def measure(self) -> dict[str, float]:
        """Figures on the dev set, by name."""

    @abstractmethod
    def write_model(self, folder: Path) -> None:
        """Write the model to a folder, as a finished one is loaded."""

    @abstractmethod
    def read_model(self, folder: Path) -> None:
        """Read the weights that `write_model` wrote."""

    def begin_epoch(self, epoch: int) -> None:
        """Hook: what differs from epoch to epoch, counted from 0."""

    def run(self, resume_from: str | None) -> Path:
        """Train, and write the best or else the last model.

        Args:
            resume_from: a checkpoint's folder.

        Returns:
            The model's folder.

        Raises:
            TrainingInterrupted: by Ctrl-C; a checkpoint was written.
            NotSavedError: something could not be written.
            ModelOutputError: the loss is no number any more.
        """
        begin = time.perf_counter()
        self._resumed_from = resume_from
        if resume_from is not None:
            self.report(f"going on from {resume_from}")
        if self.is_world_process_zero():
            for left in self.config.output.glob(".*.unfinished"):  # by a crash
                shutil.rmtree(left, ignore_errors=True)
        try:
            with self.interruption:
                self.train(resume_from_checkpoint=resume_from)
        except KeyboardInterrupt:
            raise TrainingInterrupted(f"interrupted; {self._kept()}") from None
        if self.is_stopped and self.state.global_step < self.state.max_steps:
            raise TrainingInterrupted(f"interrupted; {self._kept()}")
        figures = self._last_figures()
        folder = self.config.output / MODEL_NAME
        if self.is_world_process_zero():
            with whole(folder, self._kept) as partial:
                self.write_model(partial)
            self.training_log.content["result"] = {
                "model": MODEL_NAME,
                "step": self.state.best_global_step or self.state.global_step,
                "steps": self.state.global_step,
                "figures": figures,
                "seconds": round(time.perf_counter() - begin, 1),
                "device": str(self.args.device),
                "devices": self.args.world_size,
            }
            self.write_log()
        self.accelerator.wait_for_everyone()
        return folder

    def write_log(self) -> None:
        """Write the log with all figures so far."""
        if self.is_world_process_zero():
            try:
                self.config.output.mkdir(parents=True, exist_ok=True)
                self.training_log.write(self.state.log_history)
            except OSError as error:
                raise NotSavedError(
                    f"{self.training_log.file} could not be written: {error.strerror}. "
                    f"{self._kept()}"
                ) from error

    def _last_figures(self) -> dict[str, float]:
        """What was measured of the model that is the result."""
        wanted = self.state.best_global_step or self.state.global_step
        for entry in reversed(self.state.log_history):
            if entry["step"] == wanted and any(name.startswith("eval_") for name in entry):
                return {
                    name.removeprefix("eval_"): value
                    for name, value in entry.items()
                    if name.startswith("eval_")
                }
        return {}

    def _kept(self) -> str:
        last = get_last_checkpoint(str(self.config.output)) if self.config.output.exists() else None
        if last is None:
            return "No checkpoint had been written yet"
        return f"{last} is complete: the same command with --resume goes on from there"

    # --- what the trainer calls ---------------------------------------------------------------

    def create_optimizer(self, model: Any = None) -> Any:  # noqa: ARG002  (the trainer's signature)
        """The optimizer over our groups."""
        if self.optimizer is None:
            kind, options = self.get_optimizer_cls_and_kwargs(self.args)
            self.optimizer = kind(self.groups(), **options)
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> Any:
        """The course of each group's learning rate."""
        if self.lr_scheduler is None:
            optimizer = optimizer or self.optimizer
            for_head = rate_at(self.config, num_training_steps)
            for_rest = rate_at(self.config, num_training_steps, self.frozen_steps)
            self.lr_scheduler = LambdaLR(
                optimizer,
                [for_head if group["is_head"] else for_rest for group in optimizer.param_groups],
            )
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def evaluate(
        self,
        eval_dataset: Any = None,  # noqa: ARG002  (the trainer's signature)
        ignore_keys: Any = None,  # noqa: ARG002
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Measure on dev."""
        figures = {f"{metric_key_prefix}_{name}": v for name, v in self.measure().items()}
        self.log(figures)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, figures
        )
        return figures

    def _get_output_dir(self, trial: Any) -> Any:
        return self._written_to or super()._get_output_dir(trial)

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Write one checkpoint whole, then drop those that are not wanted any more."""
        folder = self.config.output / f"checkpoint-{self.state.global_step}"
        if not all(weight.isfinite().all() for weight in self.model.parameters()):
            raise ModelOutputError(
                f"weights are NaN or infinite at step {self.state.global_step}: {_CALMER}. "
                f"{self._kept()}"
            )
        is_main = self.is_world_process_zero()
        with whole(folder, self._kept) if is_main else nullcontext(unfinished(folder)) as partial:
            self.accelerator.wait_for_everyone()  # the folder is there
            # The trainer makes a folder of the checkpoint's name in the one it is given.
            self._written_to = partial
            try:
                super()._save_checkpoint(model, trial)
            finally:
                self._written_to = None
            if self.state.best_global_step == self.state.global_step:
                self.state.best_model_checkpoint = str(folder)
            self.accelerator.wait_for_everyone()  # all files are there
            if is_main:
                inner = partial / folder.name
                self.state.save_to_json(str(inner / STATE_NAME))
                for part in inner.iterdir():
                    part.rename(partial / part.name)
                inner.rmdir()
        self.accelerator.wait_for_everyone()
        if is_main:
            self._drop_old(folder)
            self.write_log()

    def _drop_old(self, newest: Path) -> None:
        folders = sorted(
            (f for f in newest.parent.glob("checkpoint-*") if f.name[11:].isdigit()),
            key=lambda folder: int(folder.name[11:]),
        )
        best = self.state.best_model_checkpoint
        for folder in folders[: -self.config.keep_checkpoints]:
            if best is None or folder.name != Path(best).name:
                shutil.rmtree(folder, ignore_errors=True)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:  # noqa: ARG002
        if self.args.should_save and output_dir is not None:
            self.write_model(Path(output_dir))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with loading(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with loading(checkpoint):
            super()._load_rng_state(checkpoint)

    def _load_scaler(self, checkpoint: str | None) -> None:
        with loading(checkpoint):
            super()._load_scaler(checkpoint)

    def _load_callback_state(self) -> None:
        with loading(self._resumed_from):
            super()._load_callback_state()

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:  # noqa: ARG002
        self.read_model(Path(resume_from_checkpoint))

    def _load_best_model(self) -> None:
        self.read_model(Path(self.state.best_model_checkpoint))


class _Examples(torch.utils.data.Dataset[Any]):
    """A list as torch's data loaders want it."""

    def __init__(self, examples: Sequence[Any]) -> None:
        self.examples = examples

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, place: int) -> Any:
        return self.examples[place]


class _Watcher(TrainerCallback):  # type: ignore[misc]  # transformers is not typed
    """Progress, interruption, and a look at the loss."""

    def __init__(self, run: Run, *, show_progress: bool) -> None:
        self.run = run
        self.show_progress = show_progress
        self.bar: Any = None
        self.began = self.told = time.monotonic()
        self.first_step = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        from tqdm import tqdm

        hidden = not (self.show_progress and state.is_world_process_zero)
        self.bar = tqdm(
            total=state.max_steps, initial=state.global_step, desc="training", disable=hidden
        )
        self.began, self.first_step = time.monotonic(), state.global_step
        self.run.write_log()

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self.run.begin_epoch(int((state.epoch or 0.0) + 1e-6))  # whole but for rounding

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self.bar.update(state.global_step - self.bar.n)
        if self._is_end_asked():
            self.run.is_stopped = True
            control.should_save = True
            control.should_training_stop = True

    def _is_end_asked(self) -> bool:
        """Whether any of the processes was interrupted: all have to stop at the same step."""
        asked = self.run.interruption.asked
        if self.run.args.world_size == 1:
            return asked
        anywhere = torch.tensor(float(asked), device=self.run.args.device)
        return bool(self.run.accelerator.reduce(anywhere, reduction="sum") > 0)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:  # noqa: ARG002
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            raise ModelOutputError(f"the loss is {loss} at step {state.global_step}: {_CALMER}")
        figures = {name: value for name, value in (logs or {}).items() if name.startswith("eval_")}
        if figures:
            told = ", ".join(f"{n.removeprefix('eval_')} {v:.4g}" for n, v in figures.items())
            self.run.report(f"step {state.global_step}: {told}")
        elif loss is not None:
            self.bar.set_postfix(loss=f"{loss:.4g}")
            self._tell(state, loss, logs["learning_rate"])

    def _tell(self, state: Any, loss: float, rate: float) -> None:
        """Where no bar is drawn, a line now and then."""
        now = time.monotonic()
        if self.show_progress or now - self.told < _LINES_APART:
            return
        self.told = now
        done, left = state.global_step - self.first_step, state.max_steps - state.global_step
        minutes = left * (now - self.began) / max(done, 1) / 60.0
        self.run.report(
            f"step {state.global_step} of {state.max_steps}: loss {loss:.4g}, "
            f"learning rate {rate:.2g}, {minutes:.0f} min left"
        )

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:  # noqa: ARG002
        self.bar.close()


def _arguments(config: TrainingConfig, best: str, *, higher_is_better: bool) -> TrainingArguments:
    if config.precision == "float16" and pick_device(config.device).type != "cuda":
        raise InputError("precision: float16 is for CUDA; on a CPU use bfloat16 or float32")
    measured = (
        {}
        if not config.dev
        else {
            "load_best_model_at_end": True,
            "metric_for_best_model": best,
            "greater_is_better": higher_is_better,
        }
    )
    every = "epoch" if config.eval_every is None else "steps"
    steps = (
        {}
        if config.eval_every is None
        else {
            "eval_steps": config.eval_every,
            "save_steps": config.eval_every,
        }
    )
    arguments = TrainingArguments(
        output_dir=str(config.output),
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.accumulation,
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        max_grad_norm=config.max_gradient_norm,
        optim="adamw_torch" if config.optimizer == "adamw" else "adafactor",
        eval_strategy=every if config.dev else "no",
        save_strategy=every,
        logging_steps=config.log_every,
        logging_nan_inf_filter=False,
        report_to="none",
        seed=config.seed,
        use_cpu=config.device == "cpu",
        bf16=config.precision == "bfloat16",
        fp16=config.precision == "float16",
        dataloader_num_workers=config.workers,
        dataloader_pin_memory=torch.cuda.is_available() and config.device != "cpu",
        remove_unused_columns=False,
        label_names=[],
        disable_tqdm=True,
        restore_callback_states_from_checkpoint=True,
        **measured,
        **steps,
    )
    if arguments.n_gpu > 1:
        # Several in one process would need batches that can be cut; launched with accelerate or
        # torchrun, each has a process.
        arguments._n_gpu = 1  # noqa: SLF001  (there is no other way to say so)
    return arguments
