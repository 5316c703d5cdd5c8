"""``--members``: what is known of who wrote the answers, added to a ranker."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blender_core.cli.messages import say

if TYPE_CHECKING:
    from blender_core.belief.member_prior import MemberPrior
    from blender_core.ranking.ranker import Ranker

__all__ = ["Members", "MembersPrior", "read_prior", "with_prior"]

_HELP = (
    "What is known of the members that wrote the answers, as 'fit-members' writes it: counts "
    "beside what the ranker says."
)

Members = Annotated[Path | None, typer.Option("--members", help=_HELP, rich_help_panel="Models")]
MembersPrior = Annotated[
    Path | None, typer.Option("--members-prior", help=_HELP, rich_help_panel="Models")
]
"""The same for a command whose members are those it asks."""


def read_prior(path: Path | None, *rankers: str) -> MemberPrior | None:
    """The prior, with a warning where its weights were fitted beside another ranker.

    Raises:
        CheckpointError: there is no such file, or it is broken.
    """
    if path is None:
        return None
    from blender_core.belief.member_prior import MemberPrior

    prior = MemberPrior.load(path)
    for ranker in rankers:
        if prior.beside not in (None, ranker):
            say(
                f"{path}: what members' strengths count was fitted beside --ranker "
                f"{prior.beside}, not {ranker}; fit-members can fit it again"
            )
    return prior


def with_prior(ranker: Ranker, prior: MemberPrior | None) -> Ranker:
    """The ranker, with what is known of members if anything is."""
    if prior is None:
        return ranker
    from blender_core.ranking.prior_ranker import PriorRanker

    return PriorRanker(ranker, prior)
