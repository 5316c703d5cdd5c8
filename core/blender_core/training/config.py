"""What a training config says, read from YAML; a typo is named."""

from __future__ import annotations

from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Strict,
    StrictBool,
    ValidationError,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from blender_core.errors import InputError, MissingExtraError, message_of
from blender_core.validation import brief, reason, sentence

__all__ = ["FuserConfig", "LossName", "RankerConfig", "SamplingName", "TrainingConfig"]
__all__ += ["read_config"]

LossName = Literal["soft", "instructgpt", "BCE", "MSE", "open_instruct_BCE"]
"""See `losses`."""

SamplingName = Literal[
    "every", "all_pair", "top_bottom", "uniform", "random", "top_random", "random_bottom"
]
"""See `sampling`."""


def _number(value: Any) -> Any:
    # As a text it may come: YAML 1.1 has no number 1e-5.
    if isinstance(value, bool):
        raise PydanticCustomError("float_type", "must be a number")
    return value


Number = Annotated[float, BeforeValidator(_number)]
Index = Annotated[int, Strict(), Field(ge=0, lt=2**31)]
Count = Annotated[int, Strict(), Field(ge=1, lt=2**31)]
Share = Annotated[Number, Field(ge=0.0, le=1.0)]
PositiveShare = Annotated[Number, Field(gt=0.0, le=1.0)]
Positive = Annotated[Number, Field(gt=0.0, allow_inf_nan=False)]
NotNegative = Annotated[Number, Field(ge=0.0, allow_inf_nan=False)]


def _list(value: Any) -> Any:
    return [value] if isinstance(value, str | Path) else value


Local = Annotated[Path, AfterValidator(Path.expanduser)]
"""A path, in which ``~`` is one's home."""

Files = Annotated[list[Local], BeforeValidator(_list)]
Metric = Literal["accuracy", "balanced_accuracy", "pick", "loss"]


def _a_folder(path: Path) -> Path:
    if path == Path():
        raise ValueError("must name a folder of its own, not the one you are in")
    return path


class TrainingConfig(BaseModel):
    """What trainings have in common.

    Attributes:
        start: folder or hub id of the model to begin with.
        output: folder for checkpoints, the log and the finished model.
        train: files of records; one may be given without a list.
        dev: files of records to measure on; none: the last checkpoint is the result.
        epochs: times that all is learnt from.
        max_steps: ends the training before that.
        batch_size: examples of one pass, on each device.
        accumulation: passes of one step of the optimizer.
        learning_rate: highest of the schedule.
        schedule: how it falls to 0 after the warm-up.
        warmup: share of the steps in which it rises.
        weight_decay: of weights, not of biases and norms.
        max_gradient_norm: longer gradients are shortened to it; 0 leaves them.
        optimizer: AdamW, or Adafactor, which needs less memory.
        eval_every: steps from one measurement and checkpoint to the next; none: an epoch.
        log_every: steps from one line of figures in the log to the next.
        patience: measurements without a better one after which to stop; none: never.
        keep_checkpoints: latest checkpoints to keep, beside the best.
        seed: of everything random.
        device: cpu, or none for an accelerator if there is one.
        precision: of the passes; weights are float32 throughout.
        workers: processes that prepare batches.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    start: str
    output: Annotated[Local, AfterValidator(_a_folder)]
    train: Annotated[Files, Field(min_length=1)]
    dev: Files = []
    epochs: Positive = 3.0
    max_steps: Count | None = None
    batch_size: Count = 16
    accumulation: Count = 1
    learning_rate: Positive = 2e-5
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup: Share = 0.05
    weight_decay: NotNegative = 0.01
    max_gradient_norm: NotNegative = 1.0
    optimizer: Literal["adamw", "adafactor"] = "adamw"
    eval_every: Count | None = None
    log_every: Count = 10
    patience: Count | None = None
    keep_checkpoints: Count = 1
    seed: Annotated[int, Strict(), Field(ge=0, lt=2**32)] = 0
    device: Literal["cpu"] | None = None
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    workers: Index = 0


class RankerConfig(TrainingConfig):
    """How a pairwise ranker is trained.

    Attributes:
        architecture: ``cross`` reads every pair as a whole, as PairRM does; ``late`` reads each
            answer once and compares what was read, see `comparison.late`; in a batch of it are
            lists of answers in place of pairs. ``worth`` trains a head alone on what an encoder
            of sentences reads as it comes, see `comparison.worth`.
        width: of that head.
        list_size: answers of one list; for ``late``.
        frozen_layers: this many of the encoder's lowest layers, and the embeddings, stay as they
            are.
        debias_by_source: whether `length_debiasing` balances records of each `source` by
            themselves.
        source_max_length: tokens of a question; see `Limits`. None takes a ranker's own, or for
            a new one a quarter of the positions that the encoder has.
        candidate_max_length: tokens of an answer; None as above, half of what is left.
        drop_out: of a new head.
        loss: what a pair costs; see `losses`.
        symmetry: how much the symmetry loss counts; above 0, all pairs are read in both orders.
        scores: names of scores that say which answer is better where nobody compared the two,
            each with the difference that is worth one logit, or null if any is decisive. None
            takes all of the record's own, any difference decisive.
        tasks: names of scores that are learnt themselves, one output of the head each, as in
            LLM-Blender's own training; which of two answers is better is then their sum's say.
        sampling: which of a record's pairs are learnt from; see `sampling`.
        num_pos: for the sampling.
        num_neg: for the sampling.
        ratio: for the sampling.
        max_pairs_per_record: of these, so many at most, by chance.
        label_weights: how much pairs count, by their record's `label_kind`; 0 leaves them out.
        source_weights: likewise by their record's `source`.
        spoil: kinds of spoilt answers to learn from, see `data.spoiling`, each with the share of
            the records of which one is made, such as ``{refusal: 0.1}``.
        spoilt_weight: how much a pair of a good and a spoilt answer counts.
        length_debiasing: makes the longer answer win half of the time, by weights, or by leaving
            out pairs.
        head_learning_rate: of the head; none: as the rest.
        layer_decay: each layer learns at this share of the rate of the layer above it.
        head_warmup_steps: first steps, in which only the head learns.
        max_batch_tokens: tokens read at once; a batch is read in parts of similar length. None
            takes what is fast on the device.
        best: which figure on dev is to be best; see `dev`.
        max_dev_pairs: pairs of dev to measure on, drawn by chance; none: all.
    """

    architecture: Literal["cross", "late", "worth"] = "cross"
    list_size: Annotated[Count, Field(ge=2)] = 8
    width: Annotated[Count, Field(le=1024)] = 64
    frozen_layers: Index = 0
    debias_by_source: StrictBool = False
    source_max_length: Count | None = None
    candidate_max_length: Count | None = None
    drop_out: Annotated[Number, Field(ge=0.0, lt=1.0)] = 0.05
    loss: LossName = "soft"
    symmetry: NotNegative = 0.0
    scores: dict[str, Positive | None] | None = None
    tasks: list[str] = []
    sampling: SamplingName = "every"
    num_pos: Count = 1
    num_neg: Count = 1
    ratio: PositiveShare = 0.5
    max_pairs_per_record: Count | None = None
    label_weights: dict[str, NotNegative] = {}
    source_weights: dict[str, NotNegative] = {}
    spoil: dict[str, Share] = {}
    spoilt_weight: NotNegative = 1.0
    length_debiasing: Literal["none", "weights", "sampling"] = "none"
    head_learning_rate: Positive | None = None
    layer_decay: PositiveShare = 1.0
    head_warmup_steps: Index = 0
    max_batch_tokens: Count | None = None
    best: Metric = "accuracy"
    max_dev_pairs: Count | None = None


class FuserConfig(TrainingConfig):
    """How a fuser is trained: from the prompt with the answers to the record's ``output``.

    Attributes:
        top_k: answers in the prompt, best first by what the record says, else as they stand.
        scores: as for a ranker.
        max_length: tokens of the prompt.
        candidate_max_length: tokens of an answer in it.
        output_max_length: tokens of the reference.
    """

    learning_rate: Positive = 5e-5
    top_k: Count = 3
    scores: dict[str, Positive | None] | None = None
    max_length: Count = 1024
    candidate_max_length: Count = 128
    output_max_length: Count = 128


_LONGEST_NAME = 80

Config = TypeVar("Config", bound=TrainingConfig)


def read_config(file: Path, kind: type[Config]) -> Config:
    """A config from a YAML file.

    Paths in it are relative to where the program runs.

    Raises:
        InputError: the file is not YAML, a key is unknown, missing or has an impossible value, or
            the values do not go together.
        OSError: the file cannot be read.
        MissingExtraError: PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError as error:
        raise MissingExtraError("reading a training config", "train") from error
    content = file.read_bytes()
    try:
        values = yaml.safe_load(content.decode("utf-8"))
    except yaml.YAMLError as error:
        raise InputError(f"{file}: not YAML: {' '.join(message_of(error).split())}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{file}: not UTF-8: byte {error.start + 1}") from None
    except RecursionError:
        raise InputError(f"{file}: not usable YAML: nested too deeply") from None
    except Exception as error:  # PyYAML makes dates and numbers with what raises all kinds
        raise InputError(f"{file}: not usable YAML: {reason(error)}") from error
    if not isinstance(values, dict):
        raise InputError(f"{file}: expected 'key: value' lines")
    try:
        config = kind.model_validate(values)
    except ValidationError as error:
        faults = "; ".join(_sentence(fault, kind) for fault in error.errors(include_url=False))
        raise InputError(f"{file}: {faults}") from None
    _check(config, file)
    return config


def _check(config: TrainingConfig, file: Path) -> None:
    """Raise where values are possible each, but not together."""
    for path in (*config.train, *config.dev):
        try:
            is_there = path.exists()
        except OSError as error:
            raise InputError(f"{file}: {brief(str(path))}: {error.strerror}") from None
        if not is_there:
            raise InputError(f"{file}: there is no file {path}")
    if config.patience is not None and not config.dev:
        raise InputError(f"{file}: 'patience' is about figures on 'dev', which is not given")
    if isinstance(config, RankerConfig) and config.architecture == "late":
        _check_late(config, file)
    if isinstance(config, RankerConfig) and config.loss == "open_instruct_BCE" and config.tasks[1:]:
        raise InputError(f"{file}: the loss open_instruct_BCE is for one task")


def _check_late(config: RankerConfig, file: Path) -> None:
    """Raise where a value has no meaning for a late comparator."""
    if config.loss not in ("soft", "instructgpt"):
        raise InputError(
            f"{file}: 'architecture: late' gives logits of pairs, the loss {config.loss} needs a "
            "score of each answer; use soft or instructgpt"
        )
    if config.tasks:
        raise InputError(f"{file}: 'tasks' are for 'architecture: cross'")
    if config.symmetry:
        raise InputError(f"{file}: 'architecture: late' is symmetric; leave out 'symmetry'")


def _sentence(fault: ErrorDetails, kind: type[TrainingConfig]) -> str:
    """As of `validation.sentence`; what looks like a typo is named."""
    name = ".".join(map(str, fault["loc"]))
    match fault["type"]:
        case "extra_forbidden":
            close = get_close_matches(name[:_LONGEST_NAME], kind.model_fields, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            return f"unknown key {name!r:.80}{hint}"
        case "literal_error":
            known = fault["ctx"]["expected"].replace("'", "").replace(" or ", ", ").split(", ")
            close = get_close_matches(str(fault["input"])[:_LONGEST_NAME], known, n=1)
            return sentence(fault) + (f"; did you mean {close[0]!r}?" if close else "")
    return sentence(fault)
