"""``blended-llm ask``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blender_core.cli import options
from blender_core.cli.members import MembersPrior, read_prior
from blender_core.cli.options import DEFAULT_RANKER, Loading

if TYPE_CHECKING:
    from blender_core.fusion.fuser import Fuser
    from blender_core.ranking.ranker import Ranker

__all__ = ["ask"]

_MEMBERS = "Who is asked"
_PROVIDER = ":"
"""What tells a chat model's name (``openai:gpt-4o``) from a hub id or folder."""


def ask(
    question: Annotated[str, typer.Argument(help="What to ask; - reads it from stdin.")],
    member: Annotated[
        list[str],
        typer.Option(
            "-m",
            "--member",
            help="A chat model, such as openai:gpt-4o; give one -m each. Needs the extra 'agents' "
            "and the provider's own package, such as langchain-openai.",
            rich_help_panel=_MEMBERS,
        ),
    ],
    n: Annotated[
        int,
        typer.Option("-n", "--n", min=1, help="How often each is asked.", rich_help_panel=_MEMBERS),
    ] = 1,
    timeout: Annotated[
        float | None,
        typer.Option(help="Seconds a member may take.", rich_help_panel=_MEMBERS),
    ] = None,
    deadline: Annotated[
        float | None,
        typer.Option(help="Seconds all members together may take.", rich_help_panel=_MEMBERS),
    ] = None,
    min_answers: Annotated[
        int, typer.Option(min=1, help="How many must answer.", rich_help_panel=_MEMBERS)
    ] = 1,
    ranker: options.Ranker = DEFAULT_RANKER,
    judge: Annotated[
        str | None,
        typer.Option(
            help="A chat model that compares the answers, in place of a ranker.",
            rich_help_panel="Models",
        ),
    ] = None,
    fuser: Annotated[
        str | None,
        typer.Option(
            help="Who fuses the best: a chat model such as openai:gpt-4o, or the hub id or folder "
            "of a sequence-to-sequence fuser. Without one the best answer is taken as it is.",
            rich_help_panel="Models",
        ),
    ] = None,
    members_prior: MembersPrior = None,
    top_k: options.TopK = 3,
    no_verify: options.NoVerify = False,
    device: options.Device = None,
    local_files_only: options.LocalFilesOnly = False,
    quiet: options.Quiet = False,
) -> None:
    """Ask several chat models, and print the best answer or a fused one.

    The answer goes to stdout (while it is written, with --no-verify), who was compared and how it
    ended to stderr.
    """
    from pydantic import ValidationError

    from blender_core.cli.messages import FAILED, say
    from blender_core.errors import InputError, QuorumError, describe
    from langchain_blender.chat_model import BlendedChatModel

    text = sys.stdin.read() if question == "-" else question
    if not text.strip():
        raise InputError("the question is empty")
    loading = Loading(device=device, local_files_only=local_files_only, quiet=quiet)
    try:
        model = BlendedChatModel(
            members=member,
            n=n,
            timeout=timeout,
            deadline=deadline,
            min_answers=min_answers,
            ranker=_ranker(ranker, judge, loading),
            members_prior=read_prior(members_prior, judge or ranker),
            fuser=_fuser(fuser, loading),
            top_k=top_k,
            verify=not no_verify,
        )
    except ValidationError as error:
        # pydantic's own words name its documentation; ours name what was given.
        raise InputError("; ".join(map(_reason, error.errors()))) from None
    try:
        report = _print_answer(model, text)
    except QuorumError as error:
        for name, failure in error.failures.items():
            say(f"{name}: {describe(failure)}")
        say(f"error: {len(error.answered)} of the members answered, {error.needed} needed")
        raise typer.Exit(FAILED) from None
    except BrokenPipeError:
        raise
    except Exception as error:  # noqa: BLE001 - a fuser's or judge's, perhaps behind half an answer
        say(f"error: {describe(error)}")
        raise typer.Exit(FAILED) from None
    if not quiet:
        _print_report(report)


def _reason(error: Any) -> str:
    setting = "-".join(map(str, error["loc"])).replace("_", "-").replace("members", "member")
    return f"--{setting}: {error['msg'].removeprefix('Value error, ')}"


def _ranker(name: str, judge: str | None, loading: Loading) -> Ranker | None:
    from blender_core.errors import InputError

    if judge is not None:
        if name != DEFAULT_RANKER:
            raise InputError("--judge takes the place of --ranker: give one of them")
        from blender_core.ranking.pair_ranker import PairRanker
        from langchain_blender.chat_comparator import ChatComparator

        return PairRanker(ChatComparator(judge))
    if name == DEFAULT_RANKER:
        return None
    from blender_core.cli.models import load_ranker

    return load_ranker(name, loading)


def _fuser(name: str | None, loading: Loading) -> Fuser | str | None:
    if name is None or _PROVIDER in name:
        return name
    from blender_core.cli.models import load_fuser

    return load_fuser(name, loading)


def _print_answer(model: Any, question: str) -> dict[str, Any]:
    """Print the answer as it comes; returns how it came about."""
    from blender_core.cli.messages import visible

    report: dict[str, Any] = {}
    is_out = False
    try:
        for chunk in model.stream(question):
            text = str(chunk.text)
            # A terminal could be steered by what is in an answer; a file cannot.
            shown = visible(text) if sys.stdout.isatty() else text
            # In colour, which leaves everything as it is.
            typer.echo(shown.encode("utf-8", "replace").decode("utf-8"), nl=False, color=True)
            is_out = is_out or bool(text)
            report = chunk.response_metadata.get("blend", report)
    finally:
        if is_out:
            typer.echo()
    return report


def _print_report(report: dict[str, Any]) -> None:
    from rich.console import Console

    from blender_core.cli.views import report_view

    console = Console(stderr=True, markup=False, highlight=False, emoji=False)
    console.print(report_view(report))
