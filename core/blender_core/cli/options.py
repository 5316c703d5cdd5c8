"""The options that commands share, each with its words for ``--help``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "DEFAULT_RANKER",
    "Aggregation",
    "BaseModel",
    "Candidates",
    "Device",
    "Dtype",
    "File",
    "Force",
    "Instruction",
    "Loading",
    "LocalFilesOnly",
    "Matrix",
    "MaxBatchTokens",
    "MaxNewTokens",
    "NoVerify",
    "Output",
    "Quiet",
    "Ranker",
    "Resume",
    "Schedule",
    "TopK",
    "WithInput",
]

DEFAULT_RANKER = "default"

_WORK = "What to work on"
_RESULTS = "Results"
_MODELS = "Models"

File = Annotated[
    str | None,
    typer.Argument(metavar="[FILE|-]", help="Records, one JSON object a line; - is stdin."),
]
Instruction = Annotated[
    str | None,
    typer.Option(help="A question, instead of FILE.", rich_help_panel=_WORK),
]
Candidates = Annotated[
    list[str] | None,
    typer.Option(
        "--candidate", help="An answer to it; give one --candidate each.", rich_help_panel=_WORK
    ),
]

Ranker = Annotated[
    str,
    typer.Option(
        help="'default' (the model in the package, and consensus), 'mini' (that model alone), "
        "'small' (that model, corrected by SmolLM2 of the extra local), "
        "'passages' (relevance of what a retriever found), 'consensus' (no model), "
        "'consensus:SIMILARITY', or the hub id or folder of a pairwise ranker or a reward model.",
        rich_help_panel=_MODELS,
    ),
]
Schedule = Annotated[
    str | None,
    typer.Option(
        help="Which pairs a pairwise ranker compares: full, active (as many as it takes to be "
        "sure of the best), bubble, knockout, reference.",
        rich_help_panel=_MODELS,
    ),
]
Aggregation = Annotated[
    str | None,
    typer.Option(
        help="How its comparisons become scores: max_logits, max_wins, bradley_terry, copeland.",
        rich_help_panel=_MODELS,
    ),
]
TopK = Annotated[
    int, typer.Option(min=1, help="How many of the best are fused.", rich_help_panel=_MODELS)
]
NoVerify = Annotated[
    bool,
    typer.Option(
        "--no-verify",
        help="Keep the fused text even if it loses against the best answer.",
        rich_help_panel=_MODELS,
    ),
]
MaxNewTokens = Annotated[
    int | None,
    typer.Option(min=1, help="Longest fused text, in tokens.", rich_help_panel=_MODELS),
]
Device = Annotated[
    str | None,
    typer.Option(help="cpu, cuda, mps, ...; default: the best there is.", rich_help_panel=_MODELS),
]
Dtype = Annotated[
    str | None,
    typer.Option(help="float32, bfloat16 or float16, of the weights.", rich_help_panel=_MODELS),
]
BaseModel = Annotated[
    str | None,
    typer.Option(
        help="Where a ranker's checkpoint names another model for config and tokenizer: "
        "that model's hub id or folder.",
        rich_help_panel=_MODELS,
    ),
]
MaxBatchTokens = Annotated[
    int | None,
    typer.Option(min=1, help="Tokens of one forward pass of the ranker.", rich_help_panel=_MODELS),
]
LocalFilesOnly = Annotated[
    bool,
    typer.Option("--local-files-only", help="Never use the network.", rich_help_panel=_MODELS),
]

Output = Annotated[
    Path | None,
    typer.Option(
        help="Write JSON lines here; without it to stdout (a table on a terminal).",
        rich_help_panel=_RESULTS,
    ),
]
WithInput = Annotated[
    bool | None,
    typer.Option(
        "--with-input/--no-input",
        help="Whether results carry question and answers, so that they can be read as records, "
        "for example to make preference pairs. Default: in a file they do.",
        rich_help_panel=_RESULTS,
    ),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume", help="Go on with the --output of an earlier run.", rich_help_panel=_RESULTS
    ),
]
Force = Annotated[
    bool, typer.Option("--force", help="Overwrite --output.", rich_help_panel=_RESULTS)
]
Matrix = Annotated[
    bool,
    typer.Option(
        "--matrix", help="Add the matrix of comparisons to JSON lines.", rich_help_panel=_RESULTS
    ),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress bar.", rich_help_panel=_RESULTS)]


@dataclass(frozen=True, slots=True)
class Loading:
    """How models are loaded; None leaves the choice to the model's loader.

    Attributes:
        quiet: no progress bars of downloads and weights.
    """

    device: str | None = None
    dtype: str | None = None
    base_model: str | None = None
    max_batch_tokens: int | None = None
    local_files_only: bool = False
    quiet: bool = False
